//! Missing events: gaps in the sequence numbers of a source.
//!
//! A client of EndpointSecurity counts the messages of each type (`seq_num`) and of all types
//! (`global_seq_num`) that were meant for it. A message that macOS had to drop leaves a gap in both. A message
//! of a type that was filtered out afterwards leaves a gap in the second only, which is why the first decides.
//!
//! Lines of a recording may have been put into another order: a number that comes late fills its gap, and a number that
//! comes twice has no effect. A number that is neither belongs to another stream: that of another client, later in the
//! same recording. Sources from which all messages come give them in order.
//!
//! A [`Tally`] collects the numbers as messages are decoded, also by several threads, each with its own piece of the
//! stream; [`Losses`] puts the pieces together in their order.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::exit::{Exit, warn};
use crate::model::catalogue::{self, COUNT, ROWS, Row};
use crate::model::event::{EventType, Text, Timestamp};
use crate::text::escape;

/// The minimum time between two reports of losses.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// The number of types that a report names while a trace goes on.
const NAMED: usize = 5;

/// The number of types of events unknown to this build that are counted: a damaged recording can have any number.
const MAX_UNKNOWN: usize = 256;

/// The maximum length of the name of such an event, in bytes: the names that are counted stay in memory.
const MAX_NAME: usize = 256;

/// The place of `write` in the catalogue.
static WRITE: LazyLock<Option<usize>> =
    LazyLock::new(|| catalogue::by_name(b"write").map(Row::index));

/// Successive numbers of one counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Run {
    first: u64,
    /// The number after the last; 0 before the first has come.
    next: u64,
    missing: u64,
}

impl Run {
    fn of(number: u64) -> Run {
        Run {
            first: number,
            next: number.saturating_add(1),
            missing: 0,
        }
    }

    /// Returns true if the number continues the run.
    fn takes(&self, number: Option<u64>) -> bool {
        number.is_none_or(|number| number >= self.next)
    }

    /// Appends a number that continues the run.
    fn push(&mut self, number: Option<u64>) {
        if let Some(number) = number {
            self.append(Run::of(number), false);
        }
    }

    /// Appends a run that begins at `next` or later, and returns the number of messages missing in between.
    fn append(&mut self, run: Run, from_zero: bool) -> u64 {
        if self.next == 0 && !from_zero {
            self.first = run.first;
            self.next = run.first;
        }
        let missing = (run.first - self.next).saturating_add(run.missing);
        self.next = run.next;
        self.missing = self.missing.saturating_add(missing);
        missing
    }
}

/// A counter.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Counter {
    /// The counter of messages of all types.
    Global,
    /// The counter of an event's type, by its place in the catalogue. That of messages that ask for an answer comes
    /// [`COUNT`] later.
    Known(usize),
    /// The counter of a type that the catalogue lacks: its name, and true if its messages ask for an answer.
    Unknown(Vec<u8>, bool),
}

impl Counter {
    /// The counter of an event's type; None for a name that only a damaged recording has.
    fn of(event_type: EventType<'_>, is_auth: bool) -> Option<Counter> {
        match event_type {
            EventType::Known(row) => Some(Counter::Known(place(row, is_auth))),
            EventType::Unknown { name, .. } => {
                let name = name.bytes();
                (name.len() <= MAX_NAME).then(|| Counter::Unknown(name.into_owned(), is_auth))
            }
        }
    }
}

/// The place of the counter of an event's type. `es_event_type_t` has one number for messages that ask for an answer
/// and another for those that report what has been done, and macOS counts by number.
fn place(row: &Row, is_auth: bool) -> usize {
    row.index() + if is_auth { COUNT } else { 0 }
}

/// All counters of a stream.
#[derive(Debug)]
struct Counters {
    global: Run,
    known: [Run; 2 * COUNT],
    unknown: HashMap<(Vec<u8>, bool), Run>,
}

impl Counters {
    fn new() -> Counters {
        Counters {
            global: Run::default(),
            known: [Run::default(); 2 * COUNT],
            unknown: HashMap::new(),
        }
    }

    /// The run of a counter; None if there are too many already.
    fn run(&mut self, counter: &Counter) -> Option<&mut Run> {
        match counter {
            Counter::Global => Some(&mut self.global),
            Counter::Known(index) => self.known.get_mut(*index),
            Counter::Unknown(name, is_auth) => {
                let key = (name.clone(), *is_auth);
                if self.unknown.len() == MAX_UNKNOWN && !self.unknown.contains_key(&key) {
                    return None;
                }
                Some(self.unknown.entry(key).or_default())
            }
        }
    }

