//! The help, the man page and the completions, all generated from the definitions of the options.

mod common;

use std::collections::HashSet;
use std::process::{Command, Stdio};

use common::{proctracer, read, run};

#[test]
fn the_short_help_fits_on_one_screen() {
    let help = run(&["-h"]);
    assert_eq!((help.err.as_str(), help.status), ("", 0));
    let lines = help.out.lines().count();
    assert!(lines <= 40, "{lines} lines:\n{}", help.out);
    assert!(
        help.out.lines().all(|line| line.chars().count() <= 110),
        "{}",
        help.out
    );
    for heading in [
        "Tracing:",
        "Selecting:",
        "Output:",
        "Answers:",
        "Information:",
    ] {
        assert!(help.out.contains(heading), "{heading}");
    }
    assert_eq!(run(&[]).out, help.out);
}

#[test]
fn the_man_page_is_up_to_date() {
    let page = run(&["--generate", "man"]);
    assert_eq!((page.err.as_str(), page.status), ("", 0));
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(common::file("doc/proctracer.1"), &page.out).expect("the page is written");
    }
    common::assert_same(&page.out, &read("doc/proctracer.1"));
    let lines: Vec<_> = page.out.lines().collect();
    for option in lines.windows(2).filter(|two| two[0].starts_with("\\fB\\-")) {
        assert!(!option[1].is_empty(), "{} has no help", option[0]);
    }
    let headings = lines.iter().filter_map(|line| line.strip_prefix(".SH "));
    let sections: Vec<_> = headings.map(|title| title.trim_matches('"')).collect();
    let unique: HashSet<_> = sections.iter().collect();
    assert_eq!(unique.len(), sections.len(), "{sections:?}");
    for section in [
        "NAME",
        "SYNOPSIS",
        "OPTIONS",
        "HOW EVENTS ARE SELECTED",
        "HOW EVENTS ARE SHOWN",
        "FILES",
        "EXIT STATUS",
        "EXAMPLES",
        "LIMITATIONS",
    ] {
        assert!(sections.contains(&section), "{section}");
    }
    assert!(page.out.contains(".SH \"EXIT STATUS\"\n"));
    for group in ["TRACING", "SELECTING", "OUTPUT", "ANSWERS", "INFORMATION"] {
        let heading = format!(".SS {group}\n");
        assert!(page.out.contains(&heading), "{group}");
    }
    // Every option and every event.
    let help = run(&["--help"]).out;
    let options = help
        .split_whitespace()
        .filter(|word| word.starts_with("--"));
    for option in options {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let end = option.find(|c| !is_part(c)).unwrap_or(option.len());
        let name = &option[..end];
        let escaped = name.replace('-', "\\-");
        assert!(page.out.contains(&escaped), "{name}");
    }
}

/// The program's answer to a shell that asks for completions of the last word.
fn completed(words: &[&str]) -> Vec<String> {
    let output = proctracer()
        .env("COMPLETE", "fish")
        .arg("--")
        .arg("proctracer")
        .args(words)
        .output()
        .expect("the program starts");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let value = |line: &str| line.split('\t').next().unwrap_or_default().to_owned();
    text.lines().map(value).collect()
}

#[test]
fn names_of_events_and_values_are_completed() {
    assert_eq!(completed(&["-e", "open,clos"]), ["open,close"]);
    assert_eq!(completed(&["-e", "all,-mpro"]), ["all,-mprotect"]);
    assert_eq!(completed(&["-e", "%mem"]), ["%memory"]);
    assert_eq!(completed(&["--explain", "sett"]), ["settime"]);
    assert_eq!(completed(&["-F", "te"]), ["text"]);
    assert_eq!(completed(&["--time", "e"]), ["epoch"]);
    assert!(completed(&["--not-na"]).contains(&"--not-name".to_owned()));
}

/// The shells that are installed complete words themselves.
#[test]
fn the_shells_take_the_completions() {
    let folder = tempfile::tempdir().expect("a folder");
    for (shell, check) in [
        ("bash", "source ./script && complete -p proctracer"),
        (
            "zsh",
            "autoload -Uz compinit && compinit -u -D; source ./script && print ${_comps[proctracer]}",
        ),
        ("fish", "source ./script; complete -c proctracer"),
    ] {
        let script = run(&["--generate", &format!("complete-{shell}")]);
        assert_eq!((script.err.as_str(), script.status), ("", 0));
        assert!(script.out.contains("proctracer"), "{shell}");
        std::fs::write(folder.path().join("script"), &script.out).expect("a file");
        let options: &[&str] = if shell == "zsh" {
            &["-f", "-c"]
        } else {
            &["-c"]
        };
        let started = Command::new(shell)
            .args(options)
            .arg(check)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output();
        let Ok(output) = started else {
            eprintln!("{shell} is not installed: not checked");
            continue;
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success() && text.contains("proctracer"),
            "{shell}: {text}{error}"
        );
    }
}
