//! Messages of the real processes below a program.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use common::{Output, Run, file};

fn check(name: &str, options: &[&str]) -> Output {
    check_with(&["live", name], options)
}

fn check_with(args: &[&str], options: &[&str]) -> Output {
    let run = options.iter().fold(Run::check(args), Run::option).run();
    assert_eq!((run.err.as_str(), run.status), ("", 0), "{run:#?}");
    assert!(
        run.said.ends_with("dropped 0 unreleased 0 misused 0\n"),
        "{run:#?}"
    );
    run
}

macro_rules! checks {
    ($($name:ident $check:literal $options:expr;)*) => {
        $(#[test]
        fn $name() {
            check($check, &$options);
        })*
    };
}

checks! {
    a_suspended_process_has_its_image "suspended" [];
    an_exec_can_be_reported_after_its_spawn "late-exec" ["--exec-delay-ms=300"];
    a_client_sees_nothing_of_before "late-client" [];
    a_suspended_process_is_killed "killed" [];
    a_suspended_process_can_survive_a_kill "hangs" ["--kill-hangs"];
    groups_and_sessions_are_real "groups" [];
    an_orphan_is_launchds "orphan" [];
    statuses_are_those_of_wait "statuses" [];
    many_processes_at_once "threads" [];
    programs_for_macos_are_seen_as_such "macos" [];
    scripts_are_named "script" [];
    an_exit_is_queued_before_it_is_waited_for "before-wait" ["--macos=27.0"];
    identifiers_are_used_again "reused" ["--reuse-pids"];
    times_can_run_backwards "jitter" ["--jitter-us=1000000"];
    attributes_of_a_spawn_are_heeded "attributes" [];
    others_come_in_between "noise" [&noise(), "--noise-each=50"];
    nothing_waits_for_what_goes_on "outlived" [];
}

/// The option for an hour of other processes.
fn noise() -> String {
    format!(
        "--noise={}",
        file("samples/developers-hour.jsonl").display()
    )
}

#[test]
fn launchd_acts_on_behalf_of_processes() {
    let of = |macos: &str, events: &str| {
        let mut args = vec!["es", "new", "unmute", events];
        args.extend(["child", "pause", "continue", "pause", "delete"]);
        let run = Run::check(&args).macos(macos).option("--launchd").run();
        assert_eq!((run.err.as_str(), run.status), ("", 0), "{run:#?}");
        let events = run.out.lines().filter_map(|line| line.split_once(" v"));
        let events = events.map(|(event, _)| event.to_owned());
        events.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        of("13.0", "subscribe=9,11,15,124"),
        "11 9 124 11 9 11 15 15 15"
    );
    assert_eq!(
        of("27.0", "subscribe=9,11,15,124,161"),
        "11 9 124 161 11 9 11 15 15 15"
    );
}

#[test]
fn messages_of_a_file_come_besides() {
    let hour = "samples/developers-hour.jsonl";
    let tree = |run: Run| {
        let run = run.option("--end=none").option("--rate=2000").run();
        assert_eq!((run.err.as_str(), run.status), ("", 0), "{run:#?}");
        run
    };
    let args = [
        "live",
        "tree",
        "sleep 0.1; (exit 3); exec /bin/true",
        "after-others",
    ];
    let with = tree(Run::check(&args).events(hour));
    let without = tree(Run::check(&args[..3]));
    assert_eq!(with.out, without.out);
    let delivered = |run: &Output| {
        let rest = run.said.rsplit_once("delivered ").expect("the totals").1;
        let number = rest.split(' ').next().expect("a number");
        number.parse::<u32>().expect("a number")
    };
    assert!(delivered(&with) > delivered(&without), "{with:#?}");
}

#[test]
fn messages_of_one_event_can_be_lost() {
    let tree = |drop: &str| {
        let run = Run::check(&["live", "tree", "/bin/true; /bin/true"])
            .option(drop)
            .run();
        assert_eq!(run.status, 0, "{run:#?}");
        run.out
    };
    let whole = tree("--drop=unlink:1");
    let of = |text: &str, event: &str| text.lines().filter(|line| line.contains(event)).count();
    assert_eq!([of(&whole, " fork "), of(&whole, " exec ")], [3, 3]);
    let lost = tree("--drop=fork:2");
    assert_eq!([of(&lost, " fork "), of(&lost, " exec ")], [2, 3], "{lost}");
    assert!(lost.contains("? exec /bin/true\n"), "{lost}");
}

/// The execs and the end of each of a shell's children as text: one line for each process, sorted.
fn processes(out: &str) -> Vec<String> {
    let mut of_process: BTreeMap<&str, String> = BTreeMap::new();
    for line in out.lines() {
        let Some((process, what)) = line
            .split_once(' ')
            .filter(|(_, what)| what.starts_with("exec ") || what.starts_with("exit "))
        else {
            continue;
        };
        let text = of_process.entry(process).or_default();
        *text += &what.replace("\\'", "'").replace("\\\"", "\"");
        text.push(';');
    }
    let mut texts: Vec<_> = of_process.into_values().collect();
    texts.sort();
    texts
}

