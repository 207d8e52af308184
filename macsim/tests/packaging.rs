//! Installation and release: the formula, `make install`, the archive and its signature; and the workflow that makes
//! a release. Stand-ins take the place of the program and of the Mac's own tools.

#![cfg(unix)]

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::{file, path_with, read, script};
use tempfile::TempDir;

/// The version of proctracer in Cargo.toml.
fn version() -> String {
    let manifest = read("Cargo.toml");
    let line = manifest.lines().find(|line| line.starts_with("version = "));
    let version = line.and_then(|line| line.split('"').nth(1));
    version.expect("a version").to_owned()
}

/// A folder with the files that are packaged, and a program that prints its arguments.
fn checkout() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("doc")).expect("a folder");
    for name in [
        "Makefile",
        "Cargo.toml",
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "doc/proctracer.1",
    ] {
        std::fs::copy(file(name), folder.path().join(name)).expect(name);
    }
    script(&folder.path().join("proctracer"), "echo \"built$*\"");
    folder
}

/// Runs a shell command, which must succeed.
fn run(folder: &Path, command: &str) -> String {
    let output = Command::new("sh")
        .args(["-ec", command])
        .current_dir(folder)
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("MAKEFLAGS")
        .output()
        .expect("the shell runs");
    assert!(output.status.success(), "{command}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Checks that the files are the man page and the completions.
fn assert_documents(folder: &Path, page: &str, completions: [(&str, &str); 3]) {
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).expect(name);
    assert_eq!(text(page), read("doc/proctracer.1"));
    for (name, shell) in completions {
        assert_eq!(text(name), format!("built--generate complete-{shell}\n"));
    }
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

/// The formula is run as it is, with stand-ins for Homebrew's class and for cargo.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn the_formula_installs_and_its_test_passes() {
    if Command::new("ruby").arg("--version").output().is_err() {
        eprintln!("Ruby is not installed: not checked");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("built/proctracer");
    let macsim = env!("CARGO_BIN_EXE_macsim");
    let built = common::built("proctracer");
    script(
        &program,
        &format!("exec '{macsim}' run '{}' \"$@\"", built.display()),
    );
    let output = Command::new("ruby")
        .arg("-w")
        .args([
            file("macsim/tests/formula.rb"),
            file("packaging/proctracer.rb"),
        ])
        .args([folder.path().join("installed"), program])
        .current_dir(file(""))
        .output()
        .expect("Ruby starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    assert_eq!(error, "");
    let caveats = String::from_utf8_lossy(&output.stdout);
    assert!(caveats.contains("sudo proctracer --doctor"), "{caveats}");
}

#[test]
fn install_puts_the_program_its_page_and_completions_where_they_are_found() {
    let folder = checkout();
    let folder = folder.path();
    run(folder, "make install DESTDIR=root PREFIX='/opt/some where'");
    let installed = folder.join("root/opt/some where");
    assert_eq!(run(&installed, "bin/proctracer"), "built\n");
    assert_documents(
        &installed.join("share"),
        "man/man1/proctracer.1",
        [
            ("zsh/site-functions/_proctracer", "zsh"),
            ("bash-completion/completions/proctracer", "bash"),
            ("fish/vendor_completions.d/proctracer.fish", "fish"),
        ],
    );
}

#[test]
fn an_archive_holds_all_that_is_installed() {
    let folder = checkout();
    let folder = folder.path();
    run(folder, "make archive");
    let version = version();
    let name = format!("proctracer-{version}-universal-apple-darwin");
    // The commands in README.md.
    let commands =
        format!("shasum -a 256 -c {name}.tar.gz.sha256 && tar xzf proctracer-{version}-*.tar.gz");
    let readme = read("README.md").replace("VERSION", &version);
    assert!(readme.contains(&commands), "{commands}");
    let dist = folder.join("target/dist");
    std::fs::remove_dir_all(dist.join(&name)).expect("it can be removed");
    assert_eq!(run(&dist, &commands), format!("{name}.tar.gz: OK\n"));
    let unpacked = dist.join(&name);
    assert_eq!(
        run(&unpacked, "find . -type f | LC_ALL=C sort"),
        "./CHANGELOG.md\n./LICENSE\n./README.md\n./complete/_proctracer\n./complete/proctracer.bash\n\
         ./complete/proctracer.fish\n./doc/proctracer.1\n./proctracer\n"
    );
    assert_eq!(run(&unpacked, "./proctracer"), "built\n");
    assert_documents(
        &unpacked,
        "doc/proctracer.1",
        [
            ("complete/_proctracer", "zsh"),
            ("complete/proctracer.bash", "bash"),
            ("complete/proctracer.fish", "fish"),
        ],
    );
}

const SECRETS: [(&str, &str); 5] = [
    ("APPLE_CERTIFICATE", "Y2VydGlmaWNhdGU="),
    ("APPLE_CERTIFICATE_PASSWORD", "secret"),
    ("APPLE_NOTARY_KEY", "a2V5"),
    ("APPLE_NOTARY_KEY_ID", "ABC"),
    ("APPLE_NOTARY_ISSUER", "DEF"),
];

/// Runs `packaging/sign` on a Mac where Apple's notary gives this answer. Returns its output and the calls of the Mac's
/// tools; `WORK` stands for the folder that it makes, which must be gone.
fn sign(secrets: &[(&str, &str)], answer: &str) -> (Output, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    for tool in ["security", "codesign", "ditto", "xcrun"] {
        let answer = match tool {
            "security" => {
                "case $1 in import) cat \"$2\" >>calls ;; list-keychains) [ $# -gt 3 ] || echo '    \"/a b.keychain-db\"' ;; esac"
            }
            "xcrun" => "case $2 in submit) cat answer ;; esac",
            _ => "",
        };
        let log = format!(
            "for word in {tool} \"$@\"; do printf '<%s>' \"$word\" >>calls; done; echo >>calls"
        );
        script(&folder.join("bin").join(tool), &format!("{log}\n{answer}"));
    }
    std::fs::create_dir(folder.join("tmp")).expect("a folder");
    std::fs::write(folder.join("answer"), answer).expect("a file");
    std::fs::write(folder.join("calls"), "").expect("a file");
    let output = Command::new(file("packaging/sign"))
        .arg("proctracer")
        .current_dir(folder)
        .env("PATH", path_with(&folder.join("bin")))
        .env("TMPDIR", folder.join("tmp"))
        .envs(secrets.iter().copied())
        .output()
        .expect("the script runs");
    let left = std::fs::read_dir(folder.join("tmp")).expect("the folder");
    assert_eq!(left.count(), 0, "{output:?}");
    let calls = std::fs::read_to_string(folder.join("calls")).expect("the calls");
    let temporary = format!("{}/", folder.join("tmp").display());
    let work = calls.split_once(&temporary).map(|(_, rest)| {
        let name = rest.split_once('/').expect("a name").0;
        format!("{temporary}{name}")
    });
    let calls = work.map_or(calls.clone(), |work| calls.replace(&work, "WORK"));
    (output, calls)
}

#[test]
fn without_secrets_a_release_is_signed_ad_hoc() {
    let (output, calls) = sign(&[], "");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(calls, "<codesign><--force><--sign><-><proctracer>\n");
}

#[test]
fn with_secrets_a_release_is_signed_and_notarised() {
    let answer = r#"{"message":"Processing complete","id":"5-6","status":"Accepted"}"#;
    let (output, calls) = sign(&SECRETS, answer);
    assert!(output.status.success(), "{output:?}");
    let password = calls.split_once("<-p><").expect("a password").1;
    let password = password.split_once('>').expect("its end").0;
    assert!(password.len() >= 32, "{password}");
    let keychain = "WORK/release.keychain-db";
    let notary = "<--key><WORK/notary.p8><--key-id><ABC><--issuer><DEF>";
    assert_eq!(
        calls.replace(password, "PASSWORD"),
        format!(
            "<security><create-keychain><-p><PASSWORD><{keychain}>\n\
             <security><set-keychain-settings><{keychain}>\n\
             <security><unlock-keychain><-p><PASSWORD><{keychain}>\n\
             <security><import><WORK/certificate.p12><-k><{keychain}><-P><secret><-T></usr/bin/codesign>\n\
             certificate<security><set-key-partition-list><-S><apple-tool:,apple:><-s><-k><PASSWORD><{keychain}>\n\
             <security><list-keychains><-d><user>\n\
             <security><list-keychains><-d><user><-s><{keychain}></a b.keychain-db>\n\
             <codesign><--force><--options><runtime><--timestamp><--keychain><{keychain}>\
             <--sign><Developer ID Application><proctracer>\n\
             <ditto><-c><-k><proctracer><WORK/program.zip>\n\
             <xcrun><notarytool><submit><WORK/program.zip><--wait><--timeout><30m><--output-format><json>{notary}\n\
             <security><delete-keychain><{keychain}>\n"
        )
    );
}

#[test]
fn what_apple_refuses_to_notarise_is_not_released() {
    let refused = r#"{"message":"Processing complete","id":"5-6","status":"Invalid"}"#;
    for (answer, log) in [(refused, true), ("no network", false)] {
        let (output, calls) = sign(&SECRETS, answer);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = format!("packaging/sign: not notarised: {answer}\n");
        assert_eq!(said, expected);
        assert_eq!(calls.contains("<notarytool><log><5-6>"), log, "{calls}");
    }
}

#[test]
fn a_secret_that_is_missing_is_named() {
    for missing in 1..SECRETS.len() {
        let mut secrets = SECRETS;
        // What the workflow passes where a secret isn't set.
        secrets[missing].1 = "";
        let (output, calls) = sign(&secrets, "");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(secrets[missing].0), "{said}");
        assert!(!output.status.success());
        assert_eq!(calls, "");
    }
}

#[test]
fn actions_are_pinned_to_the_commit_of_a_version() {
    let workflow = read(".github/workflows/ci.yml");
    let uses: Vec<_> = workflow
        .lines()
        .filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("uses: "))
        .collect();
    assert!(uses.len() > 5, "{uses:?}");
    for action in uses {
        let (_, pin) = action.split_once('@').expect("a commit");
        let (commit, version) = pin.split_once(" # v").expect("a version");
        let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_commit, "{action}");
        assert_eq!(version.split('.').count(), 3, "{action}");
    }
}

#[test]
fn dependencies_are_those_of_cargo_lock() {
    let commands = [
        "bench", "build", "check", "clippy", "deny", "doc", "install", "package", "publish", "run",
        "test",
    ];
    let programs = ["cargo", "$(CARGO)"];
    let resolves = |line: &str| {
        let mut calls = programs
            .iter()
            .flat_map(|program| commands.map(|command| format!("{program} {command} ")));
        calls.any(|call| format!("{line} ").contains(&call)) || line.contains("toolchain/build ")
    };
    for file in [".github/workflows/ci.yml", "Makefile", ".ci/run"] {
        let text = read(file);
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'));
        let calls: Vec<_> = code.filter(|line| resolves(line)).collect();
        assert!(!calls.is_empty(), "{file}");
        for call in calls {
            assert!(call.contains("--locked"), "{file}: {call}");
        }
    }
}
