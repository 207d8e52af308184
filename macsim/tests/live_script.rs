//! `tests/live.sh`, which checks live traces on a real Mac: here it runs on the simulated one, so that what fails on a
//! Mac fails because of the Mac. The Mac's own tools that it calls have stand-ins.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Output, built, file, wait_for};
use tempfile::TempDir;

const MACSIM: &str = env!("CARGO_BIN_EXE_macsim");

/// Far longer than the script takes.
const PATIENCE: Duration = Duration::from_secs(240);

/// A Mac in a folder: its tools, its root, and the program.
struct Mac {
    folder: TempDir,
    settings: Vec<(String, String)>,
    options: Vec<String>,
}

/// The report of the script: a check, its result, and the detail of each row.
#[derive(Debug)]
struct Report {
    title: String,
    rows: Vec<[String; 3]>,
    output: Output,
}

impl Report {
    /// The checks with this result.
    fn with(&self, result: &str) -> Vec<&str> {
        let rows = self.rows.iter().filter(|[_, other, _]| other == result);
        rows.map(|[check, ..]| check.as_str()).collect()
    }

    #[track_caller]
    fn detail(&self, check: &str) -> &str {
        let row = self.rows.iter().find(|[other, ..]| other == check);
        row.map_or_else(|| panic!("{check}: {self:#?}"), |[_, _, detail]| detail)
    }
}

/// The processes that the simulated Mac has: those that the same process traces. launchd waits for all that end.
const OWN: &str = r#"
tracer() { sed -n 's/^TracerPid:\t//p' "/proc/$1/status" 2>/dev/null; }
is_here() { [ "$(tracer "$1")" = "$(tracer self)" ] && ! grep -q '^State:.Z' "/proc/$1/status"; }
"#;