    /// Returns true if a run of this counter that begins with `first` continues the stream.
    fn goes_on(&mut self, counter: &Counter, first: u64) -> bool {
        self.run(counter).is_none_or(|run| first >= run.next)
    }

    /// Every run, with its counter.
    fn runs(&self) -> impl Iterator<Item = (Counter, Run)> {
        let known = self.known.iter().enumerate();
        let known = known.map(|(index, run)| (Counter::Known(index), *run));
        let unknown = self.unknown.iter();
        let unknown =
            unknown.map(|((name, is_auth), run)| (Counter::Unknown(name.clone(), *is_auth), *run));
        std::iter::once((Counter::Global, self.global))
            .chain(known)
            .chain(unknown)
    }
}

/// The numbers of a piece of a stream.
#[derive(Debug)]
pub struct Stretch(Messages);

#[derive(Debug)]
enum Messages {
    /// The counters of messages in order, and the number of messages.
    InOrder(Vec<(Counter, Run)>, u64),
    /// The numbers of each message by itself.
    Each(Vec<Numbers>),
}

/// The numbers of a message.
#[derive(Debug)]
struct Numbers {
    counter: Counter,
    seq_num: u64,
    global_seq_num: Option<u64>,
    time: Option<Timestamp>,
}

/// Takes the numbers of the messages of a piece.
#[derive(Debug)]
pub struct Tally {
    counters: Counters,
    messages: u64,
    stretches: Vec<Stretch>,
    /// The numbers of messages that may not be in order.
    each: Vec<Numbers>,
}

impl Default for Tally {
    fn default() -> Self {
        Tally::new()
    }
}

impl Tally {
    /// Creates an empty tally.
    pub fn new() -> Tally {
        Tally {
            counters: Counters::new(),
            messages: 0,
            stretches: Vec::new(),
            each: Vec::new(),
        }
    }

    /// Notes the numbers of the next message of a recording, which may have been put into another order.
    pub fn note(
        &mut self,
        event_type: EventType<'_>,
        is_auth: bool,
        seq_num: Option<u64>,
        global_seq_num: Option<u64>,
        time: Option<Timestamp>,
    ) {
        if let (Some(seq_num), Some(counter)) = (seq_num, Counter::of(event_type, is_auth)) {
            self.each.push(Numbers {
                counter,
                seq_num,
                global_seq_num,
                time,
            });
        }
    }

    /// Notes the numbers of the next message: its `seq_num`, which counts the messages of its event that ask for an
    /// answer, or those that don't, and its `global_seq_num`.
    pub fn observe(
        &mut self,
        event_type: EventType<'_>,
        is_auth: bool,
        seq_num: Option<u64>,
        global_seq_num: Option<u64>,
    ) {
        if let EventType::Known(row) = event_type {
            // Nearly every message continues the stream, at the place of its row.
            let Counters { global, known, .. } = &mut self.counters;
            let run = &mut known[place(row, is_auth)];
            if run.takes(seq_num) && global.takes(global_seq_num) {
                run.push(seq_num);
                global.push(global_seq_num);
                self.messages += u64::from(seq_num.is_some());
                return;
            }
        }
        let numbers = [
            (Counter::of(event_type, is_auth), seq_num),
            (Some(Counter::Global), global_seq_num),
        ];
        let numbers = numbers
            .iter()
            .filter_map(|(counter, number)| Some((counter.as_ref()?, (*number)?)));
        if numbers
            .clone()
            .any(|(counter, number)| !self.counters.goes_on(counter, number))
        {
            self.end_stretch();
        }
        for (counter, number) in numbers {
            if let Some(run) = self.counters.run(counter) {
                run.append(Run::of(number), false);
            }
        }
        self.messages += u64::from(seq_num.is_some());
    }

    /// Returns the numbers that have been noted, and begins a new piece.
    pub fn take(&mut self) -> Vec<Stretch> {
        self.end_stretch();
        if !self.each.is_empty() {
            self.stretches
                .push(Stretch(Messages::Each(std::mem::take(&mut self.each))));
        }
        std::mem::take(&mut self.stretches)
    }

