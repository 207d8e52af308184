//! The layering rules of the crate's page hold: each room imports only rooms on floors below its own.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The rooms, from the lowest floor to the highest.
const FLOORS: [&str; 11] = [
    "model", "text", "order", "format", "report", "select", "pipeline", "source", "live", "cli",
    "config",
];

/// Every room may use these.
const LEAVES: [&str; 1] = ["exit"];

/// The one import that goes up: the catalogue's rows name the leaf that gets members from C structures.
const EXCEPTION: (&str, &str) = ("src/model/catalogue.rs", "source::native::c::");

fn sources(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push(path);
        }
    }
}

/// Every source file but `main.rs`, `lib.rs` and tests: its name, its room and its text.
fn files() -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    sources(&common::file("src"), &mut all);
    all.sort();
    let top = common::file("");
    let name = |path: &Path| {
        let relative = path.strip_prefix(&top).expect("below the root");
        relative.to_str().expect("UTF-8").to_owned()
    };
    all.iter()
        .map(|path| name(path))
        .filter(|name| !["src/main.rs", "src/lib.rs"].contains(&name.as_str()))
        .filter(|name| !name.ends_with("/tests.rs"))
        .map(|name| {
            let below = name.trim_start_matches("src/");
            let room = below.split(['/', '.']).next().expect("a room");
            let room = room.to_owned();
            let text = common::read(&name);
            // Unit tests may use any room.
            let end = text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len());
            (name, room, text[..end].to_owned())
        })
        .collect()
}

fn floor(room: &str) -> usize {
    let floor = FLOORS.iter().position(|other| *other == room);
    floor.unwrap_or_else(|| {
        panic!("src/{room} is on no floor: give it one here and on the crate's page")
    })
}

/// The paths after each `crate::` in a text; the names in `use crate::{…}` are listed separately.
fn imports(text: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let code: Vec<_> = text.lines().filter(is_code).collect();
    for part in code.join("\n").split("crate::").skip(1) {
        let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        if let Some(list) = part.strip_prefix('{') {
            let list = list.split("};").next().unwrap_or_default();
            let names = list.split(',').map(str::trim);
            all.extend(names.filter(|name| !name.is_empty()).map(str::to_owned));
        } else {
            let end = part.find(|c| !is_path(c)).unwrap_or(part.len());
            all.insert(part[..end].to_owned());
        }
    }
    all
}

#[test]
fn each_room_imports_only_rooms_below() {
    let mut broken = Vec::new();
    for (name, room, text) in files() {
        if LEAVES.contains(&room.as_str()) {
            assert_eq!(imports(&text), BTreeSet::new(), "{name} is a leaf");
            continue;
        }
        for import in imports(&text) {
            let other = import.split("::").next().expect("a name");
            let is_exception = name == EXCEPTION.0 && import.starts_with(EXCEPTION.1);
            let is_right = other == room
                || LEAVES.contains(&other)
                || is_exception
                || floor(other) < floor(&room);
            if !is_right {
                broken.push(format!("{name} imports crate::{import}"));
            }
        }
    }
    assert_eq!(broken, [""; 0], "see the rules in src/lib.rs");
}

#[test]
fn the_pipeline_does_not_know_the_system() {
    for (name, room, text) in files() {
        assert!(
            room != "pipeline" || !text.contains("target_os"),
            "{name} has a cfg(target_os)"
        );
    }
}

#[test]
fn only_the_native_source_has_unsafe_code() {
    for (name, _, text) in files() {
        let is_native = name.starts_with("src/source/native/");
        // The macro in the leaf is used by the catalogue's rows, and is written in the leaf.
        let has_unsafe = text.lines().any(|line| {
            let code = line.split("//").next().unwrap_or_default();
            code.contains("unsafe ") || code.contains("allow(unsafe_code")
        });
        assert!(is_native || !has_unsafe, "{name} has unsafe code");
    }
}

#[test]
fn the_crate_page_shows_the_rooms() {
    let page = common::read("src/lib.rs");
    for room in FLOORS {
        assert!(
            page.contains(&format!("`{room}`]")) || page.contains(&format!("`mod@{room}`]")),
            "the crate's page lacks {room}"
        );
    }
}

#[test]
fn a_broken_rule_is_found() {
    let text =
        "use crate::{live, format::Style};\nfn f() { crate::config::Task::new() }\n// crate::cli";
    assert_eq!(
        imports(text).into_iter().collect::<Vec<_>>(),
        ["config::Task::new", "format::Style", "live"]
    );
    assert!(floor("config") > floor("select") && floor("live") > floor("pipeline"));
}
