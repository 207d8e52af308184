//! The man page.

use std::io;

use clap::CommandFactory as _;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::Cli;
use crate::model::catalogue::Class;
use crate::model::catalogue::ROWS;

/// The sections that are written by hand, each with its paragraphs. A paragraph that begins with a tab is an example;
/// one with a tab inside is a term and what it means.
const SECTIONS: &[(&str, &[&str])] = &[
    (
        "HOW EVENTS ARE SELECTED",
        &[
            "An event belongs to the process that did it, to the process on whose behalf a daemon did it (its \
             instigator), an exec also to the image that it runs, a fork also to its child. It is shown if one of these \
             meets the conditions of every kind: alternatives of one kind are joined by or, kinds by and. Exclusions \
             (--not-...) win; they look at the process that did it alone, and hide an exec only where both images match.",
            "-e takes a list of terms that are read from left to right: the name of an event, a pattern (od_*), a class \
             (%file) or all. A term after - or ! removes events. A list that begins with a removal begins with all.",
            "-p takes a path and everything below it, by whole components; a script counts as an image, too. Links that \
             every Mac has are followed (/tmp, /System/Volumes/Data, /Applications/Safari.app). Names are compared as APFS \
             compares them: normalised and, where nothing matched otherwise, without case.",
            "-P without any of *?[{ takes a path and everything below it. With them, the rules are those of ripgrep's -g: \
             a pattern without a slash is held against the last component, one with a slash against the whole path; * \
             stays within a component, ** does not.",
            "-f keeps what a selected process starts from then on, through every exec until it exits. Exclusions hide \
             events, not the children of those who did them.",
            "-Z shows an exit other than 0 or by a signal, success=false, a result or an error code other than that of \
             success, and a denied operation. Other events do not say whether they failed.",
        ],
    ),
    (
        "HOW EVENTS ARE SHOWN",
        &[
            "What is printed never moves the cursor of a terminal and never forges a line: control characters, invisible \
             characters and bytes that are not UTF-8 are escaped (\\n, \\x1b, \\u{202e}), a backslash as \\\\. Arguments \
             are quoted so that a shell gives them back. Flags and enumerations are shown by name and, in the text format, \
             by number. A member that a message does not have is not shown.",
            "In the line format the first columns are date, time, process[pid] and event; then come the members as \
             label=value, of which details only with -v. In the JSON format the objects of a recording pass unchanged.",
        ],
    ),
    (
        "FILES",
        &[
            "Recordings are eslogger's JSON Lines, plain or compressed. They hold arguments and environments with their \
             secrets: --redact covers environments, not arguments.",
            "Files that -o and -w create have the mode 0600 and, under sudo, belong to the user who called it. As root, a link \
             in a folder that everyone may write to is refused, and so is a file there that is neither root's nor the \
             caller's, or that has other names. Files that exist keep their mode and lose their contents once the trace has \
             started or the input was opened.",
            "With --rotate, the files are FILE, FILE with .1 before its ending, with .2, and so on. A size is a number with B, \
             KB, MB, GB, TB (powers of 1000; K, M, G, T are the same) or KiB, MiB, GiB (powers of 1024); a plain file never gets \
             larger than that, unless it holds a single event, and a compressed one ends soon after. A time is a number with ms, \
             s, m, h or d: the first event after it goes into the next file. Files of an earlier run are overwritten; \
             as root, a later name that is a link, or a file of others or with other names, is refused in any folder.",
        ],
    ),
    (
        "EXIT STATUS",
        &[
            "0\tThe trace was printed, or COMMAND ended with 0.",
            "1\tSomething failed, or the input was damaged.",
            "2\tWrong usage.",
            "3\tEvents are missing, and --fail-on-drop was given.",
            "4\tmacOS does not permit a live trace.",
            "With COMMAND, its own status where that is not 0; 128+n if signal n ended it, 127 if it was not found, 126 if it \
             could not be executed.",
        ],
    ),
    (
        "SIGNALS",
        &[
            "INT, TERM, HUP\tEnd a trace in good order; a second one ends it at once. With COMMAND, INT is left to it, and \
             TERM and HUP are passed on to it.",
            "USR1\tPrints the summary or the tree so far on standard error, as Ctrl-T does on macOS.",
        ],
    ),
    (
        "EXAMPLES",
        &[
            "Trace a command and everything it starts:",
            "\tsudo proctracer -o trace.txt make install",
            "What did this installer do, with everything it started?",
            "\tproctracer -r hour.jsonl -f --name installd -e %change",
            "Who touches my launch agents?",
            "\tsudo proctracer -P ~/Library/LaunchAgents",
            "What failed?",
            "\tproctracer -r hour.jsonl -Z -F line",
            "What came of it, as a summary, a tree and a timeline:",
            "\tproctracer -r hour.jsonl -c",
            "\tproctracer -r hour.jsonl --tree",
            "\tproctracer -r hour.jsonl -F perfetto -o hour.pftrace",
        ],
    ),
    (
        "LIMITATIONS",
        &[
            "EndpointSecurity shows no network traffic, no contents of files and, for most calls, no result. Some calls give no \
             event; --explain says what is known. What launchd starts on somebody's behalf (open(1), XPC services) is no \
             descendant of a command. Under load macOS drops events; what is missing is reported by event.",
            "Reports and timelines remember at most 16 KiB of a path, and of a command's arguments; the rest is shown as \"...\". A \
             summary counts 100,000 names in each table, and folds the rarest beyond that into one row.",
            "In a recording, an object of more than 8 MiB is reported and skipped, except for messages within it. At most 16,384 \
             unknown members of a message are shown; if there are more, that is reported.",
        ],
    ),
    (
        "SEE ALSO",
        &["eslogger(1), fs_usage(1), csrutil(8), launchd(8)"],
    ),
];

