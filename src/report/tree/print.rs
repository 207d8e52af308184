//! A tree in text and in JSON.

use std::cmp::Reverse;

use super::super::columns::{Column, Columns};
use super::super::figures::{CUT, Span, cells, cut, cut_path, nanos_between};
use super::super::page::Page;
use super::super::processes::Process;
use super::super::words::{exit_of, push_process, second, shown};
use super::places::{Place, Rows, is_launched};
use super::{CountBy, Counted, Tree};
use crate::format::Palette;
use crate::model::event::Timestamp;
use crate::order::loss::Count;
use crate::text::clock::Clock;
use crate::text::json::Writer;

/// Times before 2001 come from a clock that wasn't set yet: the process was started during boot.
const CLOCK_IS_SET: i64 = 978_307_200;

/// The number of levels that are drawn: deeper processes are drawn at the last of them. A chain of forks may have any
/// length.
const MAX_LEVELS: usize = 100;

/// The number of cells that must be left for a command; otherwise its brackets are dropped.
const LEFT_OF_COMMAND: usize = 8;

/// A tree at one time, on a page.
pub(super) struct View<'t> {
    tree: &'t Tree,
    page: Page,
    width: Option<usize>,
}

impl<'t> View<'t> {
    pub(super) fn new(tree: &'t Tree, page: Page) -> View<'t> {
        View {
            tree,
            page,
            width: page.width(),
        }
    }
}

impl View<'_> {
    pub(super) fn push_text(&self, rows: &Rows, out: &mut Vec<u8>) {
        let mut clock = Clock::new(self.tree.look.utc);
        let mut columns = Columns::new(
            vec![
                Column::right("PID", 6),
                Column::right("UID", 5),
                Column::right("STARTED", 8),
                Column::right("TIME", 8),
                Column::right("EXIT", 7),
                Column::right("EVENTS", 6),
            ],
            "COMMAND",
        );
        let day = self.tree.begin.map(|begin| second(&mut clock, begin));
        let day = day.unwrap_or_default();
        for (_, process) in self.rows(rows) {
            columns.fit(&self.texts(process, &day, &mut clock));
        }
        columns.push_head(out);
        let room = self
            .width
            .map(|width| width.saturating_sub(columns.indent()));
        let mut guides = Guides::default();
        for (place, process) in self.rows(rows) {
            let texts = self.texts(process, &day, &mut clock);
            guides.go_to(place);
            if process.is_seen {
                self.push_row(out, &columns, &texts, process, &guides, room);
            } else {
                let mut row = Vec::new();
                self.push_row(&mut row, &columns, &texts, process, &guides, room);
                self.page
                    .palette
                    .paint(out, Palette::DIM, |out| out.append(&mut row));
            }
            out.push(b'\n');
        }
    }

