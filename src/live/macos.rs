//! A live trace on macOS.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::Choice;
use super::doctor::Findings;
use crate::exit::{Exit, warn};
use crate::model::catalogue::Row;
use crate::pipeline::signals::HANDLED;
use crate::pipeline::{self, Run};
use crate::select::{Need, Selection};
use crate::source::command::probe;
use crate::source::eslogger::{self, Eslogger, Listed};
use crate::source::native::{self, Native, spawn};
use crate::source::refusal::Refusal;

/// The signals that request a report before the end. The second is sent by Ctrl-T (stty(1), `status`).
pub const ASKING: &[i32] = &[signal_hook::consts::SIGUSR1, signal_hook::consts::SIGINFO];

/// The interval at which probes are started while the source isn't ready.
pub(super) const PROBE_EVERY: Duration = Duration::from_millis(50);

/// Shows events as they happen.
pub fn trace(choice: Choice, include_self: bool, mut run: Run) -> Exit {
    if !include_self {
        run.filter.own = native::own_pipeline();
        if run.outputs.is_terminal() {
            let ancestors = native::ancestors();
            run.filter.excluded_writers = ancestors.into_iter().map(|(pid, _)| pid).collect();
        }
    }
    let pids = followed(&run);
    if let Some(pid) = pids.iter().find(|pid| !spawn::is_there(**pid)) {
        warn(format_args!("--pid {pid}: there is no such process"));
        return Exit::Failed;
    }
    let need = run.need();
    let natively = |source: Native, mut run: Run| {
        if let Some(follow) = run.follow.as_mut().filter(|_| !pids.is_empty()) {
            follow.seed(&pids, &native::running());
        }
        pipeline::run(source, run)
    };
    let traced = match choice {
        Choice::Eslogger => by_eslogger(&need, run),
        Choice::Native => {
            start_native(Native::start(&need), &run).map(|source| natively(source, run))
        }
        // Both sources need root. It isn't documented whether macOS checks for root or for the entitlement first, and a
        // user who is sent to eslogger would be refused there again.
        Choice::Auto if !native::is_root() => Err(Refusal::NotPrivileged),
        Choice::Auto => match start_native(Native::start(&need), &run) {
            Ok(source) => Ok(natively(source, run)),
            Err(refusal) if falls_back(&refusal) => by_eslogger(&need, run),
            Err(refusal) => Err(refusal),
        },
    };
    traced.unwrap_or_else(|refusal| explain(&refusal))
}

/// The processes that are followed from their pids on, with everything that is already running below them.
fn followed(run: &Run) -> Vec<i32> {
    match &run.follow {
        Some(follow) if follow.ends() => run.filter.conditions.who.pids.values(),
        _ => Vec::new(),
    }
}

/// Starts probes until there is an event, so that [`followed`] processes are soon known: eslogger doesn't report when
/// it is ready.
fn seed_at_first_event(run: &mut Run) {
    let pids = followed(run);
    let Some(follow) = run.follow.as_mut().filter(|_| !pids.is_empty()) else {
        return;
    };
    let is_seeded = Arc::new(AtomicBool::new(false));
    let seeded = Arc::clone(&is_seeded);
    follow.seed_later(pids, move || {
        seeded.store(true, Ordering::Relaxed);
        native::running()
    });
    thread::spawn(move || {
        while !is_seeded.load(Ordering::Relaxed) && probe().is_ok() {
            thread::sleep(PROBE_EVERY);
        }
    });
}

/// Returns true if eslogger is used instead, and reports that.
pub(super) fn falls_back(refusal: &Refusal) -> bool {
    let falls_back = eslogger::is_there() && refusal.leaves_eslogger(native::is_entitled());
    if falls_back {
        let reason = match refusal {
            Refusal::Other(reason) => reason.as_str(),
            _ => "not entitled to use EndpointSecurity directly",
        };
        warn(format_args!("{reason}; falling back to eslogger"));
    }
    falls_back
}

/// Prints why macOS refuses, and what to do.
pub(super) fn explain(refusal: &Refusal) -> Exit {
    let surroundings = native::surroundings();
    warn(format_args!("{}", refusal.advice(&surroundings)));
    refusal.exit()
}

/// Checks what a live trace needs and returns a report, and the exit status: 0 if a live trace works.
///
/// # Errors
/// None here.
pub fn doctor() -> Result<(String, Exit), Exit> {
    let root = native::is_root();
    let findings = Findings {
        macos: native::macos_version(),
        root,
        entitled: native::is_entitled(),
        client: native::try_client(),
        full_disk: native::has_full_disk_access(root),
        eslogger: eslogger::is_there(),
        sip: native::sip_configuration(),
        surroundings: native::surroundings(),
    };
    Ok(findings.report())
}

/// The signals with an effect of their own that were ignored when the program started.
pub fn ignored_signals() -> Vec<i32> {
    HANDLED
        .into_iter()
        .filter(|signal| native::is_ignored(*signal))
        .collect()
}

/// Reports what macOS lacks, if a client was made or no other source can take over.
pub(super) fn start_native(source: Result<Native, Refusal>, run: &Run) -> Result<Native, Refusal> {
    // If another source can take over, that source reports it.
    let is_reported = |refusal: &Refusal| !refusal.leaves_eslogger(native::is_entitled());
    if source.as_ref().err().is_none_or(is_reported) {
        report_lacking(&run.filter.selection, native::has);
    }
    source
}

/// Shows events from eslogger.
fn by_eslogger(need: &Need, mut run: Run) -> Result<Exit, Refusal> {
    let listed = Listed::ask()?;
    report_lacking(&run.filter.selection, |row| listed.has(row));
    let (source, handle) = Eslogger::start(need, &listed)?;
    seed_at_first_event(&mut run);
    let exit = pipeline::run(source, run);
    handle.end()?;
    Ok(exit)
}

/// Reports the events that were selected by their own names but that the running macOS is too old for.
pub(super) fn report_lacking(selection: &Selection, has: impl Fn(&Row) -> bool) {
    for row in selection.lacking(has) {
        warn(format_args!(
            "this macOS has no event '{}', which comes with macOS {}",
            row.name, row.since
        ));
    }
}
