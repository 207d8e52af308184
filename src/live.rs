//! A live trace: which source it takes, and what to say where macOS refuses.

use crate::cli::Source;
use crate::config::Printing;
use crate::exit::{Exit, warn};

/// Prints events as they happen.
#[cfg(not(target_os = "macos"))]
pub fn trace(_: Source, _: Printing) -> Exit {
    doctor()
}

/// Tells what a live trace takes, and what of it is missing.
#[cfg(not(target_os = "macos"))]
pub fn doctor() -> Exit {
    warn(format_args!(
        "a live trace takes macOS; here, give a recording with -r FILE, or pipe eslogger into -r -"
    ));
    Exit::Failed
}

#[cfg(target_os = "macos")]
mod native;

#[cfg(target_os = "macos")]
pub use macos::{doctor, tell_what_is_lacking, trace};

#[cfg(target_os = "macos")]
mod macos {
    use super::{Exit, Printing, Source, native, warn};
    use crate::catalogue::{ROWS, Row};
    use crate::filter::Selection;
    use crate::loss::Origin;
    use crate::refusal::Refusal;
    use crate::source::eslogger::{self, Eslogger};
    use crate::source::recording;
    use crate::{run, source};

    /// Prints events as they happen.
    pub fn trace(source: Source, mut printing: Printing) -> Exit {
        if !printing.include_self {
            printing.filter.left_out = source::native::own_process_groups();
        }
        let traced = match source {
            Source::Eslogger => eslogger(printing),
            Source::Native => native(printing),
            Source::Auto => match native::start(&printing) {
                Ok(source) => Ok(native::print(source, printing)),
                Err(Refusal::NotEntitled) if eslogger::is_there() => {
                    warn(format_args!(
                        "macOS lets only entitled programs trace by themselves; this copy goes on with eslogger"
                    ));
                    eslogger(printing)
                }
                Err(refusal) => Err(refusal),
            },
        };
        traced.unwrap_or_else(|refusal| {
            let app = source::native::responsible_app();
            warn(format_args!("{}", refusal.mend(app.as_deref())));
            refusal.exit()
        })
    }

    /// Tells what a live trace takes, and what of it is missing.
    pub fn doctor() -> Exit {
        let (report, exit) = source::native::findings(eslogger::is_there()).report();
        match crate::print(&report) {
            Exit::Done => exit,
            failed => failed,
        }
    }

    /// Prints events from EndpointSecurity itself.
    fn native(printing: Printing) -> Result<Exit, Refusal> {
        let source = native::start(&printing)?;
        Ok(native::print(source, printing))
    }

    /// Prints events from eslogger.
    fn eslogger(printing: Printing) -> Result<Exit, Refusal> {
        let eslogger = Eslogger::start(&printing.filter.selection)?;
        let lines = eslogger.lines();
        let feed = move |feed: &run::Feed| {
            if feed.begin(Origin::Eslogger, true) {
                let read = recording::read_live(lines, &feed.buffers, |chunk| feed.chunk(chunk));
                feed.end(read);
            }
        };
        let exit = run::run(printing, feed, eslogger.stopper());
        eslogger.end()?;
        Ok(exit)
    }

    /// Tells of the events that were named one by one and that the running macOS is too old for.
    pub fn tell_what_is_lacking(selection: &Selection, has: impl Fn(&Row) -> bool) {
        for row in ROWS {
            if selection.is_named(row) && !has(row) {
                warn(format_args!(
                    "this macOS has no event '{}', which comes with macOS {}",
                    row.name, row.since
                ));
            }
        }
    }
}