impl Mac {
    fn new(macos: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mac = Mac {
            folder,
            settings: Vec::new(),
            options: vec!["--macos".into(), macos.into()],
        };
        let system = mac.path("root/usr/bin");
        let privacy = mac.path("root/Library/Application Support/com.apple.TCC");
        for folder in [&mac.path("bin"), &mac.path("t m p"), &system, &privacy] {
            std::fs::create_dir_all(folder).expect("a folder");
        }
        // Full Disk Access is there if this can be read.
        std::fs::write(privacy.join("TCC.db"), "").expect("a file");
        symlink(MACSIM, system.join("eslogger")).expect("a link");
        for name in ["eslogger", "id", "sudo"] {
            symlink(MACSIM, mac.path("bin").join(name)).expect("a link");
        }
        let program = built("proctracer");
        let program = program.display();
        mac.script(
            "proctracer",
            &format!("exec -a macsim {MACSIM} run --argv0 proctracer -- {program} \"$@\""),
        );
        mac.script(
            "bin/uname",
            "case $* in -m) echo x86_64 ;; *) echo Darwin ;; esac",
        );
        mac.script(
            "bin/sw_vers",
            "case $1 in -productVersion) echo \"$MACSIM_MACOS\" ;; *) echo 22A380 ;; esac",
        );
        // AMFI kills what claims an entitlement that Apple hasn't granted.
        mac.script(
            "bin/codesign",
            "case $* in *--entitlements\\ entitlements.plist*) printf '#!/bin/sh\\nkill -9 $$\\n' >\"${@: -1}\" ;; esac",
        );
        // The options of macOS's script(1).
        mac.script(
            "bin/script",
            "[ \"$1\" = -q ] || exit 64\nfile=$2\nshift 2\n\
             exec /usr/bin/script -q -e -c \"exec $(printf '%q ' \"$@\")\" \"$file\"",
        );
        mac.script(
            "bin/pgrep",
            &format!(
                "{OWN}found=1\nfor pid in $(/usr/bin/pgrep \"$@\"); do\n\
                 if is_here \"$pid\"; then echo \"$pid\"; found=0; fi\ndone\nexit $found"
            ),
        );
        // macOS's ps shows the path of the executable.
        mac.script(
            "bin/ps",
            "case $* in\n'-o ppid= -o comm= -p '*)\n\
             echo \"$(/usr/bin/ps -o ppid= -p \"$6\") $(readlink \"/proc/$6/exe\")\" ;;\n\
             *) exec /usr/bin/ps \"$@\" ;;\nesac",
        );
        mac.script(
            "bin/sqlite3",
            "echo 'Error: attempt to write a readonly database'; exit 1",
        );
        mac
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a file with a script.
    fn script(&self, name: &str, text: &str) {
        let path = self.path(name);
        _ = std::fs::remove_file(&path);
        std::fs::write(&path, format!("#!/bin/bash\n{text}\n")).expect("a file");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(path, mode).expect("permissions");
    }

    /// Sets an environment variable of the session.
    fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// An option of the session.
    fn option(mut self, option: &str) -> Self {
        self.options.push(option.into());
        self
    }

    /// Without Full Disk Access.
    fn without_access(self) -> Self {
        let database = "root/Library/Application Support/com.apple.TCC/TCC.db";
        std::fs::remove_file(self.path(database)).expect("it was there");
        self.set("MACSIM_ESLOGGER_REFUSE", "permitted")
    }

    /// Runs the script. It leaves nothing behind.
    #[track_caller]
    fn run(&self, args: &[&str]) -> Report {
        let mut command = Command::new(MACSIM);
        command.args(["session", "--files", "--end=none", "--signature=ad-hoc"]);
        // Files really belong to the user, so that it must be one that this test can give them to.
        // SAFETY: they take nothing and can't fail.
        let (user, group) = match unsafe { (libc::getuid(), libc::getgid()) } {
            (0, _) => (501, 20),
            own => own,
        };
        let accounts =
            format!("--user=root:0:0:/var/root:/bin/sh;test:{user}:{group}:/Users/test:/bin/zsh");
        command.args([format!("--euid={user}"), accounts]);
        command.args(&self.options);
        command.arg("--root").arg(self.path("root"));
        command.arg(file("tests/live.sh")).args(args);
        command.arg(self.path("proctracer"));
        let path = std::env::var("PATH").expect("a path");
        common::reset_signals(&mut command);
        command
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("MACSIM_ROOT", self.path("root"))
            .env("MACSIM_SIGNATURE", "ad-hoc")
            .env("MACSIM_END", "none")
            .env("TMPDIR", self.path("t m p"))
            .env("GITHUB_STEP_SUMMARY", self.path("summary"))
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let output = wait_for(command.spawn().expect("macsim starts"), PATIENCE);
        let left: Vec<_> = std::fs::read_dir(self.path("t m p"))
            .expect("the folder")
            .collect();
        assert!(left.is_empty(), "{left:?}: {output:#?}");
        let text = std::fs::read_to_string(self.path("summary")).unwrap_or_default();
        report(&text, output)
    }
}

/// Reads the table.
#[track_caller]
fn report(text: &str, output: Output) -> Report {
    let mut lines = text.lines();
    let title = lines.next().unwrap_or_default().to_owned();
    let head: Vec<_> = lines.by_ref().take(3).collect();
    assert_eq!(
        head,
        ["", "| check | result | detail |", "|---|---|---|"],
        "{text}{output:#?}"
    );
    let row = |line: &str| {
        let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let cells: Vec<_> = cells.splitn(3, " | ").map(str::to_owned).collect();
        cells.try_into().ok()
    };
    let rows = lines.take_while(|line| !line.is_empty());
    let rows = rows.map(|line| row(line).unwrap_or_else(|| panic!("{line}")));
    Report {
        title,
        rows: rows.collect(),
        output,
    }
}

/// The rows of a Mac where everything works.
const ROWS: [(&str, &str); 15] = [
    ("--doctor without root", "ok"),
    ("es_new_client without root", "noted"),
    ("--doctor with root", "ok"),
    ("es_new_client with root", "noted"),
    ("a copy signed ad hoc with the entitlement", "noted"),
    ("eslogger --list-events", "ok"),
    ("a known script", "ok"),
    ("the recording decodes", "ok"),
    ("who may read the recording", "ok"),
    ("proctracer COMMAND", "ok"),
    ("SIGINT", "ok"),
    ("SIGTERM", "ok"),
    ("SIGKILL", "ok"),
    ("Ctrl-C on a terminal", "ok"),
    ("-e write for 10 seconds", "ok"),
];

/// Runs all of these at the same time: the script mostly waits.
fn at_once<T: Send>(runs: Vec<impl FnOnce() -> T + Send>) -> Vec<T> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = runs.into_iter().map(|run| scope.spawn(run)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<T>| thread.join().expect("no panic");
        threads.into_iter().map(join).collect()
    })
}

