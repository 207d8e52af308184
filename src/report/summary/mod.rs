//! `-c`, `-C`: the numbers of events, by event, by program, by file and by whatever else is requested.

mod by;
mod lives;
mod print;
mod table;

use hashbrown::HashSet;

use super::counts::Times;
use super::page::{Look, Page};
use super::processes::Processes;
use super::words::event_name;
use crate::model::catalogue::COUNT;
use crate::model::event::EventType;
use crate::order::fact::{Asks, Fact, Life};
use crate::order::loss::Missing;
use crate::order::stage::{Stage, Verdict};
use print::View;
use table::{Ids, Row, Table};

use by::Cell;
pub use by::{By, SortBy};
use lives::Lives;

/// The options of a summary.
#[derive(Clone, Debug)]
pub struct Options {
    /// The tables, in their order.
    pub by: Vec<By>,
    /// The order of their rows.
    pub sort_by: SortBy,
    /// The maximum number of rows in each. None: all.
    pub top: Option<usize>,
    /// True if the events are shown, too.
    pub with_events: bool,
}

/// The number of pairs of a process and a name that are remembered before those of processes that are gone are forgotten.
const MAX_PAIRS: usize = 1 << 19;

/// The number of processes that are remembered, which is more than macOS has pids. A process that was forgotten stays
/// counted. If a late event of it comes, it is counted once more.
const MAX_PROCESSES: usize = 1 << 17;

/// The number of types of events that are counted by file; later ones are counted together.
const MAX_KINDS: usize = 1000;

/// The id for types that are counted together. No row has it: it is the last one to be assigned.
const OTHERS: u32 = u32::MAX;

/// The names that a process was counted with, by the ids of their rows.
#[derive(Debug, Default)]
struct Met {
    ids: HashSet<u32>,
    /// The place where the row of its program was last.
    program: u32,
    /// True if they have been forgotten, because the process went long ago.
    is_forgotten: bool,
    has_failed: bool,
}

/// The summary.
pub struct Summary {
    options: Options,
    look: Look,
    processes: Processes<Met>,
    /// The lives of the processes that were forgotten.
    lives: Lives,
    /// The number of processes that went first, whose names are forgotten.
    nameless: usize,
    /// The number of remembered pairs of a process and a name; `max_pairs` is the limit.
    pairs: usize,
    max_pairs: usize,
    events: u64,
    times: Times,
    ids: Ids,
    by_event: Table,
    /// The places where the rows of events were last, by their places in the catalogue.
    known: [u32; COUNT],
    tables: Vec<(By, Table)>,
}

impl Summary {
    /// Creates an empty summary.
    pub fn new(options: Options, look: Look) -> Summary {
        let mut kept: Vec<By> = options.by.clone();
        if kept.contains(&By::Folder) && !kept.contains(&By::File) {
            // The files of a folder are counted in that table.
            kept.push(By::File);
        }
        kept.retain(|by| *by != By::Event);
        let max_processes = if kept.contains(&By::Process) {
            // Each may have a row of its own.
            usize::MAX
        } else {
            MAX_PROCESSES
        };
        Summary {
            tables: kept.into_iter().map(|by| (by, Table::default())).collect(),
            options,
            look,
            processes: Processes::new(max_processes),
            lives: Lives::default(),
            nameless: 0,
            pairs: 0,
            max_pairs: MAX_PAIRS,
            events: 0,
            times: Times::default(),
            ids: Ids::default(),
            by_event: Table::default(),
            known: [0; COUNT],
        }
    }

    fn count(&mut self, fact: &Fact<'_>, process: Option<usize>) {
        self.events += 1;
        let time = fact.time;
        self.times.add(time);
        let mut met = process
            .and_then(|place| self.processes.get_mut(place))
            .map(|process| &mut process.data);
        let mut program = met.as_ref().map_or(0, |met| met.program);
        let mut pairs = 0;
        let sorts_by_time = matches!(self.options.sort_by, SortBy::First | SortBy::Last);
        let mut count = |by: By, row: &mut Row| {
            row.events += 1;
            if sorts_by_time || by.columns().contains(&Cell::First) {
                row.add_time(time);
            }
            if let Some(met) = &mut met
                && !met.is_forgotten
                && met.ids.insert(row.id)
            {
                row.processes += 1;
                pairs += 1;
            }
            row.id
        };
        let name = event_name(&fact.event);
        let hint = match fact.event {
            EventType::Known(row) => &mut self.known[row.index()],
            EventType::Unknown { .. } => &mut 0,
        };
        let event = count(By::Event, self.by_event.row(&name, hint, &mut self.ids));
        let kind = if self.by_event.rows().len() > MAX_KINDS {
            OTHERS
        } else {
            event
        };
        for (by, table) in &mut self.tables {
            by.names(fact, process, &mut |name| {
                let hint = match by {
                    By::Program => &mut program,
                    _ => &mut 0,
                };
                let row = table.row(name, hint, &mut self.ids);
                count(*by, row);
                if *by == By::File {
                    row.counts.add(kind);
                }
            });
        }
        if let Some(met) = met {
            met.program = program;
        }
        self.pairs += pairs;
        self.keep_bounds();
    }

