//! macsim's conversions, each checked by a program that is built for macOS.

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

checks!(errors files flags memory signals terminal commands suspended processes threads locks locals time panics waiting identity users);

#[test]
fn thread_locals_are_dropped_at_the_end() {
    assert!(check("locals").ends_with("dropped at the end\n"));
}

#[test]
fn the_program_has_the_identity_that_is_set() {
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
fn a_user_stays_who_it_became() {
    let run = Run::check(&["users"]).env("SUDO_USER", "someone").run();
    assert_eq!(
        run.out,
        "user 501 501 group 20 20 of 16 token [501, 501, 20, 501, 20] sudo Ok(\"someone\")\n",
        "{run:#?}"
    );
    let run = Run::check(&["careless"]).run();
    assert_eq!(run.status, 125, "{run:#?}");
    let careless = "macsim: setuid(501): the process keeps root's group\n";
    assert!(run.said.starts_with(careless), "{run:#?}");
    let run = Run::check(&["who"])
        .option("--user=someone:77:88:/home:/bin/sh:9")
        .option("--euid=77")
        .run();
    assert!(
        run.out.starts_with("user 77 77 group 88 88 of 1 "),
        "{run:#?}"
    );
}

#[test]
fn the_programs_group_is_no_messages() {
    let group = common::own_group();
    let message = |group| {
        format!(
            "{{\"process\":{{\"group_id\":{group},\"session_id\":1}},\"event\":{{\"exit\":{{\"stat\":0}}}}}}\n"
        )
    };
    let run = |events: u32| {
        let run = Run::check(&["own-group"]).events(&message(events)).run();
        assert_eq!((run.err.as_str(), run.status), ("", 0), "{run:#?}");
        run.out.trim().parse::<u32>().expect("a number")
    };
    assert_eq!(run(group + 1), group);
    assert_eq!(run(group), 1_000_000_000 + group);
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

/// Each library that is named there costs time at every start.
#[test]
fn the_program_loads_no_library_that_it_does_not_use() {
    const LOAD_DYLIB: u32 = 0xc;
    let bytes = std::fs::read(common::built("proctracer")).expect("`make test-macos` builds it");
    let number = |at: usize| {
        let bytes = bytes[at..at + 4].try_into().expect("four bytes");
        u32::from_le_bytes(bytes) as usize
    };
    // mach_header_64 and dylib_command of <mach-o/loader.h>.
    let (count, mut at) = (number(16), 32);
    let mut libraries = Vec::new();
    for _ in 0..count {
        if number(at) == LOAD_DYLIB as usize {
            let name = &bytes[at + number(at + 8)..at + number(at + 4)];
            let name = name.split(|byte| *byte == 0).next().expect("a name");
            libraries.push(std::str::from_utf8(name).expect("UTF-8"));
        }
        at += number(at + 4);
    }
    libraries.sort_unstable();
    let expected = [
        "libEndpointSecurity.dylib",
        "libSystem.B.dylib",
        "libobjc.A.dylib",
    ];
    assert_eq!(libraries, expected.map(|name| format!("/usr/lib/{name}")));
}
