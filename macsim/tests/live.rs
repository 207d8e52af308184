//! Messages of the real processes below a program.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use common::{Output, Run};

fn check(name: &str, options: &[&str]) -> Output {
    let run = options
        .iter()
        .fold(Run::check(&["live", name]), Run::option);
    let run = run.run();
    assert_eq!((run.err.as_str(), run.status), ("", 0), "{run:#?}");
    assert!(
        run.said.ends_with("dropped 0 unreleased 0 misused 0\n"),
        "{run:#?}"
    );
    run
}

macro_rules! checks {
    ($($name:ident $check:literal $options:expr;)*) => {
        $(#[test]
        fn $name() {
            check($check, &$options);
        })*
    };
}

checks! {
    a_suspended_process_has_its_image "suspended" [];
    an_exec_can_be_reported_after_its_spawn "late-exec" ["--exec-delay-ms=300"];
    a_client_sees_nothing_of_before "late-client" [];
    a_suspended_process_is_killed "killed" [];
    a_suspended_process_can_survive_a_kill "hangs" ["--kill-hangs"];
    groups_and_sessions_are_real "groups" [];
    an_orphan_is_launchds "orphan" [];
    statuses_are_those_of_wait "statuses" [];
    many_processes_at_once "threads" [];
    programs_for_macos_are_seen_as_such "macos" [];
    scripts_are_named "script" [];
    an_exit_is_queued_before_it_is_waited_for "before-wait" ["--macos=27.0"];
}

#[test]
fn a_failed_spawn_is_seen_as_set() {
    let failed = |options: &[&str]| check("failed", options).out;
    assert_eq!(failed(&[]), "[11, 11]\n");
    assert_eq!(failed(&["--failed-spawn=exit"]), "[11, 15, 11, 15]\n");
    assert_eq!(failed(&["--failed-spawn=none"]), "[]\n");
}

#[test]
fn without_live_messages_a_process_still_starts_suspended() {
    let run = Run::check(&["suspended"]).option("--no-live").run();
    assert_eq!((run.err.as_str(), run.status), ("", 0), "{run:#?}");
}
