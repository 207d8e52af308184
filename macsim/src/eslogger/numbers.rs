//! Lines and their sequence numbers.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::Range;

use crate::json::{self, Json};

/// A message.
pub struct Line<'a> {
    bytes: Cow<'a, [u8]>,
    /// The name of its event; empty if it has none.
    event: String,
    /// The process group of the process that the event belongs to.
    group: Option<i128>,
    of_type: Option<Number>,
    of_all: Option<Number>,
}

/// A number, and its place in the line.
type Number = (Range<usize>, u64);

impl<'a> Line<'a> {
    /// Reads a line; `None` if its event is not among `names`, or the line is empty. A damaged line counts as a line,
    /// too.
    pub fn new(bytes: impl Into<Cow<'a, [u8]>>, names: &[String]) -> Option<Self> {
        let bytes = bytes.into();
        let value = json::values(&bytes).next().and_then(Result::ok);
        let value = value.as_ref().map(|(_, value)| value);
        let event = match value.and_then(|value| value.get("event")) {
            Some(Json::Object(members)) => members
                .iter()
                .find(|(name, _)| names.contains(name))?
                .0
                .clone(),
            _ if bytes.trim_ascii().is_empty() => return None,
            _ => String::new(),
        };
        let process = value.and_then(|value| value.get("process"));
        Some(Line {
            event,
            group: process.and_then(|process| process.get("group_id")?.int()),
            of_type: number_behind(&bytes, b"\"seq_num\":"),
            of_all: number_behind(&bytes, b"\"global_seq_num\":"),
            bytes,
        })
    }

    /// Returns true if the event is of a process in this group.
    pub fn is_of(&self, group: i32) -> bool {
        !self.event.is_empty() && self.group == Some(group.into())
    }

    /// Returns true if this is its event.
    pub fn is_event(&self, name: &str) -> bool {
        self.event == name
    }

    /// The line with other numbers.
    fn with(&self, of_type: u64, of_all: u64) -> Cow<'_, [u8]> {
        let mut changes = [(&self.of_type, of_type), (&self.of_all, of_all)];
        // The later place first, so that the other one doesn't move.
        changes.sort_by_key(|(old, _)| old.as_ref().map(|(place, _)| Reverse(place.start)));
        let mut bytes = Cow::Borrowed(&*self.bytes);
        for (old, new) in changes {
            if let Some((place, _)) = old.as_ref().filter(|(_, old)| *old != new) {
                let digits = new.to_string().into_bytes();
                bytes.to_mut().splice(place.clone(), digits);
            }
        }
        bytes
    }
}

/// The number behind a key.
fn number_behind(line: &[u8], key: &[u8]) -> Option<Number> {
    let at = line.windows(key.len()).position(|part| part == key)? + key.len();
    let digits = line[at..].iter().take_while(|byte| byte.is_ascii_digit());
    let place = at..at + digits.count();
    let number = std::str::from_utf8(&line[place.clone()])
        .ok()?
        .parse()
        .ok()?;
    Some((place, number))
}

/// The numbers of a client: those of the file's lines, and numbers in between for what the file doesn't have.
#[derive(Default)]
pub struct Numbers {
    of_all: Counter,
    of_type: HashMap<String, Counter>,
}

#[derive(Default)]
struct Counter {
    /// The number of counted lines that the file doesn't have.
    added: u64,
    /// The number of the file's lines that are not counted, because they came before it was ready.
    lost: u64,
    /// The next number.
    next: u64,
}

impl Counter {
    fn of_file(&mut self, number: Option<&Number>) -> u64 {
        let number = number.map_or(0, |(_, number)| *number);
        let number = (number + self.added).saturating_sub(self.lost);
        self.next = number + 1;
        number
    }

    fn lose(&mut self, number: Option<&Number>) {
        self.lost = number.map_or(0, |(_, number)| number + 1);
    }

    fn add(&mut self) -> u64 {
        self.added += 1;
        self.next += 1;
        self.next - 1
    }
}

impl Numbers {
    fn of(&mut self, event: &str) -> &mut Counter {
        if !self.of_type.contains_key(event) {
            self.of_type.insert(event.to_owned(), Counter::default());
        }
        self.of_type.get_mut(event).expect("just inserted")
    }

    /// Numbers a line of the file.
    pub fn file<'l>(&mut self, line: &'l Line) -> Cow<'l, [u8]> {
        let of_all = self.of_all.of_file(line.of_all.as_ref());
        let of_type = self.of(&line.event).of_file(line.of_type.as_ref());
        line.with(of_type, of_all)
    }

    /// Skips a line of the file that comes before it is ready.
    pub fn lose(&mut self, line: &Line) {
        self.of_all.lose(line.of_all.as_ref());
        self.of(&line.event).lose(line.of_type.as_ref());
    }

    /// Numbers a line that the file doesn't have.
    pub fn live<'l>(&mut self, line: &'l Line) -> Cow<'l, [u8]> {
        let of_all = self.of_all.add();
        let of_type = self.of(&line.event).add();
        line.with(of_type, of_all)
    }

    /// Counts an event of its own, which isn't printed.
    pub fn own(&mut self, event: &str) {
        self.of_all.add();
        self.of(event).add();
    }

    /// Starts again with the file, whose numbers begin again.
    pub fn restart(&mut self) {
        for counter in self.of_type.values_mut().chain([&mut self.of_all]) {
            (counter.added, counter.lost) = (0, 0);
        }
    }
}
