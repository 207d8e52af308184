//! The README shows real output: its `console` blocks are run. With `UPDATE_EXPECTED=1` their outputs are rewritten.

mod common;

use common::{assert_same, file, proctracer, read};

/// Runs `$ proctracer … | head -N` or `| grep [-v] TEXT`, and returns the output.
fn output(command: &str) -> String {
    let (command, pipe) = command.split_once(" | ").unwrap_or((command, ""));
    let words = words(
        command
            .strip_prefix("$ proctracer ")
            .expect("a command of proctracer"),
    );
    let output = proctracer()
        .args(words)
        .current_dir(file(""))
        .output()
        .expect("the program starts");
    let out = String::from_utf8(output.stdout).expect("UTF-8");
    let err = String::from_utf8(output.stderr).expect("UTF-8");
    let lines = out.lines();
    let lines: Vec<_> = match pipe.split_once(' ') {
        Some(("head", count)) => lines
            .take(count.trim_start_matches('-').parse().expect("a number"))
            .collect(),
        Some(("grep", text)) => match text.strip_prefix("-v ") {
            Some(text) => lines
                .filter(|line| !line.contains(text.trim_matches('\'')))
                .collect(),
            None => lines
                .filter(|line| line.contains(text.trim_matches('\'')))
                .collect(),
        },
        Some(_) => panic!("{pipe}: unknown command"),
        None => lines.collect(),
    };
    let mut shown: Vec<_> = lines.into_iter().chain(err.lines()).collect();
    shown.push("");
    shown.join("\n")
}

fn words(command: &str) -> Vec<String> {
    command
        .split(' ')
        .map(|word| word.trim_matches('\'').to_owned())
        .collect()
}

#[test]
fn the_examples_print_what_the_readme_says() {
    let readme = read("README.md");
    let mut expected = String::new();
    let mut examples = 0;
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        expected.push_str(line);
        expected.push('\n');
        if line == "```console" {
            let command = lines.next().expect("a command");
            expected.push_str(&[command, "\n", &output(command), "```\n"].concat());
            examples += 1;
            assert!(lines.any(|line| line == "```"), "the block ends");
        }
    }
    assert!(examples > 5);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(file("README.md"), &expected).expect("the file can be written");
    }
    assert_same(&read("README.md"), &expected);
}

#[test]
fn the_readme_names_every_class() {
    let readme = read("README.md");
    let list = common::run(&["--list-events"]).out;
    for class in list.split_whitespace().filter(|word| word.starts_with('%')) {
        assert!(readme.contains(&format!("`{class}`")), "{class}");
    }
}
