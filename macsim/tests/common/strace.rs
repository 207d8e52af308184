//! Trees of processes: as Linux's own `strace -f` sees them, and as a trace in JSON describes them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// A process: the programs that it ran, its end, and its children.
#[derive(Default)]
struct Process {
    /// The name of each program and the number of its arguments: temporary files have other names every time.
    programs: Vec<String>,
    end: String,
    children: Vec<i64>,
}

/// Processes by their pids.
#[derive(Default)]
struct Tree(BTreeMap<i64, Process>);

impl Tree {
    fn of(&mut self, pid: i64) -> &mut Process {
        self.0.entry(pid).or_default()
    }

    /// One line for each process, with children indented below it, in an order that doesn't depend on time or pids.
    fn text(&self, root: i64) -> String {
        let Some(process) = self.0.get(&root) else {
            return format!("{root} is unknown\n");
        };
        let mut children: Vec<_> = process.children.iter().map(|pid| self.text(*pid)).collect();
        children.sort();
        let programs = process.programs.join(" > ");
        let mut text = format!("[{programs}] {}\n", process.end);
        for line in children.iter().flat_map(|child| child.lines()) {
            text.extend(["  ", line, "\n"]);
        }
        text
    }
}

/// A program as it is compared: its name and the number of its arguments.
fn program(name: &str, arguments: usize) -> String {
    let name = name.rsplit('/').next().unwrap_or_default();
    format!("{name}/{arguments}")
}

/// Returns true if strace is there and may trace.
fn has_strace() -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o", "/dev/null", "true"]);
    strace.stdout(Stdio::null()).stderr(Stdio::null());
    strace.status().is_ok_and(|status| status.success())
}

/// The tree of a command in a folder, by strace. None, with a message, if strace doesn't work here.
pub fn by_strace(command: &[&str], folder: &Path) -> Option<String> {
    if !has_strace() {
        eprintln!("strace isn't there: only what is written down here is compared");
        return None;
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut strace = Command::new("strace");
    let events = "trace=execve,execveat,fork,vfork,clone,clone3";
    strace.args(["-f", "-v", "-s", "65536", "-e", events]);
    strace.arg("-o");
    strace.arg(file.path()).args(command).current_dir(folder);
    strace
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    strace.status().expect("strace runs");
    let text = std::fs::read_to_string(file.path()).expect("UTF-8");
    let mut tree = Tree::default();
    let mut root = None;
    for line in text.lines() {
        let (pid, what) = line.split_once(' ').expect("a pid");
        let pid = pid.parse().expect("a pid");
        let what = what.trim_start();
        root = root.or(Some(pid));
        let result = || what.rsplit_once(" = ").map(|(_, result)| result);
        if let Some(status) = what.strip_prefix("+++ exited with ") {
            tree.of(pid).end = format!("exited {}", status.trim_end_matches(" +++"));
        } else if let Some(signal) = what.strip_prefix("+++ killed by ") {
            let name = signal.split(' ').next().expect("a name");
            name.clone_into(&mut tree.of(pid).end);
        } else if what.starts_with("execve") && result() == Some("0") {
            tree.of(pid).programs.push(executed(what));
        } else if what.starts_with("execve") && what.ends_with("<unfinished ...>") {
            // Another process's line comes before the result; the line that resumes shows that it succeeded.
            tree.of(pid).programs.push(executed(what));
        } else if what.starts_with("<... execve") && result() != Some("0") {
            tree.of(pid).programs.pop();
        } else if what.contains("fork") || what.contains("clone") {
            assert!(!what.contains("CLONE_THREAD"), "{what}");
            if let Some(child) = result().and_then(|child| child.parse().ok()) {
                tree.of(pid).children.push(child);
            }
        }
    }
    Some(tree.text(root.expect("a process")))
}

/// The program in an execve line.
fn executed(line: &str) -> String {
    let from = line.find(", [").expect("arguments") + 3;
    let to = line.find("], [").expect("the environment");
    let mut arguments = Vec::new();
    let (mut quoted, mut escaped, mut start) = (false, false, from);
    for (at, byte) in line.bytes().enumerate().take(to).skip(from) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' if quoted => {
                quoted = false;
                arguments.push(&line[start..at]);
            }
            b'"' => (quoted, start) = (true, at + 1),
            _ => {}
        }
    }
    program(arguments[0], arguments.len())
}

/// The tree of a trace in JSON. Each process of its events must be in it, its fork and its exit once, and its first
/// event must be its root's exec.
pub fn of_json(text: &str) -> String {
    let mut tree = Tree::default();
    let mut root = None;
    for line in text.lines() {
        let message: Value = serde_json::from_str(line).expect("JSON");
        let pid = |process: &Value| process["audit_token"]["pid"].as_i64().expect("a pid");
        let by = pid(&message["process"]);
        let event = message["event"].as_object().expect("an event");
        let (name, event) = event.iter().next().expect("an event");
        assert!(root.is_some() || name == "exec", "{line}");
        let root = *root.get_or_insert(by);
        assert!(by == root || tree.0.contains_key(&by), "foreign: {line}");
        match name.as_str() {
            "fork" => {
                let child = pid(&event["child"]);
                assert!(!tree.0.contains_key(&child), "twice: {line}");
                tree.of(by).children.push(child);
                tree.of(child);
            }
            "exec" => {
                let args = event["args"].as_array().expect("arguments");
                let name = args[0].as_str().expect("a name");
                tree.of(by).programs.push(program(name, args.len()));
            }
            "exit" => {
                let process = tree.of(by);
                assert_eq!(process.end, "", "twice: {line}");
                let stat = event["stat"].as_i64().expect("a status");
                process.end = match (stat & 0x7f, stat >> 8) {
                    (0, status) => format!("exited {status}"),
                    (9, _) => "SIGKILL".to_owned(),
                    (15, _) => "SIGTERM".to_owned(),
                    (signal, _) => format!("signal {signal}"),
                };
            }
            _ => panic!("not asked for: {line}"),
        }
    }
    tree.text(root.expect("a process"))
}
