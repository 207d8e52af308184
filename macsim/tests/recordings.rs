//! Files that root writes in a folder that everyone may write to: whose they are, and what is refused.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use common::{Output, Run, read};
use tempfile::TempDir;

const HOUR: &str = "samples/developers-hour.jsonl";

/// A user who is neither root nor, if the tests run as root, the one who runs them.
const SOMEBODY: u32 = 1000;

/// A folder that everyone may write to, as `/tmp`.
fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let open = folder.path().join("open");
    fs::create_dir(&open).expect("a folder");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o1777)).expect("its mode");
    (folder, open)
}

/// A trace as root, who works for the user `caller`.
fn root(args: &[&str], caller: u32) -> Output {
    Run::new(&[&["--source", "native", "-e", "exec"], args].concat())
        .events(HOUR)
        .env("SUDO_UID", &caller.to_string())
        .env("SUDO_GID", "20")
        .run()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// True if the tests run as root, who can make files of other users.
fn is_root(folder: &TempDir) -> bool {
    fs::metadata(folder).expect("it is there").uid() == 0
}

/// Creates a file that belongs to another user than the simulated root and the caller 7777.
fn file_of_somebody(folder: &TempDir, path: &Path) {
    fs::write(path, "precious").expect("the file can be written");
    if is_root(folder) {
        chown(path, Some(SOMEBODY), None).expect("root can do that");
    }
}

#[test]
fn new_files_belong_to_the_user_who_called_sudo() {
    let (folder, open) = folder();
    let (recorded, shown) = (open.join("a.jsonl"), open.join("a.txt"));
    let args = [
        "-w",
        text(&recorded),
        "-o",
        text(&shown),
        "--rotate",
        "100KB",
    ];
    let run = root(&args, SOMEBODY);
    assert_eq!(run.status, 0, "{}", run.err);
    if !is_root(&folder) {
        // The simulated root isn't allowed to give files away, as on a file system without owners.
        assert!(
            run.err
                .contains(": still belongs to root: Operation not permitted\n")
        );
        return;
    }
    assert_eq!(run.err, "");
    for path in [recorded, shown, open.join("a.1.jsonl")] {
        let metadata = fs::metadata(path).expect("the file");
        let (uid, gid, mode) = (metadata.uid(), metadata.gid(), metadata.mode() & 0o777);
        assert_eq!((uid, gid, mode), (SOMEBODY, 20, 0o600));
    }
}

#[test]
fn what_others_have_left_in_an_open_folder_is_not_touched() {
    let (folder, open) = folder();
    let target = folder.path().join("target");
    fs::write(&target, "precious").expect("the file can be written");
    symlink(&target, open.join("link")).expect("a link");
    symlink(folder.path().join("new"), open.join("dangling")).expect("a link");
    symlink(folder.path(), open.join("folder")).expect("a link");
    symlink(open.join("link"), folder.path().join("to-link")).expect("a link");
    let other = open.join("other");
    file_of_somebody(&folder, &other);
    fs::create_dir(open.join("directory")).expect("a folder");
    let link = "a link in a folder that everyone may write to, which root does not follow";
    let file = "a file of another user in a folder that everyone may write to, which root does not \
                change";
    for (path, reason) in [
        (open.join("link"), link),
        (open.join("dangling"), link),
        (open.join("folder/target"), link),
        (folder.path().join("to-link"), link),
        (other.clone(), file),
        (open.join("directory"), "Is a directory"),
        (open.join("nothing/new"), "No such file or directory"),
    ] {
        for option in ["-w", "-o"] {
            let run = root(&[option, text(&path)], 7777);
            let said = format!("proctracer: {option} {}: {reason}\n", text(&path));
            assert_eq!((run.err, run.status), (said, 2));
        }
    }
    for path in [&target, &other] {
        assert_eq!(fs::read_to_string(path).expect("UTF-8"), "precious");
    }
    assert!(!folder.path().join("new").exists());
}

#[test]
fn a_file_with_a_second_name_elsewhere_is_not_touched() {
    let (folder, open) = folder();
    let target = folder.path().join("target");
    fs::write(&target, "precious").expect("the file can be written");
    fs::hard_link(&target, open.join("second")).expect("a link");
    let owner = fs::metadata(&target).expect("it is there").uid();
    let run = root(&["-w", text(&open.join("second"))], owner);
    assert!(run.err.contains("a file with several names"), "{}", run.err);
    assert_eq!(run.status, 2);
    assert_eq!(fs::read_to_string(&target).expect("UTF-8"), "precious");
}

/// The programs that are traced can guess the names of later files, and may write to the caller's folders.
#[test]
fn a_later_file_goes_through_no_link() {
    let (folder, _) = folder();
    let target = folder.path().join("target");
    let first = folder.path().join("a.jsonl");
    let later = folder.path().join("a.1.jsonl");
    let link = "a link, which root does not follow";
    let names = "a file with several names, which root does not change";
    let of_other = "a file of another user, which root does not change";
    for (reason, leaves) in [
        (
            link,
            &(|| symlink(&target, &later).expect("a link")) as &dyn Fn(),
        ),
        (link, &|| symlink("nothing", &later).expect("a link")),
        (names, &|| fs::hard_link(&target, &later).expect("a link")),
        (of_other, &|| file_of_somebody(&folder, &later)),
        ("not a regular file, as --rotate needs", &|| {
            fs::create_dir(&later).expect("a folder")
        }),
    ] {
        fs::write(&target, "precious").expect("the file can be written");
        leaves();
        let owner = fs::metadata(&target).expect("it is there").uid();
        let caller = if reason == of_other { 7777 } else { owner };
        let args = ["-w", text(&first), "-o", "/dev/null", "--rotate", "50KB"];
        let run = root(&args, caller);
        let said = format!("proctracer: {}: {reason}; ", text(&later));
        assert!(run.err.contains(&said), "{reason}: {}", run.err);
        assert_eq!(run.status, 1);
        assert!(fs::metadata(&first).expect("the first file").len() > 20_000);
        assert_eq!(fs::read_to_string(&target).expect("UTF-8"), "precious");
        let removed = fs::remove_file(&later).or_else(|_| fs::remove_dir(&later));
        removed.expect("it was there");
    }
    // A file of an earlier recording is overwritten, as the first one is.
    fs::write(&later, "of an earlier recording").expect("the file can be written");
    let owner = fs::metadata(&later).expect("it is there").uid();
    let run = root(
        &["-w", text(&first), "-o", "/dev/null", "--rotate", "50KB"],
        owner,
    );
    assert_eq!(run.status, 0, "{}", run.err);
    assert!(fs::read_to_string(&later).expect("UTF-8").starts_with('{'));
}

#[test]
fn the_callers_own_files_and_links_in_other_folders_are_written() {
    let (folder, open) = folder();
    let own = open.join("own");
    file_of_somebody(&folder, &own);
    let owner = fs::metadata(&own).expect("it is there").uid();
    let target = folder.path().join("target");
    symlink(&target, folder.path().join("link")).expect("a link");
    for path in [own.clone(), folder.path().join("link")] {
        let run = root(&["-w", text(&path), "-o", "/dev/null"], owner);
        assert_eq!(run.status, 0, "{}", run.err);
    }
    for path in [own, target] {
        let recorded = fs::read_to_string(path).expect("UTF-8");
        let execs = read(HOUR)
            .lines()
            .filter(|line| line.contains(r#""exec":"#))
            .count();
        assert_eq!(recorded.lines().count(), execs);
    }
}