    fn end_stretch(&mut self) {
        let counters = std::mem::replace(&mut self.counters, Counters::new());
        let runs: Vec<_> = counters.runs().filter(|(_, run)| run.next > 0).collect();
        if !runs.is_empty() {
            let messages = std::mem::take(&mut self.messages);
            self.stretches
                .push(Stretch(Messages::InOrder(runs, messages)));
        }
    }
}

/// The number of gaps of a type that late numbers may still fill.
const MAX_GAPS: usize = 1024;

/// The time by which a late message may have happened after the one with the highest number of its type, in
/// nanoseconds: the clock is read before macOS counts.
const SLACK: i128 = 100_000_000;

/// The relation of a number to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is higher than all.
    Next,
    /// It is one that was missing.
    Late,
    /// It has come before.
    Twice,
    /// It belongs to another stream.
    OtherStream,
}

/// Numbers that haven't come, although higher ones have.
#[derive(Clone, Copy, Debug)]
struct Gap {
    start: u64,
    end: u64,
    /// True if they are missing. Numbers before the first that came may have been left out.
    is_missing: bool,
}

/// The numbers of a type in a recording, which may come in any order.
#[derive(Debug, Default)]
struct Order {
    /// The number after the highest; 0 before any has come.
    next: u64,
    first: u64,
    /// The numbers among all types of the messages with the lowest and the highest number.
    first_global: Option<u64>,
    last_global: Option<u64>,
    /// The time of the message with the highest number, in nanoseconds.
    last_time: Option<i128>,
    /// The gaps, in the order of their numbers.
    gaps: Vec<Gap>,
}

impl Order {
    fn verdict(&self, numbers: &Numbers, is_ahead: bool) -> Verdict {
        let Numbers {
            seq_num,
            global_seq_num: global,
            ..
        } = *numbers;
        if self.next == 0 {
            return Verdict::Next;
        }
        // Unknown numbers contradict nothing.
        let is_after =
            |other: Option<u64>| !matches!((global, other), (Some(a), Some(b)) if a <= b);
        let is_before =
            |other: Option<u64>| !matches!((global, other), (Some(a), Some(b)) if a >= b);
        if seq_num >= self.next {
            return if is_ahead || is_after(self.last_global) {
                Verdict::Next
            } else {
                Verdict::OtherStream
            };
        }
        let is_later = matches!(
            (numbers.time, self.last_time),
            (Some(time), Some(last)) if nanoseconds(time) > last + SLACK
        );
        if is_later {
            Verdict::OtherStream
        } else if seq_num == self.next - 1 || seq_num == self.first {
            let own = if seq_num == self.first {
                self.first_global
            } else {
                self.last_global
            };
            if own == global {
                Verdict::Twice
            } else {
                Verdict::OtherStream
            }
        } else if !is_before(self.last_global) {
            Verdict::OtherStream
        } else if seq_num < self.first {
            if is_before(self.first_global) {
                Verdict::Late
            } else {
                Verdict::OtherStream
            }
        } else if !is_after(self.first_global) {
            Verdict::OtherStream
        } else if self.gap(seq_num).is_some() {
            Verdict::Late
        } else {
            Verdict::Twice
        }
    }

    /// The place of the gap that contains a number.
    fn gap(&self, number: u64) -> Option<usize> {
        let at = self.gaps.partition_point(|gap| gap.end <= number);
        let gap = self.gaps.get(at)?;
        (gap.start <= number).then_some(at)
    }

    /// Continues with a number that is higher than all, and returns the number of messages missing before it.
    fn push(&mut self, numbers: &Numbers) -> u64 {
        let number = numbers.seq_num;
        if self.next == 0 {
            (self.first, self.first_global) = (number, numbers.global_seq_num);
            self.next = number;
        }
        let missing = number - self.next;
        if missing > 0 {
            self.gaps.push(Gap {
                start: self.next,
                end: number,
                is_missing: true,
            });
            if self.gaps.len() > MAX_GAPS {
                self.gaps.remove(0);
            }
        }
        self.next = number.saturating_add(1);
        self.last_global = numbers.global_seq_num;
        self.last_time = numbers.time.map(nanoseconds);
        missing
    }

