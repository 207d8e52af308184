//! `make` on a Mac, with stand-ins for the Mac's own tools.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use std::process::Command;

use common::{file, path_with};

/// Runs `make` in a folder with nothing but the Makefile and what it reads, where programs that claim the entitlement run or are
/// killed. Returns its output, the calls of codesign, and true if ./proctracer runs.
///
/// The shell is the one that macOS has as `/bin/sh`: it prints a line about each child that a signal has ended.
fn make(args: &[&str], claim_is_killed: bool) -> (String, String, bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let script = |path: &str, text: &str| common::script(&folder.join(path), text);
    for name in ["Cargo.toml", "Makefile"] {
        std::fs::copy(file(name), folder.join(name)).expect("a copy");
    }
    script("bin/uname", "echo Darwin");
    script("built", "echo proctracer 0.1.0");
    script(
        "bin/cargo",
        "mkdir -p target/release && cp built target/release/proctracer",
    );
    let claims = if claim_is_killed {
        "kill -9 $$"
    } else {
        "echo proctracer 0.1.0"
    };
    script("claims", claims);
    script("bin/security", "cat granted.provisionprofile");
    script(
        "bin/plutil",
        "echo \"plutil $*\" >>signed; case $* in *raw*) echo AB12CD34EF.org.example.proctracer ;; esac",
    );
    std::fs::write(folder.join("granted.provisionprofile"), "profile").expect("a file");
    script(
        "bin/codesign",
        "echo \"$*\" >>signed; case $* in *--entitlements*) cp claims proctracer ;; esac",
    );
    let output = Command::new("make")
        .current_dir(folder)
        .args(args)
        .arg("SHELL=/bin/bash")
        .env("PATH", path_with(&folder.join("bin")))
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("MAKEFLAGS")
        .env_remove("CARGO")
        .output()
        .expect("make runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let runs = Command::new(folder.join("proctracer")).output();
    (
        said,
        std::fs::read_to_string(folder.join("signed")).expect("it was signed"),
        runs.expect("it is there").status.success(),
    )
}

#[test]
fn it_claims_the_entitlement_where_macos_runs_it_so() {
    let (_, signed, runs) = make(&[], false);
    assert_eq!(
        signed,
        "--force --sign - --entitlements entitlements.plist proctracer\n"
    );
    assert!(runs);
}

#[test]
fn it_does_not_claim_the_entitlement_where_macos_kills_it_for_that() {
    let (said, signed, runs) = make(&[], true);
    assert_eq!(
        signed,
        "--force --sign - --entitlements entitlements.plist proctracer\n--force --sign - proctracer\n"
    );
    assert!(
        said.contains("without it, it traces through eslogger"),
        "{said}"
    );
    assert!(runs);
}

#[test]
fn an_app_has_the_profile_and_the_identifier_that_it_grants() {
    let args = [
        "app",
        "IDENTITY=A. Person",
        "PROFILE=granted.provisionprofile",
    ];
    let (_, signed, _) = make(&args, false);
    let plist = "proctracer.app/Contents/Info.plist";
    for line in [
        "plutil -extract Entitlements xml1 -o target/granted.plist -",
        &format!("plutil -insert CFBundleIdentifier -string org.example.proctracer {plist}"),
        "--force --sign A. Person --options runtime --timestamp --entitlements target/granted.plist proctracer.app",
    ] {
        assert!(signed.lines().any(|said| said == line), "{line}\n{signed}");
    }
}

#[test]
fn an_identity_signs_for_others() {
    let identity = "Developer ID Application: A. Person (AB12CD34EF)";
    let (_, signed, runs) = make(&["sign", &format!("IDENTITY={identity}")], false);
    assert_eq!(
        signed,
        format!(
            "--force --sign {identity} --options runtime --timestamp --entitlements entitlements.plist proctracer\n"
        )
    );
    assert!(runs);
}