#[test]
fn everything_is_well_on_every_macos() {
    let noise = format!(
        "--noise={}",
        file("samples/developers-hour.jsonl").display()
    );
    let run = |macos: &'static str| {
        let noise = &noise;
        move || {
            // As on a Mac, other processes do things meanwhile.
            let mac = Mac::new(macos).option(noise).option("--noise-each=20");
            let mac = mac.option("--launchd").option("--reuse-pids");
            let recording = mac.path("recording.jsonl");
            let recording = recording.to_str().expect("UTF-8");
            let report = mac.run(&["--recording", recording]);
            let rows: Vec<_> = report.rows.iter().collect();
            let rows = rows
                .iter()
                .map(|[check, result, _]| (check.as_str(), result.as_str()));
            assert_eq!(rows.collect::<Vec<_>>(), ROWS, "{macos}: {report:#?}");
            assert_eq!((report.output.out.as_str(), report.output.status), ("", 0));
            let title = format!(" on macOS {macos} (22A380), x86_64");
            assert!(report.title.starts_with("### proctracer ") && report.title.ends_with(&title));
            let doctor = report.detail("--doctor with root");
            let start = format!("macOS ok: {macos}<br>root ok<br>entitlement missing: this copy");
            assert!(doctor.starts_with(&start), "{doctor}");
            assert_eq!(
                report.detail("es_new_client without root"),
                "status 4: proctracer: a live trace needs root: use sudo"
            );
            let answer = report.detail("es_new_client with root");
            assert!(answer.starts_with("status 4: proctracer: this copy is not entitled"));
            let copy = report.detail("a copy signed ad hoc with the entitlement");
            assert_eq!(copy, "killed (137)");
            let events = report.detail("eslogger --list-events");
            let lacks = format!("; of the catalogue's for macOS {macos} it lacks: none");
            assert!(events.ends_with(&lacks), "{events}");
            let writes = report.detail("-e write for 10 seconds");
            assert!(
                writes.contains(" missing write events are not counted: they can be"),
                "{writes}"
            );
            assert_eq!(report.detail("SIGKILL"), "status 137; no process is left");
            // The recording has what the script did, and no value of the environment.
            let text = std::fs::read_to_string(recording).expect("the recording");
            assert!(text.contains("moved – dorthin"));
            assert!(text.contains("PATH=<redacted>") && !text.contains("PATH=/"));
        }
    };
    at_once(["13.0", "14.0", "15.4", "26.0", "27.0"].map(run).into());
}

/// A fault, and the checks that find it; with each, a part of its detail.
type Fault = (
    &'static str,
    fn(Mac) -> Mac,
    &'static [(&'static str, &'static str)],
);

/// eslogger, which starts another process in its group first. That ends with this test, and does nothing more.
const LEAVES: &str = "
case $1 in --list-events) ;; *)
    tail --pid=TEST -f /dev/null </dev/null >/dev/null 2>&1 &
    until read -r name <\"/proc/$!/comm\" && [ \"$name\" = tail ]; do :; done ;;
esac
exec -a eslogger 'FOLDER/bin/eslogger' \"$@\"";

