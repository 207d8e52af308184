//! A summary in text and in JSON.

use std::cmp::{Ordering, Reverse};

use hashbrown::HashMap;

use super::super::columns::Columns;
use super::super::counts::Counts;
use super::super::figures::{
    CUT, Span, cells, counted, cut, cut_path, nanos_between, percent, rate,
};
use super::super::page::Page;
use super::super::processes::Process;
use super::super::words::{
    exit_of, missing_of, push_process, push_seconds, push_times, second, shown,
};
use super::by::{By, Cell, SortBy, folder};
use super::lives::Lives;
use super::table::{LIMIT, Row, Table};
use super::{Met, OTHERS, Summary};
use crate::model::event::Timestamp;
use crate::order::loss::{Count, Missing};
use crate::text::clock::Clock;
use crate::text::json::Writer;

/// The number of events that a row of files names.
const NAMED: usize = 3;

/// A summary at one time, on a page.
pub(super) struct View<'s> {
    summary: &'s Summary,
    lives: Lives,
    width: Option<usize>,
    /// Names of events by the ids of their rows.
    events: HashMap<u32, String>,
}

/// A row of a table.
struct Line<'s> {
    row: &'s Row,
    /// The process and its command, if the names are processes.
    process: Option<Box<(&'s Process<Met>, String)>>,
}

/// The rows of a table that are shown, in their order.
struct Top<'s> {
    lines: Vec<Line<'s>>,
    /// The number of further names.
    more: u64,
    /// The number of their events.
    more_events: u64,
}

fn push_line(out: &mut Vec<u8>, line: &str) {
    out.extend_from_slice(line.as_bytes());
    out.push(b'\n');
}

