//! Runs macOS programs on macsim.
//!
//! ```ignore
//! let run = Run::new(&["-e", "open"]).events("tests/data/events.jsonl").macos("27.0").run();
//! assert_eq!((run.err.as_str(), run.status), ("", 0));
//! ```
//!
//! The binaries are those that `make test-macos` builds; `PROCTRACER_MACOS` names another proctracer.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::ffi::OsStr;
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The time limit of a run; after it the run is killed and the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// The result of a run.
#[derive(Debug, PartialEq, Eq)]
pub struct Output {
    /// Standard output; what isn't UTF-8 is replaced.
    pub out: String,
    /// Standard error, without macsim's own last lines.
    pub err: String,
    /// macsim's own messages: lines that begin with `macsim: `.
    pub said: String,
    /// The exit status, or 128 plus the signal.
    pub status: i32,
}

/// A run of a macOS program.
pub struct Run {
    options: Vec<String>,
    program: PathBuf,
    args: Vec<String>,
    environment: Vec<(String, String)>,
    input: Vec<u8>,
    /// Files of this run.
    folder: TempDir,
}

/// A file of the project.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// The contents of a file of the project.
pub fn read(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A program that the cross-build made.
pub fn built(name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| file("target"), PathBuf::from);
    target.join("x86_64-apple-darwin/release").join(name)
}

/// Writes a shell script that can be executed, and the folders above it.
pub fn script(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, format!("#!/bin/sh\n{text}\n")).expect("a file");
    std::fs::set_permissions(path, Permissions::from_mode(0o755)).expect("permissions");
}

/// `PATH` with a folder before the others.
pub fn path_with(first: &Path) -> String {
    let rest = std::env::var("PATH").expect("a path");
    format!("{}:{rest}", first.display())
}

/// The process group of this test, which the programs that it starts are in.
pub fn own_group() -> u32 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("the file");
    let rest = stat.rsplit_once(") ").expect("the name").1;
    rest.split(' ')
        .nth(2)
        .expect("a group")
        .parse()
        .expect("a number")
}