const FAULTS: [Fault; 7] = [
    (
        "a lost event",
        |mac| mac.set("MACSIM_ESLOGGER_LOSE", "rename"),
        &[
            ("a known script", "1 of "),
            ("a known script", "no rename."),
        ],
    ),
    (
        "a process that is left",
        |mac| {
            // As a program below the system's folder, it is looked for there; its process has its name.
            let folder = mac.folder.path().to_str().expect("UTF-8");
            let text = LEAVES.replace("FOLDER", folder);
            let text = text.replace("TEST", &std::process::id().to_string());
            mac.script("root/usr/bin/eslogger", &text);
            mac
        },
        &[
            ("SIGINT", "left running: "),
            ("SIGTERM", "left running: "),
            ("SIGKILL", "left running: "),
            ("Ctrl-C on a terminal", "left running: "),
        ],
    ),
    (
        "an event that the catalogue doesn't have",
        |mac| {
            let text = format!("exec -a eslogger {MACSIM} \"$@\" | sed '$ a brand_new'");
            mac.script("bin/eslogger", &text);
            mac
        },
        &[(
            "eslogger --list-events",
            "the catalogue doesn't have: brand_new",
        )],
    ),
    (
        "a member that the catalogue doesn't have",
        |mac| {
            let text = common::read("tests/data/events.jsonl");
            let line = text
                .lines()
                .find(|line| line.contains("\"event\":{\"unlink\""));
            let line = line
                .expect("an unlink")
                .replace("\"parent_dir\"", "\"dear\":1,\"parent_dir\"");
            let number = |line: &str, name: &str| {
                let (head, tail) = line.split_once(name).expect("a number");
                let rest = tail.trim_start_matches(|letter: char| letter.is_ascii_digit());
                format!("{head}{name}0{rest}")
            };
            let line = number(&number(&line, "\"global_seq_num\":"), ",\"seq_num\":");
            let path = mac.path("lines");
            std::fs::write(&path, line + "\n").expect("a file");
            let path = path.to_str().expect("UTF-8").to_owned();
            mac.set("MACSIM_ESLOGGER_FILE", &path)
        },
        &[(
            "the recording decodes",
            "members that the catalogue doesn't have: unlink dear",
        )],
    ),
    (
        "no events",
        |mac| mac.set("MACSIM_ESLOGGER_SILENT", "1"),
        &[("a known script", "no event came in 30 seconds: ")],
    ),
    (
        "a version that isn't true",
        |mac| {
            mac.script("bin/sw_vers", "echo 15.9");
            mac
        },
        &[(
            "--doctor without root",
            "macOS 15.9 is reported as: ok: 15.4",
        )],
    ),
    (
        "a program that crashes",
        |mac| {
            mac.script(
                "proctracer",
                "case $* in *native*) kill -SEGV $$ ;; esac\nexit 4",
            );
            mac
        },
        &[
            ("es_new_client without root", "status 139"),
            ("es_new_client with root", "status 139"),
        ],
    ),
];

#[test]
fn faults_are_found() {
    let run = |(name, change, found): Fault| {
        move || {
            let report = change(Mac::new("15.4")).run(&[]);
            assert_eq!(report.output.status, 1, "{name}: {report:#?}");
            for (check, detail) in found {
                assert!(
                    report.with("FAILED").contains(check),
                    "{name}: {check}: {report:#?}"
                );
                assert!(
                    report.detail(check).contains(detail),
                    "{name}: {check}: {report:#?}"
                );
            }
            if ![
                "a program that crashes",
                "no events",
                "a version that isn't true",
            ]
            .contains(&name)
            {
                let mut expected: Vec<_> = found.iter().map(|(check, _)| *check).collect();
                expected.dedup();
                assert_eq!(report.with("FAILED"), expected, "{name}: {report:#?}");
            }
        }
    };
    at_once(FAULTS.map(run).into());
}

