//! The queries in the README on the recordings of many Macs, run by DuckDB. With `UPDATE_EXPECTED=1` their results are
//! rewritten. Where Python's module `duckdb` isn't installed nothing is tested.

mod common;

use std::path::Path;
use std::process::Command;

use common::{assert_same, file, read};

/// Prints what DuckDB prints of a query.
const QUERY: &str = "\
import sys, duckdb
print(duckdb.sql(sys.argv[1]))";

/// A folder of recordings of two Macs, one of which recorded the end of the hour only.
fn fleet(folder: &Path) {
    std::fs::create_dir(folder.join("fleet")).expect("a folder");
    let hour = read("samples/developers-hour.jsonl");
    let end: String = hour.split_inclusive('\n').skip(300).collect();
    for (name, recording) in [("anna", &hour), ("ben", &end)] {
        let compressed = zstd::encode_all(recording.as_bytes(), 0).expect("it is compressed");
        let path = folder.join(format!("fleet/{name}.jsonl.zst"));
        std::fs::write(path, compressed).expect("a file");
    }
}

/// The result of a query.
fn result(query: &str, folder: &Path) -> String {
    let output = Command::new("python3")
        .args(["-c", QUERY, query])
        .current_dir(folder)
        .output()
        .expect("Python starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{query}\n{error}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.trim_end().to_owned() + "\n"
}

/// The cells of a table; versions of DuckDB draw the lines between them in different ways.
fn cells(table: &str) -> String {
    let rows = table.lines().filter(|line| line.starts_with('│'));
    let row = |line: &str| line.split('│').map(str::trim).collect::<Vec<_>>().join("|");
    rows.map(row).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_queries_of_many_macs_print_what_the_readme_says() {
    let python = Command::new("python3")
        .args(["-c", "import duckdb"])
        .output();
    if !python.is_ok_and(|output| output.status.success()) {
        eprintln!("Python's module duckdb is not installed: not checked");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    fleet(folder.path());
    let mut readme = read("README.md");
    let mut from = 0;
    let mut queries = 0;
    while let Some(start) = readme[from..].find("```sql\n") {
        let query = from + start + "```sql\n".len();
        let end = query + readme[query..].find("```\n").expect("its end");
        let between = "```\n\n```text\n";
        assert!(readme[end..].starts_with(between), "a result follows");
        let shown = end + between.len();
        let shown = shown..shown + readme[shown..].find("```\n").expect("its end");
        let printed = result(&readme[query..end], folder.path());
        from = shown.start;
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            readme.replace_range(shown, &printed);
            std::fs::write(file("README.md"), &readme).expect("the file can be written");
        } else {
            assert_same(&cells(&readme[shown]), &cells(&printed));
        }
        queries += 1;
    }
    assert_eq!(queries, 2);
}