    /// Notes the end of a process.
    fn exit(&mut self, fact: &Fact<'_>, place: usize) {
        let Some(process) = self.processes.get_mut(place) else {
            return;
        };
        let is_failure = process.end.is_some_and(|end| end.is_failure());
        if !is_failure || std::mem::replace(&mut process.data.has_failed, true) {
            return;
        }
        let met = &process.data.ids;
        for (by, table) in &mut self.tables {
            if by.counts_failed() {
                by.names(fact, Some(place), &mut |name| {
                    // Possibly nothing that it did with this name was shown.
                    if let Some(row) = table.known(name).filter(|row| met.contains(&row.id)) {
                        row.failed += 1;
                    }
                });
            }
        }
    }

    /// Folds names together and forgets the names of processes that are gone, if there are too many.
    fn keep_bounds(&mut self) {
        let tables = self.tables.iter_mut().map(|(_, table)| table);
        for table in tables.chain([&mut self.by_event]) {
            if table.is_full() {
                let gone = table.fold();
                for process in self.processes.iter_mut() {
                    process.data.ids.retain(|id| !gone.contains(id));
                }
                let left = self.processes.iter().map(|process| process.data.ids.len());
                self.pairs = left.sum();
            }
        }
        while self.pairs > self.max_pairs
            && let Some(place) = self.processes.gone(self.nameless)
            && let Some(process) = self.processes.get_mut(place)
        {
            let ids = std::mem::take(&mut process.data.ids);
            process.data.is_forgotten = true;
            self.nameless += 1;
            self.pairs -= ids.len();
        }
    }

    /// The lives of all processes.
    fn lives(&self) -> Lives {
        let mut lives = self.lives;
        for process in self.processes.iter() {
            lives.add(process);
        }
        lives
    }

    fn table(&self, by: By) -> Option<&Table> {
        if by == By::Event {
            return Some(&self.by_event);
        }
        let table = self.tables.iter().find(|(own, _)| *own == by);
        table.map(|(_, table)| table)
    }

    fn write(&self, missing: &Missing, page: Page, out: &mut Vec<u8>) {
        let view = View::new(self, page);
        if self.look.json {
            let start = out.len();
            view.push_json(missing, out);
            page.make_json_safe(out, start);
        } else {
            view.push_text(missing, out);
        }
    }
}

impl Stage for Summary {
    fn asks(&self) -> Asks {
        let asks = self.tables.iter().map(|(by, _)| by.asks());
        asks.fold(Asks::empty(), |asks, more| asks | more)
    }

    fn replaces_events(&self) -> bool {
        !self.options.with_events
    }

    fn event(&mut self, fact: &Fact<'_>, shown: bool, _: &mut Vec<u8>) -> Verdict {
        let process = self.processes.observe(fact, shown);
        for forgotten in self.processes.take_forgotten() {
            self.lives.add(&forgotten);
            self.pairs -= forgotten.data.ids.len();
            let is_nameless = forgotten.is_gone && forgotten.data.is_forgotten;
            self.nameless -= usize::from(is_nameless);
        }
        if shown {
            self.count(fact, process);
        }
        if let (Life::Exit(_), Some(place)) = (&fact.life, process) {
            self.exit(fact, place);
        }
        match (shown, self.options.with_events) {
            (false, _) => Verdict::Hide,
            (true, false) => Verdict::Replace,
            (true, true) => Verdict::Show,
        }
    }

    fn reports(&self) -> bool {
        true
    }

    fn report(&mut self, missing: &Missing, out: &mut Vec<u8>) {
        self.write(missing, self.look.meanwhile, out);
        self.look.push_end(out);
    }

