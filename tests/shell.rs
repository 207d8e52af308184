//! Arguments as they are printed, when passed to a shell, give the original arguments.

mod common;

use std::process::Command;

use common::{message, run_with_input};

/// The installed shells. macOS has zsh and bash 3.2; bash is everywhere.
fn shells() -> Vec<&'static str> {
    let is_here = |shell: &&str| {
        let output = Command::new(shell).args(["-c", ":"]).output();
        output.is_ok_and(|output| output.status.success())
    };
    ["bash", "zsh", "/bin/bash"]
        .into_iter()
        .filter(is_here)
        .collect()
}

/// A JSON string that stands for bytes; what isn't UTF-8 becomes lone surrogates.
fn json(bytes: &[u8]) -> String {
    let mut json = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => json.extend(['\\', c]),
                '\0'..='\x1f' => json.extend([format!("\\u{:04x}", u32::from(c))]),
                c => json.push(c),
            }
        }
        for byte in chunk.invalid() {
            json.extend([format!("\\udc{byte:02x}")]);
        }
    }
    json + "\""
}

/// The row of an exec with these arguments, or this environment.
fn row(member: &str, arguments: &[Vec<u8>]) -> String {
    let exec = message("exec");
    let start = exec.find(&format!("\"{member}\":[")).expect("the member");
    let end = start + exec[start..].find(']').expect("its end") + 1;
    let list: Vec<_> = arguments.iter().map(|argument| json(argument)).collect();
    let exec = format!(
        "{}\"{member}\":[{}]{}",
        &exec[..start],
        list.join(","),
        &exec[end..]
    );
    let run = run_with_input(&["--env", "-r", "-"], exec.as_bytes());
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    let label = format!("  {member} : ");
    let row = run.out.lines().find_map(|line| line.strip_prefix(&label));
    row.expect("the row").to_owned()
}

#[track_caller]
fn come_back(member: &str, arguments: &[Vec<u8>]) {
    let row = row(member, arguments);
    let expected: Vec<u8> = arguments
        .iter()
        .flat_map(|argument| [argument, &b"\0"[..]].concat())
        .collect();
    for shell in shells() {
        for locale in ["C", "C.UTF-8", "en_US.UTF-8"] {
            let mut command = Command::new(shell);
            // Without the start-up files of the user who runs the tests.
            if shell == "zsh" {
                command.arg("-f");
            }
            let output = command
                .args(["-c", &format!("printf '%s\\0' {row}")])
                .env("LC_ALL", locale)
                .output()
                .expect("the shell starts");
            for (given, expected) in output
                .stdout
                .split(|byte| *byte == 0)
                .zip(expected.split(|byte| *byte == 0))
            {
                assert_eq!(
                    String::from_utf8_lossy(given),
                    String::from_utf8_lossy(expected),
                    "{shell}, {locale}: {row}"
                );
            }
            assert!(output.stdout == expected, "{shell}, {locale}: {row}");
        }
    }
}

#[test]
fn there_is_a_shell() {
    assert!(shells().contains(&"bash"));
}

#[test]
fn arguments_that_mean_harm_come_back() {
    let arguments = [
        "rm",
        "-rf",
        "invoice\u{202e}fdp.app",
        "",
        " ",
        "it's",
        "'",
        "\\",
        "\\'",
        "a\\nb",
        "\\xe2\\x80",
        "a\nb\tc\rd",
        "\u{1}\u{7f}\u{1b}[2J",
        "$HOME `id` $(id) ${x}",
        "!!",
        "it's !x",
        "~",
        "~root",
        "=ls",
        "a=~",
        "*",
        "[a]?",
        "{a,b}",
        "#x",
        "^a^b",
        "a;b&c|d<e>f(g)",
        "é\u{301}\u{a0}\u{3000}\u{200b}\u{fe0f}\u{e0041}",
        "日本 語",
        "\u{2028}",
        "abc\u{ad}123",
        "\u{feff}0f",
        "\"",
        "%s\\0",
        "--",
        "-n",
    ];
    let arguments: Vec<_> = arguments
        .iter()
        .map(|argument| argument.as_bytes().to_vec())
        .chain([
            b"\xff\xfe".to_vec(),
            b"\xe2\x80".to_vec(),
            b"a\xc3'b".to_vec(),
            b"\x80\x9bf0".to_vec(),
        ])
        .collect();
    come_back("args", &arguments);
    come_back("env", &arguments);
}

#[test]
fn every_byte_and_every_pair_with_a_quote_comes_back() {
    let mut arguments = Vec::new();
    for byte in 1..=u8::MAX {
        for argument in [
            vec![byte],
            vec![byte, b'\''],
            vec![b'\'', byte],
            vec![b'\\', byte],
            vec![byte, b'0', b'f'],
        ] {
            arguments.push(argument);
        }
    }
    come_back("args", &arguments);
}
