//! A summary in text and in JSON.

use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;

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
use super::{Met, Summary};
use crate::model::event::Timestamp;
use crate::order::loss::{Count, Missing};
use crate::text::clock::Clock;
use crate::text::json::Writer;

/// How many events a row of files names.
const NAMED: usize = 3;

/// A summary as it is at one time, on a page.
pub(super) struct View<'s> {
    summary: &'s Summary,
    lives: Lives,
    width: Option<usize>,
    /// Names of events by the ids of their rows.
    events: HashMap<u32, String>,
}

/// A row of a table with what is shown of its name.
struct Line<'s> {
    row: &'s Row,
    name: &'s [u8],
    shown: String,
    process: Option<&'s Process<Met>>,
    files: u64,
}

fn push_line(out: &mut Vec<u8>, line: &str) {
    out.extend_from_slice(line.as_bytes());
    out.push(b'\n');
}

impl<'s> View<'s> {
    pub(super) fn new(summary: &'s Summary, page: Page) -> View<'s> {
        let events = summary.by_event.iter();
        View {
            summary,
            lives: Lives::of(&summary.processes),
            width: page.width(),
            events: events.map(|(name, row)| (row.id, shown(name))).collect(),
        }
    }

    pub(super) fn push_text(&self, missing: &Missing, out: &mut Vec<u8>) {
        if self.summary.options.after_others {
            out.push(b'\n');
        }
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

    /// How many types of events there were.
    fn types(&self) -> u64 {
        let by_event = &self.summary.by_event;
        by_event.iter().count() as u64 + by_event.folded().names
    }

    /// Says that a table is not complete.
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

    /// The rows of a table in their order.
    fn lines(&self, by: By) -> Vec<Line<'s>> {
        let Some(table) = self.summary.table(by) else {
            return Vec::new();
        };
        let mut files: HashMap<&[u8], u64> = HashMap::new();
        if by == By::Folder
            && let Some(table) = self.summary.table(By::File)
        {
            for (name, _) in table.iter() {
                *files.entry(folder(name)).or_default() += 1;
            }
        }
        let line = |(name, row): (&'s [u8], &'s Row)| Line {
            row,
            name,
            shown: String::new(),
            process: None,
            files: files.get(name).copied().unwrap_or(0),
        };
        let mut lines: Vec<_> = table.iter().map(line).collect();
        if by == By::Process {
            for line in &mut lines {
                let place = line.name.try_into().map(usize::from_le_bytes).ok();
                line.process = place.and_then(|place| self.summary.processes.get(place));
                line.shown = line.process.map_or_else(String::new, |p| p.command(false));
            }
        }
        lines.sort_unstable_by(|a, b| self.compare(a, b));
        for line in &mut lines {
            if line.process.is_none() {
                line.shown = shown(line.name);
            }
        }
        lines
    }

    fn compare(&self, a: &Line<'_>, b: &Line<'_>) -> Ordering {
        let by_number = |key: fn(&Row) -> u64| Reverse(key(a.row)).cmp(&Reverse(key(b.row)));
        let by_name = || match (a.process, b.process) {
            (Some(one), Some(other)) => a
                .shown
                .cmp(&b.shown)
                .then_with(|| (one.pid, a.row.id).cmp(&(other.pid, b.row.id))),
            _ => a.name.cmp(b.name),
        };
        match self.summary.options.sort_by {
            SortBy::Events => by_number(|row| row.events),
            SortBy::Procs => by_number(|row| row.processes),
            SortBy::Failed => by_number(|row| row.failed),
            SortBy::First => a.row.times.first().cmp(&b.row.times.first()),
            SortBy::Last => b.row.times.last().cmp(&a.row.times.last()),
            SortBy::Name => Ordering::Equal,
        }
        .then_with(by_name)
    }

    fn push_table(&self, out: &mut Vec<u8>, by: By, clock: &mut Clock) {
        let lines = self.lines(by);
        let folded = self.summary.table(by).map(Table::folded);
        let folded = folded.unwrap_or_default();
        if lines.is_empty() {
            return;
        }
        let (top, rest) = match self.summary.options.top {
            Some(top) if top < lines.len() => lines.split_at(top),
            _ => (&lines[..], &[][..]),
        };
        let kinds = by.columns();
        let column = |kind: &Cell| kind.column();
        let mut columns = Columns::new(kinds.iter().map(column).collect(), by.head());
        let with_dates = self.is_longer_than_a_day();
        let mut cells_of = |line: &Line<'_>| -> Vec<String> {
            let text = |kind: &Cell| self.cell(*kind, line, with_dates, clock);
            kinds.iter().map(text).collect()
        };
        let rows: Vec<_> = top.iter().map(&mut cells_of).collect();
        let more = rest.len() as u64 + folded.names;
        let more_events = rest.iter().map(|line| line.row.events).sum::<u64>() + folded.events;
        let more_cells = kinds.iter().map(|kind| match kind {
            Cell::Events if kinds.contains(&Cell::Percent) => Count(more_events).to_string(),
            Cell::Percent => percent(more_events, self.summary.events),
            _ => String::new(),
        });
        let more_cells: Vec<_> = more_cells.collect();
        for texts in rows.iter().chain([&more_cells]) {
            columns.fit(texts);
        }
        let room = self
            .width
            .map(|width| width.saturating_sub(columns.indent()));
        let plain =
            |_: usize, text: &str, out: &mut Vec<u8>| out.extend_from_slice(text.as_bytes());
        out.push(b'\n');
        columns.push_head(out);
        for (line, texts) in top.iter().zip(&rows) {
            columns.push(out, texts, plain);
            push_line(out, &self.name(by, line, room));
        }
        if more > 0 {
            columns.push(out, &more_cells, plain);
            push_line(out, &format!("{} more", Count(more)));
        }
    }

