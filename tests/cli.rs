//! Options, selection and exit statuses.

mod common;

use common::{file, read, run, run_with_input};

const HOUR: &str = "samples/developers-hour.jsonl";

/// The lines of the `line` format.
fn lines(args: &[&str]) -> Vec<String> {
    let run = run(&[&["-F", "line", "-r", HOUR], args].concat());
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    run.out.lines().map(str::to_owned).collect()
}

fn event(line: &str) -> &str {
    line.split(' ').nth(3).expect("four columns")
}

#[test]
fn without_options_there_is_help() {
    let help = run(&[]);
    assert_eq!((help.status, help.err.as_str()), (0, ""));
    assert!(help.out.contains("Usage: proctracer"));
    assert_eq!(help.out, run(&["-h"]).out);
    assert!(run(&["--version"]).out.starts_with("proctracer "));
}

/// On a Mac a live trace starts, or it is refused as macsim's tests expect.
#[cfg(not(target_os = "macos"))]
#[test]
fn a_live_trace_is_refused_with_the_way_out() {
    let run = run(&["-e", "open"]);
    assert_eq!((run.out.as_str(), run.status), ("", 1));
    assert_eq!(run.err.lines().count(), 1);
    assert!(run.err.contains("-r FILE"), "{}", run.err);
}

#[test]
fn wrong_usage_is_refused() {
    for (args, said) in [
        (
            &["-e", "opne"][..],
            "unknown event 'opne': did you mean 'open'?",
        ),
        (
            &["-e", "open,-clsoe"],
            "unknown event 'clsoe': did you mean 'close'?",
        ),
        (
            &["-e", "%prcess"],
            "unknown class '%prcess': did you mean '%process'?",
        ),
        (&["-e", "zz*"], "no event's name matches 'zz*'"),
        (&["-e", ""], "an event's name is missing"),
        (&["-e", "\x1b[2J"], "unknown event '\\x1b[2J'"),
        (&["-e", "%\x1b"], "unknown class '%\\x1b'"),
        (&["-e", "z\x1b*"], "no event's name matches 'z\\x1b*'"),
        (&["-o", "/nonexistent/\x1b"], "-o /nonexistent/\\x1b: "),
        (
            &["--explain", "forc"],
            "unknown event 'forc': did you mean 'fork'?",
        ),
        (&["-F", "xml"], "possible values: text, line, json"),
        (&["--frobnicate"], "unexpected argument '--frobnicate'"),
        (&["-p", ""], "-p"),
        (
            &["-o", "/nonexistent/file"],
            "-o /nonexistent/file: No such file or directory",
        ),
    ] {
        let run = run(&[&["-r", HOUR], args].concat());
        assert_eq!((run.out.as_str(), run.status), ("", 2), "{args:?}");
        assert!(run.err.contains(said), "{args:?}: {}", run.err);
    }
}

#[test]
fn events_are_selected() {
    let all = lines(&[]);
    for list in [
        "open,close,fork",
        "all,-mprotect",
        "-mprotect",
        "!%file",
        "%auth",
        "uipc_*,exec",
        "open",
    ] {
        let selected = lines(&["-e", list]);
        let names: std::collections::HashSet<_> = selected.iter().map(|line| event(line)).collect();
        // The events that are selected early, before decoding, are those that would be selected late.
        let late: Vec<_> = all
            .iter()
            .filter(|line| names.contains(event(line)))
            .cloned()
            .collect();
        assert_eq!(selected, late, "{list}");
        assert!(!selected.is_empty() && selected.len() < all.len(), "{list}");
    }
    let names: std::collections::BTreeSet<_> = lines(&["-e", "open,close,fork"])
        .iter()
        .map(|line| event(line).to_owned())
        .collect();
    assert_eq!(Vec::from_iter(names), ["close", "fork", "open"]);
    assert_eq!(
        lines(&["-e", "open", "-e", "close"]),
        lines(&["-e", "open,close"])
    );
    assert!(lines(&["-e", "settime,-settime"]).is_empty());
}

#[test]
fn processes_are_selected_by_the_place_of_their_image() {
    let text = run(&["-r", HOUR, "-p", "/Users/test", "-e", "all,-mprotect"]).out;
    let blocks: Vec<_> = text
        .split("\n\n")
        .filter(|block| !block.is_empty())
        .collect();
    assert!(blocks.len() > 50);
    for block in &blocks {
        let is_exec = block.starts_with("event : exec\n");
        let images = block
            .lines()
            .filter_map(|line| line.strip_prefix("       path : "));
        let script = block
            .lines()
            .find_map(|line| line.strip_prefix("  script : "));
        let images: Vec<_> = script.into_iter().chain(images).collect();
        let is_under = |path: &&str| path.starts_with("/Users/test/");
        // The last block is the process; an exec also matches by its script and by its target image.
        assert!(
            images.last().is_some_and(is_under) || is_exec && images.iter().any(is_under),
            "{block}"
        );
    }
    let of = |path: &str| lines(&["-p", path]).len();
    let none = run(&["-r", HOUR, "-p", "/Users/tes"]);
    let said = "proctracer: -p /Users/tes matched nothing\n";
    assert_eq!(
        (none.out.as_str(), none.err.as_str(), none.status),
        ("", said, 0)
    );
    assert_eq!(of("/"), lines(&[]).len());
    assert_eq!(of("/Users/test/"), of("/Users/test"));
    assert_eq!(
        of("/Users/test"),
        blocks.len() + lines(&["-p", "/Users/test", "-e", "mprotect"]).len()
    );
    assert!(of("/bin/zsh") > 0 && run(&["-r", HOUR, "-p", "/bin/zs"]).out.is_empty());
    let either = lines(&["-p", "/bin/zsh", "-p", "/Users/test"]);
    let [zsh, home] = ["/bin/zsh", "/Users/test"].map(|path| lines(&["-p", path]));
    let is_either = |line: &String| zsh.contains(line) || home.contains(line);
    let late: Vec<_> = lines(&[]).into_iter().filter(is_either).collect();
    assert_eq!(either, late);
    let execs = lines(&["-e", "exec", "-p", "/usr/bin/make"]);
    assert!(
        execs
            .iter()
            .any(|line| line.contains(" zsh[") && line.contains(" target=/usr/bin/make[")),
        "{execs:?}"
    );
}