impl<'s> View<'s> {
    pub(super) fn new(summary: &'s Summary, page: Page) -> View<'s> {
        let events = summary.by_event.rows().iter();
        View {
            summary,
            lives: summary.lives(),
            width: page.width(),
            events: events
                .map(|row| (row.id, shown(&row.name)))
                .chain([(OTHERS, "others".to_owned())])
                .collect(),
        }
    }

    pub(super) fn push_text(&self, missing: &Missing, out: &mut Vec<u8>) {
        let mut clock = Clock::new(self.summary.look.utc);
        push_line(out, &self.head(missing, &mut clock));
        if let Some(lives) = self.lives.line() {
            push_line(out, &lives);
        }
        let by = &self.summary.options.by;
        for line in by.iter().filter_map(|by| self.fold_note(*by)) {
            push_line(out, &line);
        }
        for by in by {
            self.push_table(out, *by, &mut clock);
        }
    }

    /// `499 events of 71 types, 80 processes, in 59:01 (2026-03-14 09:00:02 to 09:59:03), 0.14 a second; none missing`
    fn head(&self, missing: &Missing, clock: &mut Clock) -> String {
        let Summary { events, times, .. } = self.summary;
        let mut parts = vec![counted(*events, "event", "events")];
        if *events > 0 {
            parts[0] += " of ";
            parts[0] += &counted(self.types(), "type", "types");
            parts.push(counted(self.lives.seen, "process", "processes"));
        }
        if let (Some(first), Some(last)) = (times.first(), times.last()) {
            let nanos = nanos_between(first, last);
            let (from, to) = (second(clock, first), second(clock, last));
            if nanos > 0 {
                let to = match to.split_once(' ') {
                    Some((date, time)) if from.starts_with(date) => time.to_owned(),
                    _ => to,
                };
                parts.push(format!("in {} ({from} to {to})", Span(nanos)));
                parts.push(rate(*events, nanos) + " a second");
            } else {
                parts.push("at ".to_owned() + &from);
            }
        }
        parts.join(", ") + "; " + &missing_of(missing)
    }

    /// The number of types of events.
    fn types(&self) -> u64 {
        let by_event = &self.summary.by_event;
        by_event.rows().len() as u64 + by_event.folded().names
    }

    /// Returns a note that a table is not complete, if it isn't.
    fn fold_note(&self, by: By) -> Option<String> {
        let folded = self.summary.table(by)?.folded();
        (folded.names > 0).then(|| {
            format!(
                "more than {} {}: the rarest are only in \"more\", and a count may be too low by {}",
                Count(LIMIT as u64),
                by.many(),
                Count(folded.error)
            )
        })
    }

    /// The first rows of a table, as many as requested.
    fn top(&self, by: By) -> Option<Top<'s>> {
        let table = self.summary.table(by)?;
        let process = |name: &[u8]| {
            let place = name.try_into().map(usize::from_le_bytes).ok();
            let process = self.summary.processes.get(place?)?;
            Some(Box::new((process, process.command(false))))
        };
        let line = |row: &'s Row| Line {
            row,
            process: (by == By::Process).then(|| process(&row.name)).flatten(),
        };
        let mut lines: Vec<_> = table.rows().iter().map(line).collect();
        let folded = table.folded();
        let mut top = Top {
            lines: Vec::new(),
            more: folded.names,
            more_events: folded.events,
        };
        if let Some(count) = self.summary.options.top
            && count < lines.len()
        {
            lines.select_nth_unstable_by(count, |a, b| self.compare(a, b));
            top.more += (lines.len() - count) as u64;
            let events = lines[count..].iter().map(|line| line.row.events);
            top.more_events += events.sum::<u64>();
            lines.truncate(count);
        }
        lines.sort_unstable_by(|a, b| self.compare(a, b));
        top.lines = lines;
        (!top.lines.is_empty()).then_some(top)
    }

    /// The number of files directly in each folder.
    fn files(&self) -> HashMap<&'s [u8], u64> {
        let mut files = HashMap::new();
        if let Some(table) = self.summary.table(By::File) {
            for row in table.rows() {
                *files.entry(folder(&row.name)).or_default() += 1;
            }
        }
        files
    }

    fn compare(&self, a: &Line<'_>, b: &Line<'_>) -> Ordering {
        let by_number = |key: fn(&Row) -> u64| key(b.row).cmp(&key(a.row));
        let by_name = || match (a.process.as_deref(), b.process.as_deref()) {
            (Some((one, command)), Some((other, others))) => command
                .cmp(others)
                .then_with(|| (one.pid, a.row.id).cmp(&(other.pid, b.row.id))),
            _ => a.row.name.cmp(&b.row.name),
        };
        match self.summary.options.sort_by {
            SortBy::Events => by_number(|row| row.events),
            SortBy::Procs => by_number(|row| row.processes.into()),
            SortBy::Failed => by_number(|row| row.failed.into()),
            SortBy::First => a.row.times().first().cmp(&b.row.times().first()),
            SortBy::Last => b.row.times().last().cmp(&a.row.times().last()),
            SortBy::Name => Ordering::Equal,
        }
        .then_with(by_name)
    }

    fn push_table(&self, out: &mut Vec<u8>, by: By, clock: &mut Clock) {
        let Some(top) = self.top(by) else {
            return;
        };
        let kinds = by.columns();
        let column = |kind: &Cell| kind.column();
        let mut columns = Columns::new(kinds.iter().map(column).collect(), by.head());
        let mut cells = Cells {
            files: if by == By::Folder {
                self.files()
            } else {
                HashMap::new()
            },
            events: self.summary.events,
            with_dates: self.is_longer_than_a_day(),
            clock,
        };
        for line in &top.lines {
            columns.fit(&cells.of(kinds, line));
        }
        let more = cells.of_more(kinds, top.more_events);
        columns.fit(&more);
        let room = self
            .width
            .map(|width| width.saturating_sub(columns.indent()));
        let plain =
            |_: usize, text: &str, out: &mut Vec<u8>| out.extend_from_slice(text.as_bytes());
        out.push(b'\n');
        columns.push_head(out);
        for line in &top.lines {
            columns.push(out, &cells.of(kinds, line), plain);
            push_line(out, &self.name(by, line, room));
        }
        if top.more > 0 {
            columns.push(out, &more, plain);
            push_line(out, &format!("{} more", Count(top.more)));
        }
    }

    /// The name of a row, cut to fit the room. A file is followed by its events.
    fn name(&self, by: By, line: &Line<'_>, room: Option<usize>) -> String {
        let name = match (line.process.as_deref(), by) {
            (Some((_, command)), _) => command.clone(),
            (None, By::Team) if line.row.name.is_empty() => "-".to_owned(),
            (None, _) => shown(&line.row.name),
        };
        let Some(room) = room else {
            return name + &self.events(by, &line.row.counts, NAMED);
        };
        match by {
            By::File => {
                // Two events always stay; a third is named if there is room for it.
                let mut events = self.events(by, &line.row.counts, NAMED);
                if cells(&name) + cells(&events) > room {
                    events = self.events(by, &line.row.counts, NAMED - 1);
                }
                cut_path(&name, room.saturating_sub(cells(&events))) + &events
            }
            By::Program | By::Folder => cut_path(&name, room),
            _ => cut(&name, room),
        }
    }

    /// `  [close 5, open 5, stat 2, …]`
    fn events(&self, by: By, counts: &Counts, named: usize) -> String {
        if by != By::File {
            return String::new();
        }
        let all = self.events_of(counts);
        let mut parts: Vec<_> = all
            .iter()
            .take(named)
            .map(|(name, count)| format!("{name} {}", Count(*count)))
            .collect();
        if all.len() > named {
            parts.push(CUT.to_owned());
        }
        format!("  [{}]", parts.join(", "))
    }

    /// The number of each event, the largest first.
    fn events_of(&self, counts: &Counts) -> Vec<(&str, u64)> {
        let name = |id| self.events.get(&id).map_or(CUT, String::as_str);
        let mut all: Vec<_> = counts.iter().map(|(id, count)| (name(id), count)).collect();
        all.sort_unstable_by_key(|(name, count)| (Reverse(*count), *name));
        all
    }

    fn is_longer_than_a_day(&self) -> bool {
        const DAY: i128 = 24 * 3600 * 1_000_000_000;
        let times = &self.summary.times;
        let span = times.first().zip(times.last());
        span.is_some_and(|(first, last)| nanos_between(first, last) > DAY)
    }

    pub(super) fn push_json(&self, missing: &Missing, out: &mut Vec<u8>) {
        let summary = self.summary;
        let mut clock = Clock::new(true);
        let mut json = Writer::new(out);
        json.object(|json| {
            json.number("events", summary.events);
            json.number("types", self.types());
            push_times(json, &summary.times, &mut clock);
            if let (Some(first), Some(last)) = (summary.times.first(), summary.times.last()) {
                push_seconds(json, "seconds", first, last);
            }
            json.key("processes");
            json.object(|json| {
                json.number("seen", self.lives.seen);
                json.number("started", self.lives.started);
                json.number("ended", self.lives.ended);
                json.number("status", self.lives.with_status);
                json.number("signal", self.lives.by_signal);
            });
            json.key("missing");
            json.object(|json| {
                for (event, count) in &missing.by_event {
                    json.number(event, count);
                }
                if missing.of_unknown_type > 0 {
                    json.number("unknown", missing.of_unknown_type);
                }
            });
            for by in &summary.options.by {
                self.push_json_table(json, *by, &mut clock);
            }
        });
        out.push(b'\n');
    }

    fn push_json_table(&self, json: &mut Writer<'_>, by: By, clock: &mut Clock) {
        let top = self.top(by);
        let files = if by == By::Folder {
            self.files()
        } else {
            HashMap::new()
        };
        json.key(&format!("by_{}", by.one()));
        json.array(|json| {
            for line in top.iter().flat_map(|top| &top.lines) {
                json.element();
                json.object(|json| {
                    self.push_json_row(json, by, line, clock);
                    if let Some(files) = files.get(&*line.row.name) {
                        json.number("files", files);
                    }
                });
            }
        });
        let folded = self.summary.table(by).map(Table::folded);
        if let Some(folded) = folded.filter(|folded| folded.names > 0) {
            json.key(&format!("folded_{}", by.one()));
            json.object(|json| {
                json.number("names", folded.names);
                json.number("events", folded.events);
                json.number("error", folded.error);
            });
        }
    }

    fn push_json_row(&self, json: &mut Writer<'_>, by: By, line: &Line<'_>, clock: &mut Clock) {
        let row = line.row;
        match (line.process.as_deref(), by) {
            (Some((process, _)), _) => {
                json.number("pid", process.pid);
                push_process(json, process, clock);
            }
            (None, By::User) => json.number("euid", shown(&line.row.name)),
            (None, By::Team) if line.row.name.is_empty() => json.null(by.one()),
            (None, _) => json.string(by.one(), &line.row.name),
        }
        json.number("events", row.events);
        for kind in by.columns() {
            match kind {
                Cell::Processes => json.number("processes", row.processes),
                Cell::Failed => json.number("failed", row.failed),
                Cell::First => push_times(json, &row.times(), clock),
                _ => {}
            }
        }
        if by == By::File {
            json.key("by_event");
            json.object(|json| {
                for (event, count) in self.events_of(&row.counts) {
                    json.number(event, count);
                }
            });
        }
    }
}

