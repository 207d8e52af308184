//! Times as people read them.

use chrono::{DateTime, Datelike, Timelike, Utc};

use crate::model::event::Timestamp;
use crate::text::escape::push_fmt;
use crate::text::zone::Local;

/// `YYYY-MM-DD hh:mm:ss`
type Second = [u8; 19];

/// The number of seconds that are remembered. The start times of processes occur again and again.
const REMEMBERED: u16 = 512;

/// Writes times, in the local time zone (that of `TZ` if it is set) or in UTC.
///
/// Finding a time's offset from UTC costs more than everything else in an event, so seconds that were written are
/// remembered.
#[derive(Debug)]
pub struct Clock {
    utc: bool,
    seconds: Vec<Option<(i64, Second)>>,
}

impl Clock {
    /// Creates a clock for UTC, or for the local time zone.
    pub fn new(utc: bool) -> Self {
        Clock {
            utc,
            seconds: vec![None; REMEMBERED.into()],
        }
    }

    /// Appends `YYYY-MM-DD hh:mm:ss.nnnnnnnnn`.
    pub fn push_exact(&mut self, out: &mut Vec<u8>, time: Timestamp) {
        self.push_second(out, time);
        let mut fraction = *b".000000000";
        let mut rest = time.nanos;
        for digit in fraction[1..].iter_mut().rev() {
            *digit = decimal(rest);
            rest /= 10;
        }
        out.extend_from_slice(&fraction);
    }

    /// Appends `YYYY-MM-DD hh:mm:ss`.
    pub fn push_second(&mut self, out: &mut Vec<u8>, time: Timestamp) {
        let place = usize::try_from(time.seconds.rem_euclid(REMEMBERED.into())).unwrap_or(0);
        if let Some((seconds, text)) = &self.seconds[place]
            && *seconds == time.seconds
        {
            out.extend_from_slice(text);
            return;
        }
        match self.render(time.seconds) {
            Some(text) => {
                self.seconds[place] = Some((time.seconds, text));
                out.extend_from_slice(&text);
            }
            // A time in a year of more than four digits is written in a form that date(1) reads.
            None => push_fmt(out, format_args!("@{}", time.seconds)),
        }
    }

    fn render(&self, seconds: i64) -> Option<Second> {
        let utc = DateTime::<Utc>::from_timestamp(seconds, 0)?;
        let time = if self.utc {
            utc.naive_utc()
        } else {
            utc.with_timezone(&Local).naive_local()
        };
        let year = u32::try_from(time.year())
            .ok()
            .filter(|year| *year < 10_000)?;
        let mut text = *b"0000-00-00 00:00:00";
        let mut put = |at: usize, number: u32| {
            text[at] = decimal(number / 10);
            text[at + 1] = decimal(number);
        };
        put(0, year / 100);
        put(2, year % 100);
        put(5, time.month());
        put(8, time.day());
        put(11, time.hour());
        put(14, time.minute());
        put(17, time.second());
        Some(text)
    }
}

/// The last decimal digit of a number.
fn decimal(number: u32) -> u8 {
    b'0' + (number % 10) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(seconds: i64, nanos: u32) -> String {
        let mut out = Vec::new();
        let mut clock = Clock::new(true);
        for _ in 0..2 {
            out.clear();
            clock.push_exact(&mut out, Timestamp { seconds, nanos });
        }
        String::from_utf8(out).expect("digits")
    }

    #[test]
    fn the_fraction_has_always_nine_digits() {
        assert_eq!(
            utc(1_613_850_834, 423_783_425),
            "2021-02-20 19:53:54.423783425"
        );
        assert_eq!(utc(0, 7), "1970-01-01 00:00:00.000000007");
        assert_eq!(utc(-1, 0), "1969-12-31 23:59:59.000000000");
    }

    #[test]
    fn times_out_of_the_calendar_are_numbers() {
        assert_eq!(utc(i64::MAX, 0), format!("@{}.000000000", i64::MAX));
        assert_eq!(utc(i64::MIN, 1), format!("@{}.000000001", i64::MIN));
        assert_eq!(utc(253_402_300_800, 0), "@253402300800.000000000");
    }
}
