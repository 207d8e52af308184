//! Messages that were recorded on Macs, where there are any: they are not part of the project.

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
        for line in line.out.lines() {
            // Members that the catalogue doesn't know, of the event, its processes or the message.
            let keys = line
                .split(' ')
                .skip(4)
                .filter_map(|word| word.split_once('=').map(|(key, _)| key));
            for key in keys {
                let is_unknown = ["message.", "process.", "target.", "child.", "instigator."]
                    .iter()
                    .any(|part| key.starts_with(part));
                assert!(!is_unknown, "{path}: {key}");
            }
        }
        let text = run(&["--env", "-r", path]).out;
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
