//! Timelines: processes as spans below their parents, events as points in them, arrows from each fork to its child.
//!
//! There is one model, a stage that sees all events in their order ([`Timeline`]), and a sheet for each format. Workers
//! write the contents of an event; the stage writes where it is drawn.
//!
//! A process appears with its first event that is shown, together with the processes above it.

mod chrome;
mod lanes;
mod perfetto;
pub mod proto;
mod rates;
mod sheet;

use std::collections::{HashMap, VecDeque};
use std::sync::LazyLock;

use self::lanes::Lanes;
use self::rates::Rates;
use self::sheet::{Counter, Detail, MISSING, Moment, PIDS, Place, Sheet, Span, UNKNOWN};
use super::Values;
use crate::model::catalogue::{Class, ROWS};
use crate::model::event::{EventType, Text, Timestamp, Value};
use crate::order::fact::{Actor, Asks, Fact, Life, Part};
use crate::order::loss::{Count, Missing};
use crate::order::stage::{Stage, Verdict};
use crate::text::escape;

pub use chrome::Events as ChromeEvents;
pub use perfetto::Events as PerfettoEvents;

/// The number of ended processes that are remembered, for events that come late.
const REMEMBERED: usize = 1024;

/// The number of earlier images that are remembered for a process that isn't shown yet.
const MAX_EARLIER: usize = 64;

/// launchd, whose children stand at the top: nearly everything is below it.
const LAUNCHD: i32 = 1;

/// The program that launchd runs first in the process of a job. Its argument is the job's label.
const XPCPROXY: &[u8] = b"/usr/libexec/xpcproxy";

