//! A command that is traced, with everything that it starts.
//!
//! The trace begins before the command is started, and the command runs only when its first exec has been seen. A
//! separate thread starts the command, waits for its end, and then for the end of a probe: everything that the command
//! did came before that.

use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use signal_hook::consts::{SIGINT, SIGQUIT};

use super::Choice;
use super::macos::{PROBE_EVERY, explain, falls_back, report_lacking, start_native};
use crate::exit::{Exit, warn};
use crate::pipeline::{self, Run, Source};
use crate::select::{Follow, Link, Need};
use crate::source::command::{NotStarted, Ready, probe};
use crate::source::eslogger::{self, Eslogger, Listed};
use crate::source::native::{self, Native, spawn};
use crate::source::refusal::Refusal;

/// The time within which a source must show that it delivers events.
const READY: Duration = Duration::from_secs(10);

/// The time to wait for the command's first exec before the command runs anyway.
const EXEC: Duration = Duration::from_secs(2);

/// The time to wait for the last events of the command.
const DRAIN: Duration = Duration::from_secs(5);

/// The time for a command to end after a signal was passed on to it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Traces a command that runs as `user`, and returns its exit status.
pub fn command(choice: Choice, command: &[OsString], user: Option<&str>, mut run: Run) -> Exit {
    spawn::keep_ended_children();
    let ready = match Ready::new(command, user) {
        Ok(ready) => ready,
        Err(not_started) => return report(&not_started),
    };
    let link = Link::new(std::process::id().cast_signed(), spawn::is_there);
    run.follow = Some(Follow::of_command(Arc::clone(&link), ready.hidden_execs));
    let need = run.need();
    let traced = start(choice, &need, &run).and_then(|started| {
        let running = Running {
            ready,
            link,
            phase: Arc::default(),
        };
        match started {
            Started::Native(source) => running.trace(source, run, || Ok(())),
            Started::Eslogger(started) => {
                let (source, handle) = *started;
                running.trace(source, run, || handle.end())
            }
        }
    });
    traced.unwrap_or_else(|refusal| explain(&refusal))
}

/// A source that has been started.
enum Started {
    Native(Native),
    Eslogger(Box<(Eslogger, eslogger::Handle)>),
}

/// Starts the source. A client for descendants comes first: it needs neither root nor Full Disk Access.
fn start(choice: Choice, need: &Need, run: &Run) -> Result<Started, Refusal> {
    let by_eslogger = || {
        let listed = Listed::ask()?;
        report_lacking(&run.filter.selection, |row| listed.has(row));
        Eslogger::start(need, &listed).map(|started| Started::Eslogger(Box::new(started)))
    };
    let native = || match Native::start_for_descendants(need) {
        Some(Err(Refusal::NotEntitled)) => Err(Refusal::NotEntitled),
        Some(Err(Refusal::TooManyClients)) => Err(Refusal::TooManyClients),
        Some(Ok(source)) => {
            report_lacking(&run.filter.selection, native::has);
            Ok(source)
        }
        None if !native::is_root() => Err(Refusal::NotPrivileged),
        None | Some(Err(_)) => start_native(Native::start_below(need), run),
    };
    match choice {
        Choice::Eslogger => by_eslogger(),
        Choice::Native => native().map(Started::Native),
        Choice::Auto => match native() {
            Ok(source) => Ok(Started::Native(source)),
            Err(Refusal::NotEntitled) if !native::is_root() => Err(Refusal::NotPrivileged),
            Err(refusal) if falls_back(&refusal) => by_eslogger(),
            Err(refusal) => Err(refusal),
        },
    }
}

fn report(not_started: &NotStarted) -> Exit {
    warn(format_args!("{}", not_started.reason));
    Exit::Command(not_started.status)
}

/// The progress of a command.
#[derive(Clone, Copy, Debug, Default)]
enum Phase {
    /// It doesn't run yet.
    #[default]
    Waits,
    /// It runs, with this pid, or will as soon as its exec has been seen.
    Runs(i32),
    /// It has ended.
    Over,
}

fn lock(phase: &Mutex<Phase>) -> MutexGuard<'_, Phase> {
    phase.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the function that a signal calls. Before the command runs, a signal ends the program. After that, SIGINT and