#[test]
fn what_can_not_be_checked_is_skipped() {
    let run = |name: &'static str| {
        move || match name {
            "no password" => {
                let report = Mac::new("15.4").set("MACSIM_SUDO", "password").run(&[]);
                assert_eq!(
                    report.with("skipped"),
                    ["everything that needs root"],
                    "{report:#?}"
                );
                assert_eq!((report.rows.len(), report.output.status), (3, 0));
            }
            "no access" => {
                let report = Mac::new("26.0").without_access().run(&[]);
                assert_eq!(report.with("skipped"), ["live traces"], "{report:#?}");
                assert_eq!((report.with("FAILED").len(), report.output.status), (0, 0));
                let detail = report.detail("live traces");
                assert!(detail.starts_with("Full Disk Access: "), "{detail}");
            }
            "access can't be granted" => {
                let mac = Mac::new("26.0").without_access();
                let report = mac.run(&["--grant-full-disk-access"]);
                assert_eq!(report.with("FAILED"), ["--doctor with root"], "{report:#?}");
                let detail = report.detail("--doctor with root");
                assert!(
                    detail.starts_with("Error: attempt to write a readonly database"),
                    "{detail}"
                );
                assert_eq!(report.output.status, 1);
            }
            _ => entitled(),
        }
    };
    let cases = [
        "no password",
        "no access",
        "access can't be granted",
        "entitled",
    ];
    at_once(cases.map(run).into());
}

/// Where AMFI is off, the copy that claims the entitlement runs, and is a client.
fn entitled() {
    let mac = Mac::new("27.0");
    mac.script(
        "bin/codesign",
        "copy=${@: -1}\nsed -i 's/^exec/export MACSIM_SIGNATURE=entitled\\nexec/' \"$copy\"",
    );
    let report = mac.run(&[]);
    assert_eq!(
        (report.with("FAILED").len(), report.output.status),
        (0, 0),
        "{report:#?}"
    );
    let answer = report.detail("a copy signed ad hoc with the entitlement runs; its es_new_client");
    assert_eq!(answer, "a client was made, and a trace ran");
}

/// The database gets an entry for each program that started the script, and loses them at the end.
#[test]
fn full_disk_access_is_granted_while_it_runs() {
    let mac = Mac::new("14.0").without_access();
    let database = "root/Library/Application Support/com.apple.TCC/TCC.db";
    let text = format!(
        "[ \"$1\" = '/{}' ] || exit 1\necho \"$2\" | tr -s ' \\n' ' ' >>'{}'\necho >>'{}'\n\
         case $2 in *INSERT*) : >'{}'; echo 1 ;; *) rm -f '{}' ;; esac",
        database.strip_prefix("root/").expect("the root"),
        mac.path("said").display(),
        mac.path("said").display(),
        mac.path(database).display(),
        mac.path(database).display(),
    );
    mac.script("bin/sqlite3", &text);
    let mac = mac.set("MACSIM_ESLOGGER_REFUSE", "");
    let report = mac.run(&["--grant-full-disk-access"]);
    assert_eq!(report.output.status, 0, "{report:#?}");
    let granted = report.detail("Full Disk Access was written");
    let shell = Path::new("/bin/bash").canonicalize().expect("a shell");
    assert!(granted.contains("/bin/bash"), "{granted}");
    assert!(
        granted.contains(shell.to_str().expect("UTF-8")),
        "{granted}"
    );
    let said = std::fs::read_to_string(mac.path("said")).expect("the log");
    for path in granted.split("<br>") {
        let values =
            format!("VALUES ('kTCCServiceSystemPolicyAllFiles', '{path}', 1, 2, 4, 1, 0);");
        assert_eq!(said.matches(&values).count(), 1, "{said}");
        let delete = format!(
            "DELETE FROM access WHERE service = 'kTCCServiceSystemPolicyAllFiles' AND client = '{path}' AND client_type = 1"
        );
        assert_eq!(said.matches(&delete).count(), 1, "{said}");
    }
    assert_eq!(
        said.matches("INSERT").count(),
        said.matches("DELETE").count()
    );
}

#[test]
fn wrong_usage_is_refused() {
    let run = |args: &[&str]| {
        let output = Command::new(file("tests/live.sh"))
            .args(args)
            .output()
            .expect("it starts");
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        (err, output.status.code())
    };
    let refused = |text: &str| (format!("tests/live.sh: {text}\n"), Some(2));
    assert_eq!(
        run(&["--what"]),
        refused("unknown option --what; see --help")
    );
    assert_eq!(run(&["--recording"]), refused("--recording needs a file"));
    assert_eq!(
        run(&[]),
        refused("this checks live traces, which need macOS")
    );
    assert_eq!(run(&["--help"]), (String::new(), Some(0)));
}