/// The categories of an event: its classes.
fn categories(event_type: EventType<'_>) -> &'static [String] {
    static CATEGORIES: LazyLock<Vec<Vec<String>>> = LazyLock::new(|| {
        let names = |classes: Class| {
            let names = classes.iter_names();
            names.map(|(name, _)| name.to_ascii_lowercase()).collect()
        };
        ROWS.iter().map(|row| names(row.classes)).collect()
    });
    static UNKNOWN: LazyLock<[String; 1]> = LazyLock::new(|| ["unknown".to_owned()]);
    match event_type {
        EventType::Known(row) => CATEGORIES.get(row.index()).map_or(&[], Vec::as_slice),
        EventType::Unknown { .. } => &*UNKNOWN,
    }
}

/// Converts a text to the form in which it is printed.
fn printed(text: &[u8]) -> String {
    let mut out = Vec::new();
    escape::push_bytes(&mut out, text);
    into_string(out)
}

/// Converts escaped text, which is UTF-8.
fn string(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// Converts escaped text, which is UTF-8, in the memory that it has.
fn into_string(text: Vec<u8>) -> String {
    String::from_utf8(text).unwrap_or_else(|error| string(error.as_bytes()))
}

/// The largest memory that is kept for the next text, in bytes.
const KEPT: usize = 1 << 20;

/// Frees memory that was needed for a long text.
fn release(text: &mut Vec<u8>) {
    if text.capacity() > KEPT {
        *text = Vec::new();
    }
}

/// The time as viewers can show it; None before 1970 and after the year 2262, because the times of viewers are signed.
fn moment(time: Timestamp) -> Option<Moment> {
    let seconds = u64::try_from(time.seconds).ok()?;
    let nanos = seconds.checked_mul(1_000_000_000)?;
    let nanos = nanos.checked_add(time.nanos.into())?;
    i64::try_from(nanos).is_ok().then_some(nanos)
}

/// A process that is alive.
struct Process {
    /// A number that no other process of the trace has.
    number: u64,
    pid: i32,
    /// The version of its image; 0 if it isn't known.
    version: i64,
    start: Option<Timestamp>,
    /// The time at which its first span begins.
    begin: Moment,
    /// The process that it is drawn below: pid and number.
    parent: Option<(i32, u64)>,
    /// The place where it is drawn; None if it isn't shown yet.
    place: Option<Place>,
    /// True if it is to be shown as soon as it has a name of its own.
    is_wanted: bool,
    /// True if it began before the trace did.
    was_before: bool,
    /// Its name if it is drawn at the top; if there is none, it is named after its image.
    title: Option<String>,
    /// The arrow to its first span.
    arrow: Option<u64>,
    /// Its current span.
    span: Span,
    /// Its spans from before it was shown, each with when and how it ended.
    earlier: VecDeque<(Span, Moment, Detail)>,
}

impl Process {
    /// Returns true if the process of an event is this one. Pids are used again; together with the time of the fork
    /// they are unique.
    fn is(&self, actor: &Actor) -> bool {
        let version = actor.id.version;
        match (self.start, actor.start) {
            (Some(own), Some(start)) => own == start || version != 0 && version == self.version,
            _ => version == 0 || version >= self.version,
        }
    }

    /// Returns true if it has become another image by an exec that wasn't recorded.
    fn was_replaced(&self, actor: &Actor) -> bool {
        self.version != 0 && actor.id.version > self.version
    }
}

/// A process that has ended.
struct Ended {
    version: i64,
    start: Option<Timestamp>,
    place: Option<Place>,
}

/// Draws a timeline.
pub struct Timeline {
    sheet: Box<dyn Sheet>,
    values: Values,
    processes: HashMap<i32, Process>,
    ended: HashMap<i32, Ended>,
    /// The pids in `ended`, in the order in which they came.
    ended_pids: VecDeque<i32>,
    /// The number of processes shown with each pid.
    uses: HashMap<i32, i64>,
    lanes: Lanes,
    rates: Rates,
    /// The time of the first event.
    first: Option<Moment>,
    /// The earliest time that can be shown.
    earliest: Moment,
    /// The latest time so far.
    last: Moment,
    /// The number of processes so far.
    count: u64,
    /// The number of arrows so far.
    arrows: u64,
    missing: Missing,
    /// The missing events that aren't shown yet, by event.
    gap: Vec<(String, u64)>,
}

impl Timeline {
    /// A timeline in Perfetto's format.
    pub(super) fn perfetto(values: Values) -> Timeline {
        Timeline::new(Box::new(perfetto::Perfetto::default()), values)
    }

    /// A timeline in Chrome's format.
    pub(super) fn chrome(values: Values) -> Timeline {
        Timeline::new(Box::new(chrome::Chrome::default()), values)
    }

    fn new(sheet: Box<dyn Sheet>, values: Values) -> Timeline {
        Timeline {
            sheet,
            values,
            processes: HashMap::new(),
            ended: HashMap::new(),
            ended_pids: VecDeque::new(),
            uses: HashMap::new(),
            lanes: Lanes::default(),
            rates: Rates::default(),
            first: None,
            earliest: 0,
            last: 0,
            count: 0,
            arrows: 0,
            missing: Missing::default(),
            gap: Vec::new(),
        }
    }

    /// The time at which an event is shown. If its own time can't be shown, it gets the latest time before it and a
    /// detail that says so.
    fn moment(&mut self, time: Option<Timestamp>, out: &mut Vec<u8>) -> (Moment, Option<Detail>) {
        let exact = time.and_then(moment);
        if self.first.is_none()
            && let Some(first) = exact
        {
            self.first = exact;
            self.last = first;
            self.sheet.begin(first, out);
            self.earliest = self.sheet.earliest(first);
        }
        if let Some(exact) = exact.filter(|exact| *exact >= self.earliest) {
            self.last = self.last.max(exact);
            return (exact, None);
        }
        let time = match time {
            Some(time) => self.value(&Value::Time(time)),
            None => "-".to_owned(),
        };
        (self.last, Some(Detail::text("time", time)))
    }

    fn value(&mut self, value: &Value<'_>) -> String {
        let mut out = Vec::new();
        self.values.push(&mut out, value);
        into_string(out)
    }

    /// Shows the events that have turned out to be missing.
    fn show_gap(&mut self, time: Moment, out: &mut Vec<u8>) {
        if self.gap.is_empty() {
            return;
        }
        let gap = std::mem::take(&mut self.gap);
        let counts = gap.iter().map(|(_, count)| *count);
        let name = format!("{} missing", Count(counts.fold(0, u64::saturating_add)));
        let by_event: Vec<_> = gap
            .iter()
            .map(|(event, count)| format!("{event} {}", Count(*count)))
            .collect();
        let details = [Detail::text("events", by_event.join(", "))];
        self.sheet
            .mark(MISSING, time, &name, "missing", &details, out);
        let total = self.missing.total();
        self.sheet.count(Counter::Missing, time, total, out);
    }

    /// Makes sure that the process of an event is known with its current image.
    fn meet(&mut self, actor: &Actor, fact: &Fact<'_>, time: Moment, out: &mut Vec<u8>) {
        let known = self.processes.get_mut(&actor.id.pid);
        let known = known.filter(|known| known.is(actor));
        let is_replaced = known
            .as_ref()
            .is_some_and(|known| known.was_replaced(actor));
        let is_known = known.is_some();
        if let Some(known) = known
            && known.version == 0
        {
            known.version = actor.id.version;
        }
        if is_known && !is_replaced {
            return;
        }
        let image = fact.image.unwrap_or_default();
        let mut span = image_span(actor, image, time);
        let team = fact.text_of(Part::Team).map(printed);
        span.details
            .extend(team.map(|team| Detail::text("team_id", team)));
        if is_replaced {
            let how = Detail::text("ended by", "exec, which is missing");
            self.exec(actor, span, time, how, out);
            return;
        }
        let first = self.first.unwrap_or(time);
        let start = actor.start.and_then(moment);
        span.begin = start.unwrap_or(first).clamp(first.min(time), time);
        if let Some(start) = actor.start {
            let started = self.value(&Value::Time(start));
            span.details.push(Detail::text("started", started));
        }
        let was_before = start.is_none_or(|start| start <= first);
        self.insert(actor, span, was_before, actor.ppid, out);
    }

    /// Adds a process that isn't known yet. A process that had the pid before must have ended.
    fn insert(
        &mut self,
        actor: &Actor,
        span: Span,
        was_before: bool,
        parent: Option<i32>,
        out: &mut Vec<u8>,
    ) {
        let pid = actor.id.pid;
        if let Some(process) = self.processes.remove(&pid)
            && let Some(place) = process.place
        {
            let end = span.begin.max(process.span.begin);
            let details = [Detail::text("ended by", "exit, which is missing")];
            self.sheet.span_end(place, end, &details, out);
            self.lanes.leave(place.lane, end);
        }
        let is_older = |above: &&Process| {
            let starts = above.start.zip(actor.start);
            starts.is_none_or(|(above, own)| moment(above) <= moment(own))
        };
        let parent = parent.filter(|parent| *parent != LAUNCHD && *parent != pid);
        let above = parent.and_then(|parent| self.processes.get(&parent));
        self.count += 1;
        let process = Process {
            number: self.count,
            pid,
            version: actor.id.version,
            start: actor.start,
            begin: span.begin,
            parent: above
                .filter(is_older)
                .map(|above| (above.pid, above.number)),
            place: None,
            is_wanted: false,
            was_before,
            title: None,
            arrow: None,
            span,
            earlier: VecDeque::new(),
        };
        self.processes.insert(pid, process);
    }

    /// The process that another one is drawn below, if it is still alive.
    fn above(&self, process: &Process) -> Option<&Process> {
        let (pid, number) = process.parent?;
        let above = self.processes.get(&pid)?;
        (above.number == number).then_some(above)
    }

    /// Shows a process, and those above it.
    fn show(&mut self, pid: i32, out: &mut Vec<u8>) {
        let mut hidden = Vec::new();
        let mut next = self.processes.get(&pid);
        // A parent was known before its child, so this loop ends.
        while let Some(process) = next.filter(|process| process.place.is_none()) {
            hidden.push(process.pid);
            next = self.above(process);
        }
        while let Some(pid) = hidden.pop() {
            self.show_one(pid, out);
        }
    }

    /// Shows a process. The processes above it are shown already.
    fn show_one(&mut self, pid: i32, out: &mut Vec<u8>) {
        let Some(process) = self.processes.get(&pid) else {
            return;
        };
        let above = self.above(process).and_then(|above| above.place);
        let title = process.title.as_ref().unwrap_or(&process.span.name);
        let begin = process.begin;
        let (taken, name) = match above {
            Some(above) => (self.lanes.take_below(above.lane, begin), " ".to_owned()),
            None if process.was_before => (self.lanes.take_own(), format!("{title} {pid}")),
            None => (self.lanes.take_shared(title, begin), title.clone()),
        };
        if taken.is_new {
            self.sheet.lane(taken.lane, taken.parent, &name, out);
        }
        let uses = self.uses.entry(pid).or_insert(0);
        let place = Place {
            lane: taken.lane,
            process: i64::from(pid) + PIDS * *uses,
        };
        *uses += 1;
        if let Some(process) = self.processes.get_mut(&pid) {
            process.place = Some(place);
            let mut arrow = process.arrow.take();
            for (span, end, how) in process.earlier.drain(..) {
                self.sheet.span(place, &span, arrow.take(), out);
                self.sheet.span_end(place, end, &[how], out);
            }
            self.sheet.span(place, &process.span, arrow, out);
        }
    }

    /// Handles an exec: a process becomes another image.
    fn exec(
        &mut self,
        target: &Actor,
        mut span: Span,
        time: Moment,
        how: Detail,
        out: &mut Vec<u8>,
    ) {
        let Some(process) = self.processes.get_mut(&target.id.pid) else {
            return;
        };
        process.version = target.id.version;
        // A span never ends before it begins, even if times go back.
        let time = time.max(process.span.begin);
        span.begin = time;
        let before = std::mem::replace(&mut process.span, span);
        match process.place {
            Some(place) => {
                self.sheet.span_end(place, time, &[how], out);
                self.sheet.span(place, &process.span, None, out);
            }
            None => process.earlier.push_back((before, time, how)),
        }
        // A process that becomes other images forever and is never shown must not take more and more memory.
        if process.earlier.len() > MAX_EARLIER {
            process.earlier.pop_front();
            let first = process.earlier.front();
            process.begin = first.map_or(time, |(span, ..)| span.begin);
        }
    }

    /// Handles the exit of a process.
    fn exit(&mut self, pid: i32, status: Option<i128>, time: Moment, out: &mut Vec<u8>) {
        let Some(process) = self.processes.remove(&pid) else {
            return;
        };
        if let Some(place) = process.place {
            let end = time.max(process.span.begin);
            let mut details = vec![Detail::text("ended by", "exit")];
            if let Some(status) = status {
                let stat = self.value(&Value::WaitStatus(status));
                if status != 0 {
                    let name = format!("failed: {stat}");
                    let details = [Detail::int("pid", pid)];
                    self.sheet.mark(place, end, &name, "failed", &details, out);
                }
                details.push(Detail::text("stat", stat));
            }
            self.sheet.span_end(place, end, &details, out);
            self.lanes.leave(place.lane, end);
        }
        let ended = Ended {
            version: process.version,
            start: process.start,
            place: process.place,
        };
        if self.ended.insert(pid, ended).is_none() {
            self.ended_pids.push_back(pid);
        }
        if self.ended_pids.len() > REMEMBERED
            && let Some(pid) = self.ended_pids.pop_front()
        {
            self.ended.remove(&pid);
        }
    }

    /// Returns the process of an event that comes after its exit.
    fn ended(&self, actor: &Actor) -> Option<&Ended> {
        let pid = actor.id.pid;
        let ended = self.ended.get(&pid)?;
        let is_it = ended.version == actor.id.version && ended.start == actor.start;
        (is_it && !self.processes.contains_key(&pid)).then_some(ended)
    }

    /// Adds the child of a fork, and returns the arrow to it.
    fn fork(
        &mut self,
        child: &Actor,
        fact: &Fact<'_>,
        time: Moment,
        shown: bool,
        out: &mut Vec<u8>,
    ) -> Option<u64> {
        let pid = child.id.pid;
        let is_known = |known: &Process| known.is(child);
        if self.processes.get(&pid).is_some_and(is_known) || self.ended(child).is_some() {
            return None;
        }
        let image = fact.text_of(Part::TargetImage).unwrap_or_default();
        let span = image_span(child, image, time);
        let parent = fact.process.map(|actor| actor.id.pid);
        // If times go back, the fork can be before its process; then the arrow has nothing to begin at.
        let above = parent.and_then(|parent| self.processes.get(&parent));
        let has_arrow = above.is_some_and(|above| above.begin <= time);
        self.insert(child, span, false, parent, out);
        let process = self.processes.get_mut(&pid).filter(|_| shown)?;
        process.is_wanted = true;
        if has_arrow {
            self.arrows += 1;
            process.arrow = Some(self.arrows);
        }
        process.arrow
    }

    /// Draws an event, or hides it if it has no place.
    fn draw(
        &mut self,
        fact: &Fact<'_>,
        place: Option<Place>,
        time: Moment,
        arrow: Option<u64>,
        details: &[Detail],
        out: &mut Vec<u8>,
    ) -> Verdict {
        let Some(place) = place else {
            self.sheet.hide(fact.text, out);
            return Verdict::Hide;
        };
        for (counter, time, value) in self.rates.count(fact.event, time) {
            self.sheet.count(counter, time, value, out);
        }
        self.sheet
            .event(place, time, fact.text, arrow, details, out);
        Verdict::Replace
    }
}

/// A span of a process as an image.
fn image_span(actor: &Actor, image: &[u8], begin: Moment) -> Span {
    let mut details = vec![Detail::int("pid", actor.id.pid)];
    details.extend(actor.euid.map(|euid| Detail::int("euid", euid)));
    if !image.is_empty() {
        details.push(Detail::text("image", printed(image)));
    }
    let name = match Text::Bytes(image).file_name().bytes() {
        name if name.is_empty() => "?".to_owned(),
        name => printed(&name),
    };
    Span {
        begin,
        name,
        details,
    }
}

/// The span of the image that an exec runs.
fn exec_span(target: &Actor, fact: &Fact<'_>, begin: Moment) -> Span {
    let image = fact.text_of(Part::TargetImage).unwrap_or_default();
    let mut span = image_span(target, image, begin);
    let mut command = Vec::new();
    for (at, argument) in fact.texts(Part::Argument).enumerate() {
        if at > 0 {
            command.push(b' ');
        }
        escape::push_argument(&mut command, Text::Bytes(argument));
    }
    // The command is what people look for first.
    let command = Detail::text("command", into_string(command));
    span.details.insert(0, command);
    for (name, part) in [
        ("cwd", Part::WorkingDirectory),
        ("script", Part::Script),
        ("team_id", Part::TargetTeam),
        ("sign_id", Part::SigningId),
    ] {
        let text = fact.text_of(part);
        span.details
            .extend(text.map(|text| Detail::text(name, printed(text))));
    }
    span
}

impl Stage for Timeline {
    fn asks(&self) -> Asks {
        Asks::IMAGE | Asks::COMMAND
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        self.sheet.header(out);
    }

    fn event(&mut self, fact: &Fact<'_>, shown: bool, out: &mut Vec<u8>) -> Verdict {
        let (time, misplaced) = self.moment(fact.time, out);
        self.show_gap(time, out);
        let mut details: Vec<_> = misplaced.into_iter().collect();
        let Some(actor) = &fact.process else {
            return self.draw(fact, shown.then_some(UNKNOWN), time, None, &details, out);
        };
        let pid = actor.id.pid;
        if let Some(ended) = self.ended(actor) {
            // The lane may belong to another process by now.
            details.push(Detail::int("pid", pid));
            let place = shown.then(|| ended.place.unwrap_or(UNKNOWN));
            return self.draw(fact, place, time, None, &details, out);
        }
        self.meet(actor, fact, time, out);
        let exec = match &fact.life {
            Life::Exec(target) => Some((target, exec_span(target, fact, time))),
            _ => None,
        };
        if let Some(process) = self.processes.get_mut(&pid)
            && let Some((_, span)) = &exec
            && process.place.is_none()
        {
            // The name of a launchd job.
            let is_proxy = fact.text_of(Part::TargetImage) == Some(XPCPROXY);
            let label = fact.texts(Part::Argument).nth(1).filter(|_| is_proxy);
            process.title = Some(label.map_or_else(|| span.name.clone(), printed));
        }
        let is_wanted = |process: &Process| shown || process.is_wanted;
        if self.processes.get(&pid).is_some_and(is_wanted) {
            self.show(pid, out);
        }
        let arrow = match &fact.life {
            Life::Fork(child) => self.fork(child, fact, time, shown, out),
            _ => None,
        };
        let place = self.processes.get(&pid).and_then(|process| process.place);
        let place = place.filter(|_| shown);
        let verdict = self.draw(fact, place, time, arrow, &details, out);
        match (&fact.life, exec) {
            // A launchd job gets its name from the exec that follows.
            (Life::Fork(child), _) if shown && pid != LAUNCHD => self.show(child.id.pid, out),
            (_, Some((target, span))) if target.id.pid == pid => {
                self.exec(target, span, time, Detail::text("ended by", "exec"), out);
            }
            (Life::Exit(status), _) => self.exit(pid, *status, time, out),
            _ => {}
        }
        verdict
    }

    fn missing(&mut self, missing: &Missing, _out: &mut Vec<u8>) {
        self.gap.extend(missing.since(&self.missing));
        self.missing = missing.clone();
    }

    fn end(&mut self, missing: &Missing, out: &mut Vec<u8>) {
        self.missing(missing, out);
        self.show_gap(self.last, out);
        for (counter, time, value) in self.rates.end() {
            self.sheet.count(counter, time, value, out);
        }
        let processes = self.processes.values();
        let mut open: Vec<_> = processes
            .map(|process| (process.number, process.pid))
            .collect();
        open.sort_unstable();
        for (_, pid) in open {
            let is_wanted = |process: &Process| process.is_wanted;
            if self.processes.get(&pid).is_some_and(is_wanted) {
                self.show(pid, out);
            }
            if let Some(process) = self.processes.get(&pid)
                && let Some(place) = process.place
                && !self.sheet.has_open_ends()
            {
                let details = [Detail::text("ended by", "end of the trace")];
                let time = self.last.max(process.span.begin);
                self.sheet.span_end(place, time, &details, out);
            }
        }
        self.sheet.footer(out);
    }
}