    fn end(&mut self, missing: &Missing, out: &mut Vec<u8>) {
        self.look.push_gap(out, self.events > 0);
        self.write(missing, self.look.end, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::fact::{Chosen, Facts, Written};
    use crate::source::recording::Decoder;
    use crate::text::json::Scanner;

    fn summary() -> Summary {
        let page = Page {
            terminal: None,
            palette: crate::format::Palette(false),
        };
        let options = Options {
            by: vec![By::File],
            sort_by: SortBy::Events,
            top: Some(2),
            with_events: false,
        };
        let look = Look {
            json: false,
            utc: true,
            is_set_off: false,
            end: page,
            meanwhile: page,
        };
        Summary::new(options, look)
    }

    /// Shows the summary a process that opens a file or, without one, exits.
    fn see(summary: &mut Summary, pid: u32, path: Option<&str>) {
        let event = path.map_or_else(
            || r#"{"exit":{"stat":0}}"#.to_owned(),
            |path| format!(r#"{{"open":{{"file":{{"path":"{path}","path_truncated":false}}}}}}"#),
        );
        see_event(summary, pid, &event);
    }

    fn see_event(summary: &mut Summary, pid: u32, event: &str) {
        let process = format!(r#"{{"audit_token":{{"pid":{pid}}}}}"#);
        let text = format!(r#"{{"event":{event},"process":{process}}}"#);
        let arena = bumpalo::Bump::new();
        let mut scanner = Scanner::new(text.as_bytes(), 0);
        let message = Decoder::default().message(&mut scanner, &arena);
        let event = message.expect("a message").event;
        let mut facts = Facts::default();
        let written = Written {
            selected: true,
            hidden: false,
            chosen: Chosen::PROCESS,
            time_at: 0,
            text_end: 0,
            record_end: 0,
        };
        facts.push(&event, summary.asks(), written);
        for (fact, _) in facts.iter(&[], &[]) {
            summary.event(&fact, true, &mut Vec::new());
        }
    }

    fn files(summary: &Summary) -> Vec<(Vec<u8>, u64, u32)> {
        let table = summary.table(By::File).expect("a table");
        let row = |row: &Row| (row.name.to_vec(), row.events, row.processes);
        let mut rows: Vec<_> = table.rows().iter().map(row).collect();
        rows.sort();
        rows
    }

    #[test]
    fn what_ended_processes_met_is_forgotten_where_there_is_too_much() {
        let mut summary = summary();
        summary.max_pairs = 4;
        see(&mut summary, 1, Some("/a"));
        see(&mut summary, 1, Some("/b"));
        see(&mut summary, 1, None);
        // It is remembered as long as there is room, and isn't counted again.
        see(&mut summary, 1, Some("/a"));
        assert_eq!(summary.pairs, 4);
        see(&mut summary, 2, Some("/a"));
        assert_eq!(summary.pairs, 2);
        // After that it isn't counted any more.
        see(&mut summary, 1, Some("/c"));
        see(&mut summary, 2, Some("/a"));
        assert_eq!(
            files(&summary),
            [
                (b"/a".to_vec(), 4, 2),
                (b"/b".to_vec(), 1, 1),
                (b"/c".to_vec(), 1, 0)
            ]
        );
        // Running processes are always remembered.
        see(&mut summary, 2, Some("/b"));
        see(&mut summary, 2, Some("/c"));
        see(&mut summary, 2, Some("/d"));
        assert_eq!(summary.pairs, 5);
    }

    /// The numbers of processes that are remembered, were seen, started and ended.
    fn numbers(summary: &Summary) -> (usize, u64, u64, u64) {
        let lives = summary.lives();
        let remembered = summary.processes.iter().count();
        (remembered, lives.seen, lives.started, lives.ended)
    }

    #[test]
    fn processes_that_went_long_ago_are_counted_but_not_remembered() {
        let mut summary = summary();
        summary.processes = Processes::new(3);
        for pid in 1..=10 {
            see(&mut summary, pid, Some("/a"));
            see(&mut summary, pid, None);
        }
        assert_eq!(numbers(&summary), (3, 10, 0, 10));
        assert_eq!(files(&summary), [(b"/a".to_vec(), 10, 10)]);
        // Those that are remembered aren't counted again.
        for pid in 8..=10 {
            see(&mut summary, pid, Some("/a"));
        }
        assert_eq!(numbers(&summary), (3, 10, 0, 10));
        // Events without any process that is gone: no more pids can be in use at a time than are remembered.
        for pid in 11..=20 {
            see(&mut summary, pid, Some("/b"));
        }
        assert_eq!(numbers(&summary), (3, 20, 0, 10));
        // Each is counted with the file and with the event.
        assert_eq!(summary.pairs, 6);
    }

    #[test]
    fn a_parent_is_not_forgotten_for_its_child() {
        let mut summary = summary();
        summary.processes = Processes::new(2);
        see(&mut summary, 1, None);
        for child in 2..=9 {
            let fork = format!(r#"{{"fork":{{"child":{{"audit_token":{{"pid":{child}}}}}}}}}"#);
            see_event(&mut summary, 1, &fork);
            see(&mut summary, child, None);
        }
        assert_eq!(numbers(&summary), (2, 9, 8, 9));
    }

    #[test]
    fn names_are_forgotten_in_the_order_in_which_processes_went() {
        let mut summary = summary();
        summary.processes = Processes::new(4);
        summary.max_pairs = 6;
        for pid in 1..=100 {
            see(&mut summary, pid, Some("/a"));
            see(&mut summary, pid, None);
            assert!(summary.pairs <= 6 && summary.nameless < 4);
        }
        assert_eq!(numbers(&summary), (4, 100, 0, 100));
        assert_eq!(files(&summary), [(b"/a".to_vec(), 100, 100)]);
    }
}
