//! `--time`: the style in which the time of an event is shown.

use clap::ValueEnum;

use crate::model::event::Timestamp;
use crate::order::fact::Fact;
use crate::order::stage::{Needs, Stage, Verdict};
use crate::text::clock::Clock;
use crate::text::escape::push_fmt;

/// The style in which the time of an event is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TimeStyle {
    /// Date and time of day
    #[default]
    Full,
    /// Time of day
    Clock,
    /// Seconds since 1970-01-01 00:00:00 UTC
    Epoch,
    /// Seconds since the first shown event
    Start,
    /// Seconds since the shown event before
    Delta,
    /// Not at all
    None,
}

impl TimeStyle {
    /// Appends a time, except in a style that depends on other events: [`Elapsed`] writes those times.
    pub(super) fn push(self, out: &mut Vec<u8>, clock: &mut Clock, time: Timestamp) {
        match self {
            TimeStyle::Full => clock.push_exact(out, time),
            TimeStyle::Clock => {
                let start = out.len();
                clock.push_exact(out, time);
                // A year of more than four digits is written without a time of day.
                if out.get(start + 10) == Some(&b' ') {
                    out.drain(start..=start + 10);
                }
            }
            TimeStyle::Epoch => push_seconds(out, nanos(time)),
            TimeStyle::Start | TimeStyle::Delta | TimeStyle::None => {}
        }
    }

    /// The stage that writes the times, for a style that depends on other events.
    pub fn stage(self) -> Option<Elapsed> {
        let from_start = match self {
            TimeStyle::Start => true,
            TimeStyle::Delta => false,
            _ => return None,
        };
        Some(Elapsed {
            from_start,
            last: None,
        })
    }

    /// The number of columns that the time takes in a line.
    pub(super) fn columns(self) -> usize {
        match self {
            TimeStyle::Full => 2,
            TimeStyle::None => 0,
            _ => 1,
        }
    }
}

/// Writes the time that has passed since the first shown event, or since the one before.
#[derive(Debug)]
pub struct Elapsed {
    from_start: bool,
    last: Option<Timestamp>,
}

impl Stage for Elapsed {
    fn needs(&self) -> Needs {
        Needs::Shown
    }

    fn event(&mut self, fact: &Fact<'_>, shown: bool, out: &mut Vec<u8>) -> Verdict {
        if !shown {
            return Verdict::Hide;
        }
        let (before, after) = fact.text.split_at(fact.time_at);
        out.extend_from_slice(before);
        match fact.time {
            Some(time) => {
                let last = *self.last.get_or_insert(time);
                push_seconds(out, nanos(time) - nanos(last));
                if !self.from_start {
                    self.last = Some(time);
                }
            }
            None => out.push(b'-'),
        }
        out.extend_from_slice(after);
        Verdict::Replace
    }
}

fn nanos(time: Timestamp) -> i128 {
    i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos)
}

/// Appends nanoseconds as seconds: `-1.000000002`.
fn push_seconds(out: &mut Vec<u8>, nanos: i128) {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    push_fmt(out, format_args!("{sign}{seconds}.{rest:09}"));
}