/// The same from strace, which writes a file for each process.
fn by_strace(script: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let status = Command::new("strace")
        .args(["-ff", "-q", "-s", "4096", "-e", "trace=execve", "-o"])
        .arg(folder.path().join("trace"))
        .args(["/bin/sh", "-c", script])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    status.expect("strace runs");
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder.path()).expect("the folder") {
        let text = std::fs::read_to_string(entry.expect("a file").path()).expect("text");
        let mut process = String::new();
        for line in text
            .lines()
            .filter(|line| line.ends_with(" = 0") || line.starts_with("+++"))
        {
            if let Some(args) = line.strip_prefix("execve(") {
                let list = args.split_once('[').expect("a list").1;
                let list = list.rsplit_once("], 0x").expect("its end").0;
                let list: Vec<String> =
                    serde_json::from_str(&format!("[{list}]")).expect("strings");
                process.extend(["exec ", &list.join(" "), ";"]);
            } else if let Some(code) = line.strip_prefix("+++ exited with ") {
                let code: i32 = code.trim_end_matches(" +++").parse().expect("a number");
                process.extend(["exit ", &(code << 8).to_string(), ";"]);
            } else if line.starts_with("+++ killed by SIGKILL") {
                process += "exit 9;";
            } else {
                panic!("{line}");
            }
        }
        texts.push(process);
    }
    texts.sort();
    texts
}

const SCRIPT: &str = "echo a | cat | cat; (exit 3); (/bin/true; exec /bin/false) & \
    for number in 1 2 3; do /bin/echo $number & done; sh -c 'kill -KILL $$' & wait; \
    sh -c 'exec sh -c \"exec env A=b true\"'; exec /bin/sh -c 'exit 2'";

#[test]
fn a_tree_is_what_strace_says() {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("strace isn't installed: nothing to compare with");
        return;
    }
    let expected = by_strace(SCRIPT);
    assert_eq!(expected.len(), 12, "{expected:#?}");
    for (options, macos) in [
        (vec![], "13.0"),
        (vec!["--exec-delay-ms=20".to_string()], "15.4"),
        (
            vec![noise(), "--noise-each=100".into(), "--launchd".into()],
            "26.0",
        ),
        (
            vec!["--reuse-pids".into(), "--jitter-us=1000".into()],
            "27.0",
        ),
    ] {
        let run = options
            .iter()
            .fold(Run::check(&["live", "tree", SCRIPT]), Run::option);
        let run = run.macos(macos).run();
        assert_eq!(run.status, 0, "{run:#?}");
        assert_eq!(processes(&run.out), expected, "{options:?} {run:#?}");
    }
}

#[test]
fn a_real_build_is_seen_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("written");
    };
    write("a.c", "int f(void) { return 0; }\n");
    write("b.c", "int f(void); int main(void) { return f(); }\n");
    write(
        "Makefile",
        "all: a.o b.o\n\tcc -o all a.o b.o\n%.o: %.c\n\tcc -c -o $@ $<\n",
    );
    let tools = ["make", "cc"].map(|tool| Command::new(tool).arg("--version").output());
    if tools.iter().any(Result::is_err) {
        eprintln!("make or cc isn't installed: nothing to build");
        return;
    }
    let script = format!("exec make -j2 -s -C {}", folder.path().display());
    let run = check_with(&["live", "tree", &script], &[]);
    assert!(run.out.ends_with("status 0\n"), "{run:#?}");
    assert!(folder.path().join("all").exists());
    let of = processes(&run.out);
    let with = |part: &str| of.iter().filter(|text| text.contains(part)).count();
    assert_eq!(with("exec make -j2"), 1, "{run:#?}");
    assert_eq!(with("exec cc "), 3, "{run:#?}");
    assert!(of.iter().all(|text| text.ends_with("exit 0;")), "{run:#?}");
}

/// Without ptrace(2), the program runs, and a message says what is missing.
#[test]
fn without_permission_it_says_so() {
    let run = Run::check(&["live", "killed"]);
    let (mut command, _folder) = run.command();
    // SAFETY: nothing is done between fork and exec but system calls.
    unsafe { command.pre_exec(|| refuse(libc::SYS_ptrace)) };
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let run = common::wait(command.spawn().expect("it starts"));
    let said = "macsim: ptrace doesn't work here, so that no process is seen: Operation not permitted (os error 1)\n";
    assert!(run.said.starts_with(said), "{run:#?}");
    assert_eq!((run.err.as_str(), run.status), ("", 0), "{run:#?}");
}

/// Makes a system call fail with EPERM, as containers do.
fn refuse(call: libc::c_long) -> std::io::Result<()> {
    let statement = |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let (load, equal, answer) = (
        libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
        libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
        libc::BPF_RET | libc::BPF_K,
    );
    let mut program = [
        statement(load, 0, 0, 0),
        statement(equal, call as u32, 0, 1),
        statement(answer, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32, 0, 0),
        statement(answer, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: a filter of our own.
    let result = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const filter,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error())
    }
}

#[test]
fn a_failed_spawn_is_seen_as_set() {
    let failed = |options: &[&str]| check("failed", options).out;
    assert_eq!(failed(&[]), "[11, 11]\n");
    assert_eq!(failed(&["--failed-spawn=exit"]), "[11, 15, 11, 15]\n");
    assert_eq!(failed(&["--failed-spawn=none"]), "[]\n");
}

#[test]
fn without_live_messages_a_process_still_starts_suspended() {
    let run = Run::check(&["suspended"]).option("--no-live").run();
    assert_eq!((run.err.as_str(), run.status), ("", 0), "{run:#?}");
}