    /// The name of a row in so much room, of a file with its events.
    fn name(&self, by: By, line: &Line<'_>, room: Option<usize>) -> String {
        let name = match by {
            By::Team if line.name.is_empty() => "-",
            _ => &line.shown,
        };
        let Some(room) = room else {
            return name.to_owned() + &self.events(by, &line.row.counts, NAMED);
        };
        match by {
            By::File => {
                // Two events stay; a third is named where there is room for it.
                let mut events = self.events(by, &line.row.counts, NAMED);
                if cells(name) + cells(&events) > room {
                    events = self.events(by, &line.row.counts, NAMED - 1);
                }
                cut_path(name, room.saturating_sub(cells(&events))) + &events
            }
            By::Program | By::Folder => cut_path(name, room),
            _ => cut(name, room),
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

    /// How many of each event, the most first.
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

    fn cell(&self, kind: Cell, line: &Line<'_>, with_dates: bool, clock: &mut Clock) -> String {
        let mut time = |time: Option<Timestamp>| {
            let text = time.map_or_else(String::new, |time| second(clock, time));
            match text.split_once(' ') {
                Some((_, time)) if !with_dates => time.to_owned(),
                _ => text,
            }
        };
        match kind {
            Cell::Events => Count(line.row.events).to_string(),
            Cell::Percent => percent(line.row.events, self.summary.events),
            Cell::Processes => Count(line.row.processes).to_string(),
            Cell::Failed if line.row.failed == 0 => String::new(),
            Cell::Failed => Count(line.row.failed).to_string(),
            Cell::Files => Count(line.files).to_string(),
            Cell::First => time(line.row.times.first()),
            Cell::Last => time(line.row.times.last()),
            Cell::Pid => line.process.map_or_else(String::new, |p| p.pid.to_string()),
            Cell::Exit => line.process.map_or_else(String::new, exit_of),
        }
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
        let lines = self.lines(by);
        json.key(&format!("by_{}", by.one()));
        json.array(|json| {
            for line in lines
                .iter()
                .take(self.summary.options.top.unwrap_or(usize::MAX))
            {
                json.element();
                json.object(|json| self.push_json_row(json, by, line, clock));
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
        match by {
            By::Process => {
                if let Some(process) = line.process {
                    json.number("pid", process.pid);
                    push_process(json, process, clock);
                }
            }
            By::User => json.number("euid", &line.shown),
            By::Team if line.name.is_empty() => json.null(by.one()),
            _ => json.string(by.one(), line.name),
        }
        json.number("events", row.events);
        for kind in by.columns() {
            match kind {
                Cell::Processes => json.number("processes", row.processes),
                Cell::Failed => json.number("failed", row.failed),
                Cell::Files => json.number("files", line.files),
                Cell::First => push_times(json, &row.times, clock),
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