/// Makes the cells of rows.
struct Cells<'s, 'c> {
    files: HashMap<&'s [u8], u64>,
    /// The total number of events.
    events: u64,
    with_dates: bool,
    clock: &'c mut Clock,
}

impl Cells<'_, '_> {
    fn of(&mut self, kinds: &[Cell], line: &Line<'_>) -> Vec<String> {
        kinds.iter().map(|kind| self.cell(*kind, line)).collect()
    }

    /// The cells for the rest that isn't shown one by one, with its number of events.
    fn of_more(&self, kinds: &[Cell], events: u64) -> Vec<String> {
        let cell = |kind: &Cell| match kind {
            Cell::Events if kinds.contains(&Cell::Percent) => Count(events).to_string(),
            Cell::Percent => percent(events, self.events),
            _ => String::new(),
        };
        kinds.iter().map(cell).collect()
    }

    fn cell(&mut self, kind: Cell, line: &Line<'_>) -> String {
        let row = line.row;
        let process = line.process.as_deref().map(|(process, _)| process);
        match kind {
            Cell::Events => Count(row.events).to_string(),
            Cell::Percent => percent(row.events, self.events),
            Cell::Processes => Count(row.processes.into()).to_string(),
            Cell::Failed if row.failed == 0 => String::new(),
            Cell::Failed => Count(row.failed.into()).to_string(),
            Cell::Files => Count(self.files.get(&*line.row.name).copied().unwrap_or(0)).to_string(),
            Cell::First => self.time(row.times().first()),
            Cell::Last => self.time(row.times().last()),
            Cell::Pid => process.map_or_else(String::new, |process| process.pid.to_string()),
            Cell::Exit => process.map_or_else(String::new, |process| exit_of(process)),
        }
    }

    fn time(&mut self, time: Option<Timestamp>) -> String {
        let text = time.map_or_else(String::new, |time| second(self.clock, time));
        match text.split_once(' ') {
            Some((_, time)) if !self.with_dates => time.to_owned(),
            _ => text,
        }
    }
}