    /// Notes a number that was missing or comes before the first; returns true if it was missing.
    fn fill(&mut self, numbers: &Numbers) -> bool {
        let number = numbers.seq_num;
        if number < self.first {
            self.gaps.insert(
                0,
                Gap {
                    start: number + 1,
                    end: self.first,
                    is_missing: false,
                },
            );
            self.gaps.retain(|gap| gap.start < gap.end);
            self.gaps.truncate(MAX_GAPS);
            (self.first, self.first_global) = (number, numbers.global_seq_num);
            return false;
        }
        let Some(at) = self.gap(number) else {
            return false;
        };
        let gap = self.gaps[at];
        let rest = [
            Gap { end: number, ..gap },
            Gap {
                start: number + 1,
                ..gap
            },
        ];
        let rest = rest.into_iter().filter(|gap| gap.start < gap.end);
        self.gaps.splice(at..=at, rest);
        if self.gaps.len() > MAX_GAPS {
            self.gaps.remove(0);
        }
        gap.is_missing
    }
}

fn nanoseconds(time: Timestamp) -> i128 {
    i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos)
}

/// The order of the numbers of each type.
#[derive(Debug, Default)]
struct Orders {
    known: Vec<Order>,
    unknown: HashMap<(Vec<u8>, bool), Order>,
}

impl Orders {
    /// The order of a type's numbers; None if there are too many types already.
    fn of(&mut self, counter: &Counter) -> Option<&mut Order> {
        match counter {
            Counter::Global => None,
            Counter::Known(index) => {
                if self.known.len() <= *index {
                    self.known.resize_with(2 * COUNT, Order::default);
                }
                self.known.get_mut(*index)
            }
            Counter::Unknown(name, is_auth) => {
                let key = (name.clone(), *is_auth);
                if self.unknown.len() == MAX_UNKNOWN && !self.unknown.contains_key(&key) {
                    return None;
                }
                Some(self.unknown.entry(key).or_default())
            }
        }
    }
}

/// The origin of messages, on which the meaning of a gap depends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A client of our own, whose messages are all observed.
    #[cfg(target_os = "macos")]
    Native,
    /// eslogger, which leaves out its own events.
    #[cfg(target_os = "macos")]
    Eslogger {
        /// True if `write` was requested, so that each line that it writes to our terminal may have taken a number:
        /// macOS numbers a write to a terminal like any other.
        writes: bool,
    },
    /// A recording with this name, any part of which may have been left out.
    Recording(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            #[cfg(target_os = "macos")]
            Origin::Native => "macOS",
            #[cfg(target_os = "macos")]
            Origin::Eslogger { .. } => "eslogger",
            Origin::Recording(name) => name,
        })
    }
}

impl Origin {
    /// Returns true if all messages of a client come, from its first on.
    fn is_whole(&self) -> bool {
        !matches!(self, Origin::Recording(_))
    }
}

/// The losses of a source.
#[derive(Debug)]
pub struct Losses {
    origin: Origin,
    counters: Counters,
    /// The order of the numbers of a recording, by type of event.
    orders: Orders,
    messages: u64,
    /// The sum over all types.
    missing: u64,
    reported: u64,
    reported_at: Option<Instant>,
}

impl Losses {
    /// Begins the losses of a source, with none.
    pub fn new(origin: Origin) -> Losses {
        Losses {
            origin,
            counters: Counters::new(),
            orders: Orders::default(),
            messages: 0,
            missing: 0,
            reported: 0,
            reported_at: None,
        }
    }

    /// Continues with the next piece of the stream.
    pub fn append(&mut self, stretches: &[Stretch]) {
        for stretch in stretches {
            match &stretch.0 {
                Messages::InOrder(runs, messages) => self.append_runs(runs, *messages),
                Messages::Each(each) if self.origin.is_whole() => {
                    for numbers in each {
                        let global = numbers.global_seq_num.map(Run::of);
                        let global = global.map(|run| (Counter::Global, run));
                        let own = (numbers.counter.clone(), Run::of(numbers.seq_num));
                        let runs: Vec<_> = std::iter::once(own).chain(global).collect();
                        self.append_runs(&runs, 1);
                    }
                }
                Messages::Each(each) => each.iter().for_each(|numbers| self.append_late(numbers)),
            }
        }
    }

    /// Continues with messages in order.
    fn append_runs(&mut self, runs: &[(Counter, Run)], messages: u64) {
        let mut all = runs.iter();
        if !all.all(|(counter, run)| self.counters.goes_on(counter, run.first)) {
            self.begin_stream();
        }
        for (counter, run) in runs {
            let Some(so_far) = self.counters.run(counter) else {
                continue;
            };
            let missing = so_far.append(*run, self.origin.is_whole());
            if *counter != Counter::Global {
                self.missing = self.missing.saturating_add(missing);
            }
        }
        self.messages += messages;
    }