#[test]
fn links_of_the_recorded_mac_are_followed() {
    let mut message: serde_json::Value =
        serde_json::from_str(&common::message("open")).expect("JSON");
    message["process"]["executable"]["path"] = "/private/tmp/zsh".into();
    let message = message.to_string();
    for (path, count) in [
        ("/tmp", 1),
        ("/private/tmp", 1),
        ("/tmp/zsh", 1),
        ("/tmp/zs", 0),
        ("/var", 0),
    ] {
        let run = run_with_input(&["-F", "line", "-p", path, "-r", "-"], message.as_bytes());
        assert_eq!((run.out.lines().count(), run.status), (count, 0), "{path}");
    }
}

#[test]
fn selection_does_not_depend_on_how_the_json_is_written() {
    let spaced = |line: &str| line.replace("\"event\":{\"", "\"event\" : { \"");
    let hour = read(HOUR);
    let expected = run(&["-F", "line", "-e", "unlink", "-r", HOUR]).out;
    assert!(expected.lines().count() > 3);
    let input: Vec<_> = hour.lines().map(spaced).collect();
    assert_eq!(
        run_with_input(
            &["-F", "line", "-e", "unlink", "-r", "-"],
            input.join("\n").as_bytes()
        )
        .out,
        expected
    );
    // The name of an event elsewhere in a message selects nothing.
    let open =
        common::message("open").replace("com.apple.mds_stores", "\\\"event\\\":{\\\"unlink\\\"");
    assert_eq!(
        run_with_input(&["-e", "unlink", "-r", "-"], open.as_bytes()).out,
        ""
    );
}

#[test]
fn events_that_are_not_known_come_with_all() {
    let of = |list: &str| run(&["-F", "line", "-e", list, "-r", "tests/data/events.jsonl"]).out;
    assert!(of("all").contains(" quantum_entangle(170) level=3 target="));
    assert!(of("-open").contains(" quantum_entangle(170) "));
    assert!(!of("%file").contains("quantum"));
}

#[test]
fn several_recordings_come_one_after_the_other() {
    let one = run(&["-r", "tests/data/seed.jsonl"]).out;
    assert_eq!(
        run(&["-r", "tests/data/seed.jsonl", "-r", "tests/data/seed.jsonl"]).out,
        format!("{one}{one}")
    );
    let seed = read("tests/data/seed.jsonl");
    assert_eq!(
        run_with_input(&["-r", "tests/data/seed.jsonl", "-r", "-"], seed.as_bytes()).out,
        format!("{one}{one}")
    );
}

#[test]
fn output_goes_to_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out");
    let run = run(&[
        "-r",
        "tests/data/seed.jsonl",
        "-o",
        path.to_str().expect("UTF-8"),
    ]);
    assert_eq!(
        (run.out.as_str(), run.err.as_str(), run.status),
        ("", "", 0)
    );
    assert_eq!(
        std::fs::read_to_string(path).expect("the file"),
        read("tests/data/seed.text")
    );
}

#[test]
fn events_are_listed_and_explained() {
    let list = run(&["--list-events"]);
    assert_eq!((list.err.as_str(), list.status), ("", 0));
    assert!(
        list.out
            .contains("\nopen                       10.15    a file is opened")
    );
    assert!(list.out.contains("%file %desc\n"));
    let explained = run(&["--explain", "close"]).out;
    for said in [
        "close: a file descriptor is closed",
        "macOS    10.15 and later",
        "was_mapped_writable  true or false; from message version 6 on",
        "once for each duplicate",
    ] {
        assert!(explained.contains(said), "{explained}");
    }
    for noted in [
        "access", "chdir", "close", "dup", "exec", "fcntl", "fork", "mmap", "open", "unlink",
    ] {
        assert!(
            run(&["--explain", noted]).out.contains("worth knowing:"),
            "{noted}"
        );
    }
}

#[test]
fn the_table_of_events_is_up_to_date() {
    let table = format!(
        "# The events\n\nWhat `proctracer --list-events` prints; `proctracer --explain EVENT` adds an event's members and when it comes.\n\n```text\n{}```\n",
        run(&["--list-events"]).out
    );
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(file("doc/EVENTS.md"), &table).expect("the file can be written");
    }
    common::assert_same(&read("doc/EVENTS.md"), &table);
}
