//! The names in packaging/ are true: versions, archives, files.

mod common;

use common::file;

fn read(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The version of proctracer in Cargo.toml.
fn version() -> String {
    let manifest = read("Cargo.toml");
    let line = manifest.lines().find(|line| line.starts_with("version = "));
    let version = line.and_then(|line| line.split('"').nth(1));
    version.expect("a version").to_owned()
}

#[test]
fn the_formula_builds_the_crate_of_this_version() {
    let formula = read("packaging/proctracer.rb");
    let version = version();
    let url = format!(
        "  url \"https://static.crates.io/crates/proctracer/proctracer-{version}.crate\"\n"
    );
    assert!(formula.contains(&url), "{url}{formula}");
    // The crate contains the files that the formula installs.
    let manifest = read("Cargo.toml");
    let include = manifest.lines().find(|line| line.starts_with("include = "));
    let include = include.expect("a list");
    for (installed, included) in [
        ("man1.install \"doc/proctracer.1\"", "\"doc/*.1\""),
        ("\"samples/developers-hour.jsonl\"", "\"samples\""),
    ] {
        assert!(formula.contains(installed), "{installed}");
        assert!(include.contains(included), "{included}");
    }
}