    /// Continues with a message of a recording, which may come late.
    fn append_late(&mut self, numbers: &Numbers) {
        let Counters { global, .. } = &mut self.counters;
        let is_ahead = global.takes(numbers.global_seq_num);
        let Some(order) = self.orders.of(&numbers.counter) else {
            return;
        };
        let verdict = order.verdict(numbers, is_ahead);
        if verdict == Verdict::OtherStream {
            self.begin_stream();
        }
        let (Some(order), Some(run)) = (
            self.orders.of(&numbers.counter),
            self.counters.run(&numbers.counter),
        ) else {
            return;
        };
        match verdict {
            Verdict::Twice => return,
            Verdict::Next | Verdict::OtherStream => {
                let missing = order.push(numbers);
                run.missing = run.missing.saturating_add(missing);
                self.missing = self.missing.saturating_add(missing);
            }
            Verdict::Late => {
                let filled = u64::from(order.fill(numbers));
                run.missing -= filled;
                self.missing -= filled;
            }
        }
        if let Some(number) = numbers.global_seq_num {
            let global = &mut self.counters.global;
            global.next = global.next.max(number.saturating_add(1));
        }
        self.messages += 1;
    }

    /// Begins another stream: what is missing so far is kept, and the numbers start again.
    fn begin_stream(&mut self) {
        self.orders = Orders::default();
        let Counters {
            global,
            known,
            unknown,
        } = &mut self.counters;
        for run in known.iter_mut().chain(unknown.values_mut()).chain([global]) {
            run.next = 0;
        }
    }

    /// The number of missing messages.
    pub fn lost(&self) -> u64 {
        if self.origin.is_whole() {
            // Gaps in the numbers of all types are also left by types that have sent nothing since.
            let of_all = self.missing_of(&Counter::Global, self.counters.global);
            self.by_type_missing().max(of_all)
        } else {
            self.missing
        }
    }

    /// The number of missing messages whose type is known.
    fn by_type_missing(&self) -> u64 {
        let write = WRITE.map_or(0, |index| self.counters.known[index].missing);
        self.missing - write.min(self.own_writes())
    }

    /// The number of missing messages of a counter, without those that eslogger itself caused.
    fn missing_of(&self, counter: &Counter, run: Run) -> u64 {
        let has_own = match counter {
            Counter::Global => true,
            Counter::Known(index) => Some(*index) == *WRITE,
            Counter::Unknown(..) => false,
        };
        let own = if has_own { self.own_writes() } else { 0 };
        run.missing.saturating_sub(own)
    }

    /// The number of missing `write` events that may be eslogger's own: one for each line that it wrote.
    fn own_writes(&self) -> u64 {
        match self.origin {
            #[cfg(target_os = "macos")]
            Origin::Eslogger { writes: true } => self.messages,
            _ => 0,
        }
    }

    /// Reports what has been lost since the last report, if enough time has passed.
    pub fn report(&mut self) {
        let lost = self.lost();
        // The number can go down again: a line comes later than eslogger's own write that it explains.
        if lost <= self.reported {
            return;
        }
        let now = Instant::now();
        let is_soon = |last| now.duration_since(last) < REPORT_INTERVAL;
        if self.reported_at.is_some_and(is_soon) {
            return;
        }
        self.reported = lost;
        self.reported_at = Some(now);
        let (events, are) = (Events(lost), is_or_are(lost));
        let by_type = self.by_type(NAMED, "not known yet which");
        match &self.origin {
            #[cfg(target_os = "macos")]
            Origin::Native => warn(format_args!("macOS dropped {events} so far: {by_type}")),
            #[cfg(target_os = "macos")]
            Origin::Eslogger { .. } => {
                warn(format_args!("{events} {are} missing so far: {by_type}"))
            }
            Origin::Recording(name) => {
                warn(format_args!(
                    "{name}: {events} {are} missing so far: {by_type}"
                ));
            }
        }
    }

    /// The missing events so far, by event.
    pub fn missing(&self) -> Missing {
        let mut missing = Missing::default();
        for (counter, run) in self.counters.runs() {
            let count = self.missing_of(&counter, run);
            if counter != Counter::Global && count > 0 {
                missing.add(name(&counter), count);
            }
        }
        missing.of_unknown_type = self.lost() - self.by_type_missing();
        missing
    }

