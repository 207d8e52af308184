//! What macsim converts, each by a program that is built for macOS.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use common::Run;

#[track_caller]
fn check(name: &str) -> String {
    let run = Run::check(&[name]).env("TZ", "XYZ-3").run();
    assert_eq!((run.err.as_str(), run.status), ("", 0), "{run:#?}");
    run.out
}

macro_rules! checks {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })*

        #[test]
        fn every_check_is_here() {
            assert_eq!(check("list").lines().collect::<Vec<_>>(), [$(stringify!($name)),*]);
        }
    };
}

checks!(errors files flags memory signals terminal commands suspended processes threads locks locals time panics waiting identity);

#[test]
fn thread_locals_are_dropped_at_the_end() {
    assert!(check("locals").ends_with("dropped at the end\n"));
}

#[test]
fn the_program_is_who_it_is_told() {
    let run = Run::check(&["identity"])
        .macos("26.1")
        .option("--euid=501")
        .option("--pidversion=77")
        .run();
    assert!(
        run.out
            .starts_with("auid 501 euid 501 pidversion 77\nmacOS 26.1\n"),
        "{run:#?}"
    );
}

#[test]
fn a_missing_import_ends_the_run_with_its_name() {
    let run = Run::check(&["missing"]).run();
    assert_eq!(
        run.said,
        "macsim: call of an import that is not implemented: getfsstat\n"
    );
    assert_eq!(run.status, 126);
}