    fn rows<'r>(
        &'r self,
        rows: &'r Rows,
    ) -> impl Iterator<Item = (&'r Place, &'r Process<Counted>)> {
        let processes = &self.tree.processes;
        rows.0
            .iter()
            .filter_map(move |place| Some((place, processes.get(place.process)?)))
    }

    fn push_row(
        &self,
        out: &mut Vec<u8>,
        columns: &Columns,
        texts: &[String; 6],
        process: &Process<Counted>,
        guides: &Guides,
        room: Option<usize>,
    ) {
        // A row that is dim as a whole has no other colours.
        let palette = if process.is_seen {
            self.page.palette
        } else {
            Palette(false)
        };
        columns.push(out, texts, |column, text, out| {
            let is_failure = process.end.is_some_and(|end| end.is_failure());
            let colour = match column {
                0 => Some(Palette::PROCESS),
                4 if is_failure => Some(Palette::FAILURE),
                _ => None,
            };
            match colour {
                Some(colour) => {
                    palette.paint(out, colour, |out| out.extend_from_slice(text.as_bytes()))
                }
                None => out.extend_from_slice(text.as_bytes()),
            }
        });
        let guides = guides.text(room);
        let room = room.map(|room| room.saturating_sub(cells(&guides)));
        let (command, brackets) = self.command(process, room);
        out.extend_from_slice(guides.as_bytes());
        out.extend_from_slice(command.as_bytes());
        if !brackets.is_empty() {
            out.extend_from_slice(b"  ");
            palette.paint(out, Palette::DIM, |out| {
                out.extend_from_slice(brackets.as_bytes())
            });
        }
    }

    /// The texts before the command.
    fn texts(&self, process: &Process<Counted>, day: &str, clock: &mut Clock) -> [String; 6] {
        [
            process.pid.to_string(),
            process
                .euid
                .map_or_else(String::new, |euid| euid.to_string()),
            started(process.started(), day, clock),
            self.time(process),
            exit_of(process),
            Count(process.data.events).to_string(),
        ]
    }

    /// The time for which a process ran, from its fork or its start, to its end or the last event.
    fn time(&self, process: &Process<Counted>) -> String {
        let start = process.forked.or(process.started());
        let start = start.filter(|start| start.seconds >= CLOCK_IS_SET);
        let end = match process.end {
            Some(end) => end.time,
            None => self.tree.times.last(),
        };
        let nanos = start.zip(end).map(|(start, end)| nanos_between(start, end));
        // If the clock was set back, there is no time to show.
        nanos
            .filter(|nanos| *nanos >= 0)
            .map_or_else(String::new, |nanos| Span(nanos).to_string())
    }

    /// The command and the brackets after it, cut to fit the room.
    fn command(&self, process: &Process<Counted>, room: Option<usize>) -> (String, String) {
        let mut brackets = self.brackets(process);
        // Other processes have the label in their environment by inheritance.
        let job = process.job.as_ref().filter(|_| is_launched(process));
        let job = job.map_or_else(String::new, |job| format!(" [{}]", shown(job)));
        let whole = process.command(false) + &job;
        let Some(room) = room else {
            return (whole, brackets);
        };
        let beside = if brackets.is_empty() {
            0
        } else {
            cells(&brackets) + 2
        };
        if cells(&whole) + beside <= room {
            return (whole, brackets);
        }
        let for_command = |beside: usize| {
            let room = room.saturating_sub(beside);
            match process.arguments {
                Some(_) => cut(&(process.command(true) + &job), room),
                None => cut_path(&whole, room),
            }
        };
        let command = for_command(beside);
        let is_short = cells(&command) < LEFT_OF_COMMAND && command.ends_with(CUT);
        if beside == 0 || !is_short && cells(&command) + beside <= room {
            return (command, brackets);
        }
        brackets.clear();
        (for_command(0), brackets)
    }

    /// `[file 15, creds 2, desc 2]`
    fn brackets(&self, process: &Process<Counted>) -> String {
        let kinds = self.kinds_of(process);
        if kinds.is_empty() {
            return String::new();
        }
        let parts: Vec<_> = kinds
            .iter()
            .map(|(name, count)| format!("{name} {}", Count(*count)))
            .collect();
        format!("[{}]", parts.join(", "))
    }

    /// The number of each kind, the largest first.
    fn kinds_of(&self, process: &Process<Counted>) -> Vec<(&str, u64)> {
        let name = |kind| {
            let kind = usize::try_from(kind).ok();
            kind.and_then(|kind| self.tree.kinds.get(kind))
                .map_or(CUT, String::as_str)
        };
        let mut all: Vec<_> = process
            .data
            .counts
            .iter()
            .map(|(kind, count)| (name(kind), count))
            .collect();
        all.sort_by_key(|(_, count)| Reverse(*count));
        all
    }

    pub(super) fn push_json(&self, rows: &Rows, out: &mut Vec<u8>) {
        let mut clock = Clock::new(true);
        for (place, process) in self.rows(rows) {
            Writer::new(out).object(|json| {
                json.number("pid", process.pid);
                if let Some(ppid) = process.ppid {
                    json.number("ppid", ppid);
                }
                json.number("depth", place.depth);
                push_process(json, process, &mut clock);
                json.number("events", process.data.events);
                json.key(match self.tree.count_by {
                    CountBy::Classes => "classes",
                    CountBy::Events => "by_event",
                });
                json.object(|json| {
                    for (name, count) in self.kinds_of(process) {
                        json.number(name, count);
                    }
                });
            });
            out.push(b'\n');
        }
    }
}

/// The time at which a process started: `boot`, `09:00:02`, or on another day `Mar 13`.
fn started(time: Option<Timestamp>, day: &str, clock: &mut Clock) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let Some(time) = time else {
        return String::new();
    };
    if time.seconds < CLOCK_IS_SET {
        return "boot".to_owned();
    }
    let text = second(clock, time);
    let (Some((date, of_day)), Some((today, _))) = (text.split_once(' '), day.split_once(' '))
    else {
        return text;
    };
    if date == today {
        return of_day.to_owned();
    }
    let month = |number: &str| MONTHS.get(number.parse::<usize>().ok()?.checked_sub(1)?);
    let mut parts = date.split('-');
    let (Some(year), Some(Some(month)), Some(day)) =
        (parts.next(), parts.next().map(month), parts.next())
    else {
        return text;
    };
    if today.starts_with(year) {
        format!("{month} {day}")
    } else {
        format!("{month} {year}")
    }
}

/// The lines that lead from a process to those below it.
#[derive(Default)]
struct Guides {
    /// For each level that is drawn, true if another process follows at it.
    goes_on: Vec<bool>,
    depth: usize,
}

impl Guides {
    fn go_to(&mut self, place: &Place) {
        self.depth = place.depth;
        if place.depth <= MAX_LEVELS {
            self.goes_on.truncate(place.depth);
            self.goes_on.push(!place.is_last);
        }
    }

    /// `│  │  └─ `; if there is little room, only the last levels.
    fn text(&self, room: Option<usize>) -> String {
        // The roots stand side by side at the margin, without a line between them.
        let levels = self.goes_on.get(1..).unwrap_or_default();
        let Some((own, above)) = levels.split_last() else {
            return String::new();
        };
        let all: String = above
            .iter()
            .map(|goes_on| if *goes_on { "│  " } else { "   " })
            .chain([if *own { "├─ " } else { "└─ " }])
            .collect();
        let room = room.map_or(usize::MAX, |room| room.saturating_sub(2 * LEFT_OF_COMMAND));
        if cells(&all) <= room && self.depth <= MAX_LEVELS {
            return all;
        }
        let levels = room.saturating_sub(2) / 3;
        let cut: String = all
            .chars()
            .skip(all.chars().count().saturating_sub(levels.max(1) * 3))
            .collect();
        format!("{CUT} {cut}")
    }
}