    /// Reports the totals, if anything was lost.
    pub fn report_totals(&self) {
        let lost = self.lost();
        let own = self.missing.max(self.counters.global.missing) - lost;
        if self.own_writes() > 0 && own > 0 {
            warn(format_args!(
                "{} missing write events are not counted: they can be the lines that eslogger itself wrote",
                Count(own)
            ));
        }
        if lost == 0 {
            return;
        }
        let (all, are) = (Events(self.messages.saturating_add(lost)), is_or_are(lost));
        let (count, by_type) = (Count(lost), self.by_type(COUNT, "not known which"));
        match &self.origin {
            #[cfg(target_os = "macos")]
            Origin::Native => warn(format_args!(
                "in all, macOS dropped {count} of {all}: {by_type}"
            )),
            #[cfg(target_os = "macos")]
            Origin::Eslogger { .. } => warn(format_args!(
                "in all, {count} of {all} {are} missing, dropped by macOS, or eslogger's own, which it leaves \
                 out: {by_type}"
            )),
            Origin::Recording(name) => warn(format_args!(
                "{name}: {count} of {all} {are} missing, dropped by macOS or left out of the \
                 recording: {by_type}"
            )),
        }
    }

    /// The exit status: that losses occurred if nothing worse has happened.
    pub fn exit(&self, exit: Exit) -> Exit {
        if exit == Exit::Done && self.lost() > 0 {
            Exit::Dropped
        } else {
            exit
        }
    }

    /// `open 100, close 20`, the largest first; `rest` is the name for missing events of unknown type.
    fn by_type(&self, count: usize, rest: &str) -> String {
        let Missing {
            mut by_event,
            of_unknown_type,
        } = self.missing();
        by_event.sort_by_key(|(_, missing)| Reverse(*missing));
        let mut parts = Vec::new();
        for (name, missing) in by_event.iter().take(count) {
            parts.push(format!("{name} {}", Count(*missing)));
        }
        let others = by_event.iter().skip(count).map(|(_, missing)| *missing);
        let others = others.fold(0, u64::saturating_add);
        if others > 0 {
            parts.push(format!("others {}", Count(others)));
        }
        if of_unknown_type > 0 {
            parts.push(format!("{rest} {}", Count(of_unknown_type)));
        }
        parts.join(", ")
    }
}

/// Missing events, by event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// The name of each event, escaped, and the number of missing ones.
    pub by_event: Vec<(String, u64)>,
    /// The number of missing events whose type isn't known.
    pub of_unknown_type: u64,
}

impl Missing {
    /// The number of events that are missing.
    pub fn total(&self) -> u64 {
        let known = self.by_event.iter().map(|(_, count)| *count);
        known.fold(self.of_unknown_type, u64::saturating_add)
    }

    /// The events that have turned out to be missing since `earlier`, by event.
    pub fn since(&self, earlier: &Missing) -> Vec<(String, u64)> {
        let before = |name: &str| {
            let known = earlier.by_event.iter().find(|(known, _)| known == name);
            known.map_or(0, |(_, count)| *count)
        };
        let of_unknown_type = self.of_unknown_type.saturating_sub(earlier.of_unknown_type);
        let known = self.by_event.iter();
        known
            .map(|(name, count)| (name.clone(), count.saturating_sub(before(name))))
            .chain([("of unknown type".to_owned(), of_unknown_type)])
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// Adds what is missing in another stream.
    pub fn extend(&mut self, other: Missing) {
        for (name, count) in other.by_event {
            self.add(name, count);
        }
        self.of_unknown_type = self.of_unknown_type.saturating_add(other.of_unknown_type);
    }

    fn add(&mut self, name: String, count: u64) {
        match self.by_event.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum = sum.saturating_add(count),
            None => self.by_event.push((name, count)),
        }
    }
}

fn name(counter: &Counter) -> String {
    let (name, is_auth) = match counter {
        Counter::Known(index) => (ROWS[*index % COUNT].name.to_owned(), *index >= COUNT),
        Counter::Unknown(name, is_auth) => {
            let mut safe = Vec::new();
            escape::push(&mut safe, Text::Bytes(name));
            (String::from_utf8_lossy(&safe).into_owned(), *is_auth)
        }
        Counter::Global => (String::new(), false),
    };
    name + if is_auth { " (AUTH)" } else { "" }
}

/// A number of events: `1 event`, or `1,281 events`.
pub struct Events(pub u64);

impl std::fmt::Display for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let noun = if self.0 == 1 { "event" } else { "events" };
        write!(f, "{} {noun}", Count(self.0))
    }
}

