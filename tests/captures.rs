//! Messages that were recorded on Macs, if there are any: they are not part of the project.

mod common;

use std::path::{Path, PathBuf};

use common::run;

/// The recordings in the folder that `PROCTRACER_CAPTURES` names.
fn captures() -> Option<Vec<PathBuf>> {
    let folder = std::env::var_os("PROCTRACER_CAPTURES")?;
    let is_recording = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_json = path
            .extension()
            .is_some_and(|ext| ["json", "jsonl", "ndjson"].iter().any(|json| ext == *json));
        is_json && !name.contains("keys")
    };
    let entries = std::fs::read_dir(Path::new(&folder)).expect("the folder can be read");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(is_recording)
        .collect();
    paths.sort();
    Some(paths)
}

/// The labels that the members of an event have, and the heading of the process block.
fn members(event: &str) -> Vec<String> {
    let explained = run(&["--explain", event]).out;
    let rows = explained
        .lines()
        .skip_while(|line| *line != "members:")
        .skip(1)
        .take_while(|line| !line.is_empty());
    let labels = rows.filter_map(|row| row.split_whitespace().next());
    labels.chain(["process"]).map(str::to_owned).collect()
}

/// The label of a row of the text layout: a member, or the process of a block.
fn label(row: &str) -> Option<&str> {
    let indent = row.len() - row.trim_start().len();
    match indent {
        1 => row.trim_start().split(':').next(),
        2 => row.trim_start().split(" : ").next(),
        _ => None,
    }
}

#[test]
fn every_message_is_decoded_without_a_warning() {
    let Some(paths) = captures() else {
        eprintln!("PROCTRACER_CAPTURES is not set: nothing to read");
        return;
    };
    let mut events = 0;
    for path in paths {
        let path = path.to_str().expect("UTF-8");
        let line = run(&["-F", "line", "--env", "-r", path]);
        assert_eq!((line.err.as_str(), line.status), ("", 0), "{path}");
        events += line.out.lines().count();
        let text = run(&["--env", "-r", path]).out;
        for event in text.split("\n\n").filter(|event| !event.is_empty()) {
            let (name, rows) = event
                .strip_prefix("event : ")
                .and_then(|event| event.split_once('\n'))
                .expect("an event");
            let known = members(name);
            for row in rows.lines().skip(1) {
                if let Some(label) = label(row) {
                    assert!(
                        known.iter().any(|known| known == label),
                        "{path}: {name}: {row}"
                    );
                }
            }
        }
        assert_eq!(
            text.matches("event : ").count(),
            line.out.lines().count(),
            "{path}"
        );
        let json = run(&["-F", "json", "-r", path]).out;
        let again = common::run_with_input(&["--env", "-r", "-"], json.as_bytes());
        common::assert_same(&again.out, &text);
    }
    assert!(events >= 24, "{events}");
}
