//! Completions of what the shell can't know: the names of events and classes.

use std::ffi::OsStr;
use std::io;

use clap::CommandFactory as _;
use clap_complete::CompleteEnv;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};

use super::{Cli, Generate};
use crate::model::catalogue::{Class, ROWS};

/// The variable by which a shell asks for completions.
const VARIABLE: &str = "COMPLETE";

/// Answers a shell that asks for completions, and then ends the program.
pub fn run_if_asked() {
    CompleteEnv::with_factory(Cli::command).complete();
}

/// The script by which a shell asks this program for completions.
///
/// # Errors
/// None: the script is written to memory.
pub fn register(shell: Generate) -> io::Result<Vec<u8>> {
    let shell: &dyn EnvCompleter = match shell {
        Generate::CompleteZsh => &Zsh,
        Generate::CompleteFish => &Fish,
        Generate::CompleteBash | Generate::Man => &Bash,
    };
    let mut out = Vec::new();
    let name = env!("CARGO_PKG_NAME");
    shell.write_registration(VARIABLE, name, name, name, &mut out)?;
    Ok(out)
}

/// Completes the last term of a list of events.
pub(super) fn events(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else {
        return Vec::new();
    };
    let start = current.rfind(',').map_or(0, |comma| comma + 1);
    let sign = usize::from(current[start..].starts_with(['-', '!']));
    let (before, term) = current.split_at(start + sign);
    let events = ROWS.iter().map(|row| (row.name.to_owned(), row.doc));
    let classes = Class::all().names().map(|name| (name, "a class of events"));
    let all = [("all".to_owned(), "every event")];
    events
        .chain(classes)
        .chain(all)
        .filter(|(name, _)| name.starts_with(term))
        .map(|(name, doc)| {
            CompletionCandidate::new(format!("{before}{name}")).help(Some(doc.into()))
        })
        .collect()
}

/// Completes the name of an event.
pub(super) fn event(current: &OsStr) -> Vec<CompletionCandidate> {
    let current = current.to_str().unwrap_or_default();
    ROWS.iter()
        .filter(|row| row.name.starts_with(current))
        .map(|row| CompletionCandidate::new(row.name).help(Some(row.doc.into())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(list: &str) -> Vec<String> {
        let all = events(OsStr::new(list));
        let values = all.iter().map(CompletionCandidate::get_value);
        values
            .map(|value| value.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn the_last_term_of_a_list_is_completed() {
        assert_eq!(completed("open,clos"), ["open,close"]);
        assert_eq!(
            completed("all,-open"),
            ["all,-open", "all,-openssh_login", "all,-openssh_logout"]
        );
        assert_eq!(completed("!mpro"), ["!mprotect"]);
        assert_eq!(completed("exec,%mem"), ["exec,%memory"]);
        assert_eq!(completed("al"), ["all"]);
        assert_eq!(completed("xyz"), [""; 0]);
        assert_eq!(
            completed("").len(),
            ROWS.len() + Class::all().names().count() + 1
        );
    }

    #[test]
    fn events_are_completed_by_name() {
        let names: Vec<_> = event(OsStr::new("od_create")).into_iter().collect();
        assert_eq!(names.len(), 2);
    }
}
