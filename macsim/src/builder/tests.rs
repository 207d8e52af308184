//! The builder's own tests: the project's messages, and the captures that `PROCTRACER_CAPTURES` names.

use std::path::PathBuf;

use super::*;

fn built(text: &str) -> Record {
    let values: Vec<_> = json::values(text.as_bytes()).collect();
    let (_, value) = values[0].as_ref().expect("JSON");
    message(value, Some(4242)).expect("a message")
}

fn number(record: &Record, at: usize, size: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes[..size].copy_from_slice(&record.image.bytes[at..at + size]);
    u64::from_le_bytes(bytes)
}

/// The bytes of the token at `at`.
fn token(record: &Record, at: usize) -> &[u8] {
    let (length, data) = (
        number(record, at, 8) as usize,
        number(record, at + 8, 8) as usize,
    );
    &record.image.bytes[data..data + length]
}

#[test]
fn every_message_of_the_project_is_built() {
    for file in [
        "tests/data/events.jsonl",
        "tests/data/seed.jsonl",
        "samples/developers-hour.jsonl",
    ] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(file);
        let (records, failures) = read(&path, None).expect("the file can be read");
        assert!(failures.is_empty(), "{failures:#?}");
        assert!(!records.is_empty(), "{file}");
    }
}

#[test]
fn every_capture_is_built() {
    let Some(folder) = std::env::var_os("PROCTRACER_CAPTURES") else {
        eprintln!("PROCTRACER_CAPTURES is not set: nothing to read");
        return;
    };
    for entry in std::fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let is_recording = [".json", ".jsonl", ".ndjson"]
            .iter()
            .any(|end| name.ends_with(end));
        if is_recording && !name.contains("keys") {
            let (records, failures) = read(&path, None).expect("the file can be read");
            assert!(failures.is_empty(), "{failures:#?}");
            assert!(!records.is_empty(), "{name}");
        }
    }
}

#[test]
fn members_newer_than_the_message_are_garbage() {
    let text = |version: u32| {
        format!(
            r#"{{"version":{version},"time":"2026-01-01T00:00:00Z","process":null,"event":{{"close":{{"modified":true,"was_mapped_writable":true}}}}}}"#
        )
    };
    let at = layout::offset("es_message_t", "event") + 16;
    assert_eq!(number(&built(&text(5)), at, 1), 0xa5);
    assert_eq!(number(&built(&text(6)), at, 1), 1);
    let thread = layout::offset("es_message_t", "thread");
    assert_eq!(number(&built(&text(3)), thread, 8), 0xa5a5_a5a5_a5a5_a5a5);
    assert_eq!(number(&built(&text(4)), thread, 8), 0);
}

#[test]
fn names_keep_their_bytes_and_unions_their_arm() {
    let record = built(
        r#"{"version":7,"time":"2026-01-01T00:00:00Z","event":{"rename":{"destination_type":1,"destination":{"new_path":{"dir":{"path":"\/tmp\/\udcff"},"filename":"b"}}}}}"#,
    );
    let event = layout::offset("es_message_t", "event");
    let dir = number(
        &record,
        event + layout::offset("es_event_rename_t", "destination.new_path.dir"),
        8,
    );
    assert_eq!(token(&record, dir as usize), b"/tmp/\xff");
    let name = event + layout::offset("es_event_rename_t", "destination.new_path.filename");
    assert_eq!(token(&record, name), b"b");
    assert_eq!(record.targets, Some(vec![b"/tmp/\xff/b".to_vec()]));
}

#[test]
fn what_follows_exec_is_behind_the_message() {
    let record = built(
        r#"{"version":11,"time":"2026-01-01T00:00:00Z","event":{"exec":{"args":["a",""],"env":[],"fds":[{"fd":3,"fdtype":6,"pipe":{"pipe_id":9}}],"entitlements":{"x":true}}}}"#,
    );
    assert_eq!(number(&record, exec::ARGS, 8), 2);
    let args = number(&record, exec::ARGS + 8, 8) as usize;
    assert_eq!(
        (token(&record, args), token(&record, args + 16)),
        (&b"a"[..], &b""[..])
    );
    let fds = number(&record, exec::FDS + 8, 8) as usize;
    assert_eq!(
        (number(&record, fds, 4), number(&record, fds + 8, 8)),
        (3, 9)
    );
    assert!(record.entitlements.is_some());
}

#[test]
fn unknown_events_need_a_number() {
    let text =
        r#"{"event_type":170,"time":"2026-01-01T00:00:00Z","event":{"quantum_entangle":{}}}"#;
    assert_eq!(built(text).event_type, 170);
    let value = Json::Object(vec![(
        "event".into(),
        Json::Object(vec![("other".into(), Json::Null)]),
    )]);
    assert!(message(&value, None).is_err());
}

#[test]
fn the_childs_pid_is_marked() {
    let token = "[1,2,3,4,5,4242,7,8]";
    let record = built(&format!(
        r#"{{"time":"2026-01-01T00:00:00Z","process":{{"audit_token":{token},"ppid":4242,"group_id":1}},"event":{{"exit":{{"stat":4242}}}}}}"#
    ));
    assert_eq!(record.child_pids.len(), 2);
    assert_eq!(record.token, Some([1, 2, 3, 4, 5, 4242, 7, 8]));
}

#[test]
fn what_is_wrong_is_named() {
    let text = r#"{"event":{"open":{"fflag":"x"}}}"#;
    let values: Vec<_> = json::values(text.as_bytes()).collect();
    let (_, value) = values[0].as_ref().expect("JSON");
    assert_eq!(
        message(value, None).expect_err("a reason"),
        "open.fflag: not a whole number"
    );
}