/// The man page, in roff.
///
/// # Errors
/// None: the page is written to memory.
pub fn page() -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    // The page leaves out the help of options that -h doesn't list.
    let command = Cli::command().mut_args(|option| option.hide_short_help(false));
    let man = Man::new(command).date("").manual("proctracer");
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    let mut options = Vec::new();
    man.render_options_section(&mut options)?;
    // The groups of -h are parts of one section.
    out.extend_from_slice(b".SH OPTIONS\n");
    let groups = String::from_utf8_lossy(&options).replace("\n.SH ", "\n.SS ");
    out.extend_from_slice(groups.as_bytes());
    let mut roff = Roff::new();
    for (title, paragraphs) in SECTIONS {
        section(&mut roff, title, paragraphs);
    }
    events(&mut roff);
    out.extend_from_slice(roff.to_roff().as_bytes());
    Ok(out)
}

fn section(roff: &mut Roff, title: &str, paragraphs: &[&str]) {
    roff.control("SH", [title]);
    for paragraph in paragraphs {
        if let Some(example) = paragraph.strip_prefix('\t') {
            roff.control("RS", ["4"]);
            roff.text([bold(example)]);
            roff.control("RE", []);
        } else if let Some((term, meaning)) = paragraph.split_once('\t') {
            roff.control("TP", []);
            roff.text([bold(term)]);
            roff.text([roman(meaning)]);
        } else {
            roff.control("PP", []);
            roff.text([roman(*paragraph)]);
        }
    }
}

/// Appends every event.
fn events(roff: &mut Roff) {
    roff.control("SH", ["EVENTS"]);
    roff.control("PP", []);
    roff.text([roman(
        "The names that -e takes, with the first macOS that has the event. Classes:",
    )]);
    let classes: Vec<_> = Class::all().names().collect();
    roff.text([roman(classes.join(" "))]);
    for row in ROWS {
        roff.control("TP", []);
        roff.text([bold(row.name), roman(format!(" (macOS {})", row.since))]);
        roff.text([roman(row.doc)]);
    }
}
