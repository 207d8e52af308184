//! `-n`, `--since`, `--until`: the part of a trace that is shown.

use anyhow::{Result, anyhow, bail};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone as _, Utc};

use crate::model::event::Timestamp;
use crate::order::fact::Fact;
use crate::order::stage::{Needs, Stage, Verdict};
use crate::text::zone::Local;

/// `-n`: the first events, up to this number.
#[derive(Debug)]
pub struct Limit(u64);

impl Limit {
    /// The first `count` events that are shown.
    pub fn new(count: u64) -> Limit {
        Limit(count)
    }
}

impl Stage for Limit {
    fn needs(&self) -> Needs {
        Needs::Shown
    }

    fn event(&mut self, _: &Fact<'_>, shown: bool, _: &mut Vec<u8>) -> Verdict {
        if !shown || self.0 == 0 {
            return Verdict::Hide;
        }
        self.0 -= 1;
        Verdict::Show
    }

    fn is_over(&self) -> bool {
        self.0 == 0
    }
}

/// A point in a recording's time, as it was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// A time of day on the day of the first event.
    TimeOfDay(NaiveTime),
    /// A date and a time.
    DateTime(NaiveDateTime),
    /// This long after the first event.
    AfterFirst(TimeDelta),
}

impl Point {
    /// Reads `HH:MM[:SS[.f]]`, `YYYY-MM-DD[ HH:MM[:SS[.f]]]`, also with a `T` instead of the space, or `+90s`.
    ///
    /// # Errors
    /// The text has none of these forms.
    pub fn parse(text: &str) -> Result<Point> {
        if let Some(duration) = text.strip_prefix('+') {
            let delta = TimeDelta::from_std(duration_of(duration)?)?;
            return Ok(Point::AfterFirst(delta));
        }
        let time = |text: &str| {
            ["%H:%M:%S%.f", "%H:%M"]
                .iter()
                .find_map(|form| NaiveTime::parse_from_str(text, form).ok())
        };
        if let Some(time) = time(text) {
            return Ok(Point::TimeOfDay(time));
        }
        let (date, rest) = text.split_once([' ', 'T']).unwrap_or((text, "00:00"));
        let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok();
        match (date, time(rest)) {
            (Some(date), Some(time)) => Ok(Point::DateTime(date.and_time(time))),
            _ => {
                bail!("expected HH:MM[:SS], YYYY-MM-DD [HH:MM[:SS]], or +90s after the first event")
            }
        }
    }

    /// The point in a recording that begins at `first`.
    fn resolve(self, first: Timestamp, utc: bool) -> Option<Timestamp> {
        let begin = DateTime::<Utc>::from_timestamp(first.seconds, first.nanos)?;
        let local = |time: NaiveDateTime| {
            if utc {
                return Some(time.and_utc());
            }
            // A time that is skipped when the clocks change is taken as the one after it.
            let found = Local.from_local_datetime(&time);
            let found = found.earliest().or_else(|| {
                Local
                    .from_local_datetime(&(time + TimeDelta::hours(1)))
                    .earliest()
            });
            found.map(|time| time.to_utc())
        };
        let point = match self {
            Point::AfterFirst(delta) => begin.checked_add_signed(delta)?,
            Point::DateTime(time) => local(time)?,
            Point::TimeOfDay(time) if utc => local(begin.date_naive().and_time(time))?,
            Point::TimeOfDay(time) => {
                local(begin.with_timezone(&Local).date_naive().and_time(time))?
            }
        };
        Some(Timestamp {
            seconds: point.timestamp(),
            nanos: point.timestamp_subsec_nanos(),
        })
    }
}

/// Reads a duration: `90s`, `1.5h`, `2m`, `250ms`; without a unit, seconds.
///
/// # Errors
/// The text isn't a duration.
pub fn duration_of(text: &str) -> Result<std::time::Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let factor = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => bail!("expected a duration such as 30s, 5m or 1.5h"),
    };
    let number: f64 = number
        .parse()
        .map_err(|_| anyhow!("expected a duration such as 30s, 5m or 1.5h"))?;
    Ok(std::time::Duration::try_from_secs_f64(number * factor)?)
}

/// `--since`, `--until`: the events of a span of time, both ends included.
#[derive(Debug)]
pub struct Span {
    since: Option<Point>,
    until: Option<Point>,
    utc: bool,
    /// The two ends, known with the first event.
    ends: Option<(Option<Timestamp>, Option<Timestamp>)>,
    last: Option<Timestamp>,
}

impl Span {
    /// The span between two points, in UTC or in local time.
    pub fn new(since: Option<Point>, until: Option<Point>, utc: bool) -> Span {
        Span {
            since,
            until,
            utc,
            ends: None,
            last: None,
        }
    }
}

impl Stage for Span {
    /// The first event counts, even if it isn't shown.
    fn needs(&self) -> Needs {
        Needs::All
    }

    fn event(&mut self, fact: &Fact<'_>, shown: bool, _: &mut Vec<u8>) -> Verdict {
        // An event without a time is taken to have happened at the time of the one before it.
        self.last = fact.time.or(self.last);
        let Some(time) = self.last else {
            return Verdict::Hide;
        };
        let (since, until) = *self.ends.get_or_insert_with(|| {
            let resolve = |point: Option<Point>| point?.resolve(time, self.utc);
            (resolve(self.since), resolve(self.until))
        });
        let key = |time: Timestamp| (time.seconds, time.nanos);
        let is_in = since.is_none_or(|since| key(time) >= key(since))
            && until.is_none_or(|until| key(time) <= key(until));
        if shown && is_in {
            Verdict::Show
        } else {
            Verdict::Hide
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read() {
        let time = |h, m, s| NaiveTime::from_hms_opt(h, m, s).expect("a time");
        let date = NaiveDate::from_ymd_opt(2026, 3, 14).expect("a date");
        for (text, point) in [
            ("09:30", Point::TimeOfDay(time(9, 30, 0))),
            ("09:30:15", Point::TimeOfDay(time(9, 30, 15))),
            ("2026-03-14", Point::DateTime(date.and_time(time(0, 0, 0)))),
            (
                "2026-03-14 09:30",
                Point::DateTime(date.and_time(time(9, 30, 0))),
            ),
            (
                "2026-03-14T09:30:01",
                Point::DateTime(date.and_time(time(9, 30, 1))),
            ),
            ("+90s", Point::AfterFirst(TimeDelta::seconds(90))),
            ("+1.5h", Point::AfterFirst(TimeDelta::minutes(90))),
        ] {
            assert_eq!(Point::parse(text).expect(text), point, "{text}");
        }
        for text in [
            "",
            "9",
            "25:00",
            "2026-13-01",
            "+",
            "+5x",
            "yesterday",
            "+-5s",
            "+1e300h",
        ] {
            assert!(Point::parse(text).is_err(), "{text}");
        }
    }
}