/// The verb for a number of things.
pub fn is_or_are(count: u64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// A number in groups of three digits: `1,281`.
pub struct Count(pub u64);

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = self.0.to_string();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::catalogue;
    use proptest::prelude::*;

    fn known(name: &str) -> EventType<'static> {
        EventType::Known(catalogue::by_name(name.as_bytes()).expect("a name"))
    }

    /// The losses of messages that are noted in pieces which end after `cuts` messages.
    fn losses(
        messages: &[(EventType<'_>, Option<u64>, Option<u64>)],
        cuts: &[usize],
    ) -> (u64, u64, String) {
        losses_of(messages, cuts, false)
    }

    /// The same, for messages that are known to be in order, or not.
    fn losses_of(
        messages: &[(EventType<'_>, Option<u64>, Option<u64>)],
        cuts: &[usize],
        in_order: bool,
    ) -> (u64, u64, String) {
        let mut losses = Losses::new(Origin::Recording("a".to_owned()));
        let mut tally = Tally::new();
        for (at, (event_type, seq_num, global_seq_num)) in messages.iter().enumerate() {
            if in_order {
                tally.observe(*event_type, false, *seq_num, *global_seq_num);
            } else {
                tally.note(*event_type, false, *seq_num, *global_seq_num, None);
            }
            if cuts.contains(&at) {
                losses.append(&tally.take());
            }
        }
        losses.append(&tally.take());
        (
            losses.lost(),
            losses.messages,
            losses.by_type(COUNT, "others"),
        )
    }

    #[test]
    fn gaps_within_a_type_are_losses() {
        let [open, close] = ["open", "close"].map(known);
        let unknown = EventType::Unknown {
            number: Some(170),
            name: "new\n".into(),
        };
        let messages = [
            (open, Some(7), Some(20)),
            (close, Some(3), Some(21)),
            (open, Some(9), Some(24)),
            (unknown, Some(0), Some(25)),
            (open, None, None),
            (close, Some(1004), Some(2000)),
            (unknown, Some(2), Some(2002)),
        ];
        let expected = (1002, 6, "close 1,000, open 1, new\\n 1".to_owned());
        assert_eq!(losses(&messages, &[]), expected);
    }

    #[test]
    fn messages_that_ask_for_an_answer_have_numbers_of_their_own() {
        let open = known("open");
        let unknown = EventType::Unknown {
            number: None,
            name: "new".into(),
        };
        let mut losses = Losses::new(Origin::Recording("a".to_owned()));
        let mut tally = Tally::new();
        for (event_type, is_auth, seq_num, global_seq_num) in [
            (open, true, 40, 400),
            (open, false, 7, 401),
            (unknown, true, 9, 402),
            (unknown, false, 2, 403),
            (open, true, 42, 405),
            (open, false, 8, 406),
            (unknown, true, 12, 409),
            (unknown, false, 3, 410),
        ] {
            tally.observe(event_type, is_auth, Some(seq_num), Some(global_seq_num));
        }
        losses.append(&tally.take());
        assert_eq!(losses.messages, 8);
        assert_eq!(losses.by_type(9, ""), "new (AUTH) 2, open (AUTH) 1");
    }

    #[test]
    fn events_that_were_left_out_are_none() {
        let [open, close] = ["open", "close"].map(known);
        let messages = [
            (open, Some(7), Some(20)),
            (open, Some(8), Some(35)),
            (close, Some(5), Some(40)),
            (close, Some(6), Some(1000)),
        ];
        assert_eq!(losses(&messages, &[]), (0, 4, String::new()));
    }

    #[test]
    fn another_stream_begins_anew() {
        let [open, close] = ["open", "close"].map(known);
        let messages = [
            (open, Some(7), Some(20)),
            (close, Some(2), Some(21)),
            (open, Some(9), Some(23)),
            // The number of this type would continue, but the one of all types goes back.
            (close, Some(50), Some(1)),
            (open, Some(30), Some(2)),
            (open, Some(31), Some(3)),
            // The same message again.
            (open, Some(31), Some(3)),
        ];
        assert_eq!(losses(&messages, &[]), (1, 6, "open 1".to_owned()));
    }

    /// The losses of messages of one type with these numbers, which are also their numbers among all types.
    fn of_opens(numbers: &[u64]) -> u64 {
        let open = known("open");
        let messages: Vec<_> = numbers
            .iter()
            .map(|number| (open, Some(*number), Some(*number)))
            .collect();
        losses(&messages, &[]).0
    }

    #[test]
    fn late_numbers_fill_their_gaps() {
        for numbers in [
            &[0, 2, 1, 3, 5, 4][..],
            &[1, 0, 2],
            &[5, 0, 1, 2, 3, 4],
            &[3, 2, 1, 0],
            &[0, 9, 8, 7, 6, 5, 4, 3, 2, 1],
            &[0, 4, 2, 1, 3, 6, 5],
            &[7, 9, 8, 10],
        ] {
            assert_eq!(of_opens(numbers), 0, "{numbers:?}");
        }
        // What doesn't come is missing, and what comes twice fills nothing.
        for (numbers, missing) in [
            (&[0, 2, 2][..], 1),
            (&[0, 3, 1, 1], 1),
            (&[0, 3, 3, 0, 1], 1),
            (&[0, 10, 5, 6], 7),
            (&[2, 0, 4, 2, 0], 1),
        ] {
            assert_eq!(of_opens(numbers), missing, "{numbers:?}");
        }
        let [open, close] = ["open", "close"].map(known);
        let mixed = [
            (open, Some(0), Some(0)),
            (close, Some(0), Some(5)),
            (open, Some(2), Some(3)),
            (close, Some(1), Some(7)),
            (open, Some(1), Some(2)),
        ];
        assert_eq!(losses(&mixed, &[]).0, 0);
    }

    #[test]
    fn another_stream_is_known_by_its_time() {
        let open = known("open");
        let mut losses = Losses::new(Origin::Recording("a".to_owned()));
        let mut tally = Tally::new();
        let mut note = |number, seconds| {
            let time = Timestamp { seconds, nanos: 0 };
            tally.note(open, false, Some(number), Some(number), Some(time));
        };
        // The second has the same numbers as the first, and lacks two that the first has.
        for (number, second) in [
            (0, 0),
            (1, 1),
            (2, 2),
            (3, 3),
            (4, 4),
            (0, 9),
            (1, 9),
            (4, 10),
        ] {
            note(number, second);
        }
        // This fills a gap of the second stream, but comes later: it belongs to a third.
        note(2, 20);
        losses.append(&tally.take());
        assert_eq!(losses.lost(), 2);
    }

    #[test]
    fn gaps_that_are_remembered_are_bounded() {
        let even: Vec<u64> = (0..3 * MAX_GAPS as u64).map(|number| number * 2).collect();
        let odd = even.iter().map(|number| number + 1);
        let all: Vec<u64> = even.iter().copied().chain(odd).collect();
        // There is no gap after the last message.
        let forgotten = (2 * MAX_GAPS - 1) as u64;
        assert_eq!(of_opens(&all), forgotten);
    }

    #[test]
    fn numbers_may_be_as_large_as_they_like() {
        let open = known("open");
        let max = Some(u64::MAX);
        let messages = [(open, Some(0), Some(0)), (open, max, max), (open, max, max)];
        assert_eq!(losses(&messages, &[]).0, u64::MAX - 1);
    }

    /// Numbers messages as clients do. Each step is a type and the number of messages of that type lost before it; None
    /// begins another client.
    fn numbered(
        steps: &[(usize, Option<u64>)],
    ) -> Vec<(EventType<'static>, Option<u64>, Option<u64>)> {
        let unknown = EventType::Unknown {
            number: None,
            name: "x".into(),
        };
        let types = [known("open"), known("close"), unknown];
        let mut of_type = [0; 3];
        let mut of_all = 0;
        let message = |(of, lost): &(usize, Option<u64>)| {
            if let Some(lost) = lost {
                of_type[*of] += lost;
                of_all += lost;
            } else {
                (of_type, of_all) = ([0; 3], 0);
            }
            let numbers = (types[*of], Some(of_type[*of]), Some(of_all));
            of_type[*of] += 1;
            of_all += 1;
            numbers
        };
        steps.iter().map(message).collect()
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_a_stream_is_cut(
            steps in prop::collection::vec((0..3_usize, prop_oneof![Just(Some(0)), (0..3_u64).prop_map(Some), Just(None)]), 0..40),
            cuts in prop::collection::vec(0..40_usize, 0..10),
        ) {
            let messages = numbered(&steps);
            for in_order in [true, false] {
                prop_assert_eq!(losses_of(&messages, &cuts, in_order), losses_of(&messages, &[], in_order));
            }
        }
    }
}