/// A shell that runs a script, which starts the program as `"$@"`, with the program's environment.
pub fn by_shell(shell: impl AsRef<OsStr>, script: &str, program: &Command) -> Command {
    let mut command = Command::new(shell);
    reset_signals(&mut command);
    command
        .args(["-c", script, "sh"])
        .arg(program.get_program())
        .args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// Keeps the program from inheriting ignored signals, of which there are some when the tests run in the background.
pub fn reset_signals(command: &mut Command) {
    let reset = || {
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM] {
            // SAFETY: sets no handler.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: it only calls what may be called between fork and exec.
    unsafe { command.pre_exec(reset) };
}

impl Run {
    /// proctracer with these arguments, under `--check` and in UTC.
    pub fn new(args: &[&str]) -> Self {
        let program =
            std::env::var_os("PROCTRACER_MACOS").map_or_else(|| built("proctracer"), PathBuf::from);
        Run::of(program, args)
    }

    /// One of the programs in `macsim/programs`.
    pub fn check(args: &[&str]) -> Self {
        Run::of(built("checks"), args)
    }

    /// Any macOS program.
    #[track_caller]
    pub fn of(program: PathBuf, args: &[&str]) -> Self {
        assert!(
            program.exists(),
            "{} does not exist; `make test-macos` builds it",
            program.display()
        );
        let run = Run {
            options: Vec::new(),
            program,
            args: args.iter().map(ToString::to_string).collect(),
            environment: Vec::new(),
            input: Vec::new(),
            folder: tempfile::tempdir().expect("a folder"),
        };
        // In the environment, so that a test's options take precedence.
        run.env("MACSIM_CHECK", "1")
            .env("MACSIM_LINGER_MS", "50")
            .env("TZ", "UTC")
    }

    /// Messages: a file of the project, or JSON lines.
    pub fn events(self, path_or_text: &str) -> Self {
        let path = if path_or_text.trim_start().starts_with('{') || path_or_text.is_empty() {
            let path = self
                .folder
                .path()
                .join(format!("{}.jsonl", self.options.len()));
            std::fs::write(&path, path_or_text).expect("the file can be written");
            path
        } else {
            file(path_or_text)
        };
        self.option("--events").option(path)
    }

    /// The macOS that is simulated.
    pub fn macos(self, version: &str) -> Self {
        self.option("--macos").option(version)
    }

    /// An option of `macsim run`, or the value of one.
    pub fn option(mut self, option: impl AsRef<OsStr>) -> Self {
        self.options
            .push(option.as_ref().to_string_lossy().into_owned());
        self
    }

    /// An environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Treats the process groups in the messages as real ones: the program can be in one of them.
    pub fn real_groups(self) -> Self {
        self.env("MACSIM_REAL_GROUPS", "1")
    }

    /// The contents of standard input.
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Puts macsim's stand-in at `/usr/bin/eslogger`; `lines` are what it can print, a file of the project or JSON lines.
    pub fn eslogger(self, lines: &str) -> Self {
        let root = self.folder.path().join("root");
        let bin = root.join("usr/bin");
        std::fs::create_dir_all(&bin).expect("a folder");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_macsim"), bin.join("eslogger"))
            .expect("a link");
        let path = if lines.trim_start().starts_with('{') || lines.is_empty() {
            let path = self.folder.path().join("eslogger.jsonl");
            std::fs::write(&path, lines).expect("the file can be written");
            path
        } else {
            file(lines)
        };
        let path = path.to_string_lossy().into_owned();
        self.option("--root")
            .option(root)
            .env("MACSIM_ESLOGGER_FILE", &path)
    }

    /// Returns the command, for a test with special needs; the folder must live as long as the run's files are
    /// needed.
    pub fn command(self) -> (Command, TempDir) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_macsim"));
        command
            .arg("run")
            .args(&self.options)
            .arg(&self.program)
            .args(&self.args);
        command
            .env_remove("NO_COLOR")
            .env_remove("SSH_CONNECTION")
            .env_remove("TMUX")
            .envs(self.environment)
            .stdin(Stdio::null());
        reset_signals(&mut command);
        (command, self.folder)
    }

    /// Runs it to its end as a child of a shell whose executable is at `path` under the run's folder; `script` starts
    /// `"$@"`. Returns the folder, too.
    #[track_caller]
    pub fn started_by(self, path: &str, script: &str) -> (Output, PathBuf) {
        let (program, folder) = self.command();
        let place = folder.path().canonicalize().expect("a folder");
        let shell = place.join(path);
        std::fs::create_dir_all(shell.parent().expect("a folder")).expect("a folder");
        let sh = std::fs::canonicalize("/bin/sh").expect("a shell");
        std::fs::copy(sh, &shell).expect("a copy");
        let mut command = by_shell(shell, script, &program);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let output = wait(command.spawn().expect("it starts"));
        (output, place)
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(self) -> Output {
        let input = self.input.clone();
        let (mut command, folder) = self.command();
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("macsim starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = wait(child);
        _ = writer.join(); // a program that refuses its input closes the pipe early
        drop(folder);
        output
    }
}

/// Waits for a child's end and returns what it wrote; a child that takes too long is killed.
#[track_caller]
pub fn wait(child: Child) -> Output {
    wait_for(child, PATIENCE)
}

/// Waits for a child's end for at most this time.
#[track_caller]
pub fn wait_for(child: Child, patience: Duration) -> Output {
    use std::os::unix::process::ExitStatusExt as _;
    let pid = child.id().cast_signed();
    let (done, finished) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        let began = Instant::now();
        let late = finished.recv_timeout(patience).is_err();
        if late {
            // SAFETY: the child isn't waited for yet, so that the number is still its own.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
        late.then(|| began.elapsed())
    });
    let output = child.wait_with_output().expect("the program ends");
    _ = done.send(());
    let late = watch.join().expect("no panic");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (said, err): (Vec<_>, Vec<_>) = {
        let err = text(&output.stderr);
        let lines: Vec<String> = err.split_inclusive('\n').map(ToString::to_string).collect();
        lines
            .into_iter()
            .partition(|line| line.starts_with("macsim: "))
    };
    let status = output
        .status
        .code()
        .or(output.status.signal().map(|signal| 128 + signal));
    let output = Output {
        out: text(&output.stdout),
        err: err.concat(),
        said: said.concat(),
        status: status.unwrap_or(-1),
    };
    assert!(late.is_none(), "no end after {late:?}: {output:?}");
    output
}