/// SIGQUIT are left to the command: a terminal sends them to the command, too. The first of the other signals is passed
/// on to it; if the command doesn't end because of it, the trace ends after a while. A second one ends the program at
/// once.
fn on_signal(
    phase: &Arc<Mutex<Phase>>,
    end: Sender<Ended>,
    stop: &Arc<dyn Fn() -> bool + Send + Sync>,
) -> Arc<dyn Fn(i32) + Send + Sync> {
    let (phase, stop) = (Arc::clone(phase), Arc::clone(stop));
    let is_first = AtomicBool::new(true);
    Arc::new(move |signal| {
        // While the command is being started, its pid isn't known, so this waits for it.
        let now = *lock(&phase);
        let is_of_terminal = matches!(signal, SIGINT | SIGQUIT);
        if is_of_terminal && matches!(now, Phase::Runs(_)) {
            return;
        }
        // After the command has ended, the signal that ended it may still come, and the rest is soon shown.
        if matches!(now, Phase::Waits) || !is_first.swap(false, Ordering::Relaxed) {
            std::process::exit(128 + signal);
        }
        let Phase::Runs(pid) = now else {
            return;
        };
        spawn::kill(pid, signal);
        let (phase, stop, end) = (Arc::clone(&phase), Arc::clone(&stop), end.clone());
        thread::spawn(move || {
            thread::sleep(PATIENCE);
            if let Phase::Runs(_) = *lock(&phase) {
                let _ = end.try_send(Ended::Lives(signal));
                stop();
            }
        });
    })
}

/// A command on its way from the start to the end.
struct Running {
    ready: Ready,
    link: Arc<Link>,
    phase: Arc<Mutex<Phase>>,
}

/// The outcome of a command.
enum Ended {
    /// It ran, and ended with this status.
    With(u8),
    /// It couldn't be executed.
    NotStarted(NotStarted),
    /// The source delivered no events: it has not run.
    Silent,
    /// The trace was over before the command could run.
    Never,
    /// It was sent this signal and has not ended because of it.
    Lives(i32),
}

impl Running {
    /// Traces it with a source that has been started. `end_source` makes sure that the source has ended.
    ///
    /// # Errors
    /// The command has not run, because the source ended by itself: the reason.
    fn trace<S: Source>(
        self,
        source: S,
        mut run: Run,
        end_source: impl FnOnce() -> Result<(), Refusal>,
    ) -> Result<Exit, Refusal> {
        let stop: Arc<dyn Fn() -> bool + Send + Sync> = source.stopper().into();
        let (end, ended) = bounded(2);
        run.command_signals = Some(on_signal(&self.phase, end.clone(), &stop));
        let fail_on_drop = run.fail_on_drop;
        let (link, phase) = (Arc::clone(&self.link), Arc::clone(&self.phase));
        thread::spawn(move || {
            // The receiver may have stopped waiting for it.
            let _ = end.send(self.control());
            // A source that has ended by itself must be recognised as such.
            if !self.link.is_over() {
                stop();
            }
        });
        let mut exit = pipeline::run(source, run);
        link.close();
        let source_ended = end_source();
        let is_cut = source_ended.is_err() && !matches!(*lock(&phase), Phase::Waits);
        if let (true, Err(refusal)) = (is_cut, &source_ended) {
            explain(refusal);
            warn(format_args!(
                "the command is no longer traced; waiting for its end"
            ));
            exit = if fail_on_drop {
                Exit::Dropped
            } else {
                Exit::Failed
            };
        }
        Ok(match ended.recv() {
            // A problem of the trace must not hide a problem of the command.
            Ok(Ended::With(0)) => exit,
            Ok(Ended::With(status)) => Exit::Command(status),
            Ok(Ended::NotStarted(not_started)) => report(&not_started),
            Ok(Ended::Silent) => {
                warn(format_args!(
                    "no events come from the source, so the command was not started"
                ));
                Exit::Failed
            }
            Ok(Ended::Lives(signal)) => {
                warn(format_args!("the command is still running"));
                Exit::Command(u8::try_from(128 + signal).unwrap_or(1))
            }
            Ok(Ended::Never) | Err(_) => {
                source_ended?;
                if exit == Exit::Done {
                    Exit::Failed
                } else {
                    exit
                }
            }
        })
    }

    /// Starts it when the source is ready, and waits for its end.
    fn control(&self) -> Ended {
        if !self.is_ready() {
            return if self.link.is_over() {
                Ended::Never
            } else {
                Ended::Silent
            };
        }
        let mut suspended = None;
        let mut phase = lock(&self.phase);
        let started = self.link.start(|| {
            let started = self.ready.start()?;
            let pid = started.pid;
            suspended = Some(started);
            Ok(pid)
        });
        let pid = match started {
            Ok(pid) => pid,
            Err(not_started) => return Ended::NotStarted(not_started),
        };
        *phase = Phase::Runs(pid);
        drop(phase);
        self.link.wait_for_exec(EXEC);
        if let Some(suspended) = suspended {
            suspended.resume();
        }
        let status = spawn::wait_for(pid).unwrap_or(1);
        *lock(&self.phase) = Phase::Over;
        self.link.command_ended();
        if let Ok(probe) = probe() {
            self.link.wait_for_end(&[probe], DRAIN);
        }
        Ended::With(status)
    }

    /// Returns true as soon as the source has shown the end of a probe.
    fn is_ready(&self) -> bool {
        let begun = Instant::now();
        let mut probes = Vec::new();
        while begun.elapsed() < READY && !self.link.is_over() {
            probes.extend(probe());
            if self.link.wait_for_end(&probes, PROBE_EVERY) {
                return true;
            }
        }
        false
    }
}
