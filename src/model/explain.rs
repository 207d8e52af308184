//! The catalogue in words, for `--list-events`, `--explain` and `doc/EVENTS.md`.

use std::fmt::Write as _;

use crate::model::catalogue::{Detail, Kind, Member, ROWS, Row};
use crate::model::tables::{Enum, Flags};

/// Marks a member that is a detail.
const DETAIL: &str = "; detail";

/// Lists every event: its name, the first macOS that has it, its description, its classes.
pub fn list() -> String {
    let name_width = ROWS.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let doc_width = ROWS.iter().map(|row| row.doc.len()).max().unwrap_or(0);
    let mut out = String::new();
    for row in ROWS {
        let Row {
            name, doc, since, ..
        } = row;
        let since = since.to_string();
        let classes: Vec<_> = row.classes.names().collect();
        push(
            &mut out,
            format_args!(
                "{name:name_width$}  {since:7}  {doc:doc_width$}  {}\n",
                classes.join(" ")
            ),
        );
    }
    out
}

/// Explains an event: its members, and when it comes and when it doesn't.
pub fn explain(row: &Row) -> String {
    let mut out = String::new();
    let classes: Vec<_> = row.classes.names().collect();
    push(&mut out, format_args!("{}: {}\n\n", row.name, row.doc));
    push(
        &mut out,
        format_args!(
            "  number   {}\n  macOS    {} and later\n  classes  {}\n",
            row.number,
            row.since,
            classes.join(" ")
        ),
    );
    if !row.members.is_empty() {
        out.push_str("\nmembers:\n");
        let rows = member_rows(row.members, "");
        let width = rows.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
        for (label, what) in &rows {
            push(&mut out, format_args!("  {label:width$}  {what}\n"));
        }
        if rows.iter().any(|(_, what)| what.contains(DETAIL)) {
            out.push_str("\n-F line shows a detail with -v only.\n");
        }
    }
    if !row.notes.is_empty() {
        out.push_str("\nworth knowing:\n");
        for note in row.notes {
            push(&mut out, format_args!("  - {note}\n"));
        }
    }
    out
}

fn push(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string can't fail.
    let _ = out.write_fmt(arguments);
}

/// The labels of members, each with a description.
fn member_rows(members: &[Member], within: &str) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    for member in members {
        let label = if within.is_empty() {
            member.label.to_owned()
        } else {
            format!("{within}.{}", member.label)
        };
        match member.kind {
            Kind::Struct(members) => rows.extend(member_rows(members, member.label)),
            Kind::Union(members) => rows.extend(member_rows(members, within)),
            ref kind => {
                let since = match member.since {
                    1 => String::new(),
                    version => format!("; from message version {version} on"),
                };
                let detail = match member.detail {
                    Detail::No => String::new(),
                    Detail::Yes => DETAIL.to_owned(),
                    Detail::Zero => format!("{DETAIL} where 0"),
                    Detail::Beside(label) => format!("{DETAIL} beside {label}"),
                };
                rows.push((label, format!("{}{since}{detail}", describe(kind))));
            }
        }
    }
    rows.sort();
    rows.dedup();
    rows
}

/// The description of a kind of member.
fn describe(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "true or false".to_owned(),
        Kind::Int => "number".to_owned(),
        Kind::Ints => "numbers".to_owned(),
        Kind::Address => "address".to_owned(),
        Kind::Flags(Flags { zero, bits }) => {
            let names: Vec<_> = zero
                .iter()
                .copied()
                .chain(bits.iter().map(|bits| bits.name))
                .collect();
            format!("flags: {}", names.join(" "))
        }
        Kind::Enum(Enum(names)) => {
            let names: Vec<_> = names.iter().map(|(_, name)| *name).collect();
            format!("one of: {}", names.join(" "))
        }
        Kind::Flavor => "number, with the names that belong to type".to_owned(),
        Kind::CpuSubtype => "number, with the names that belong to image_cputype".to_owned(),
        Kind::Mode => "file mode, octal".to_owned(),
        Kind::Device => "device: major,minor".to_owned(),
        Kind::WaitStatus => "exit status or signal".to_owned(),
        Kind::Time => "time".to_owned(),
        Kind::Token => "audit token of a process".to_owned(),
        Kind::Text | Kind::Path => "text".to_owned(),
        Kind::Hex => "bytes in hexadecimal".to_owned(),
        Kind::File | Kind::Directory(_) => "file".to_owned(),
        Kind::Process => "process: a block of its own".to_owned(),
        Kind::Args => "arguments, quoted for a shell".to_owned(),
        Kind::Env => "environment, with --env".to_owned(),
        Kind::Strings => "list of text".to_owned(),
        Kind::List(members) => {
            let names: Vec<_> = members.iter().map(|member| member.label).collect();
            format!("list of {{{}}}", names.join(", "))
        }
        Kind::Either(arms) => arms
            .first()
            .map_or_else(String::new, |arm| describe(&arm.kind)),
        Kind::Json => "JSON".to_owned(),
        Kind::Struct(_) | Kind::Union(_) => "structure".to_owned(),
    }
}
