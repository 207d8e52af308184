//! Dates of the Gregorian calendar, of any year that a time can have.

use crate::model::event::Timestamp;
use crate::text::escape::push_fmt;

/// The seconds of a day.
const DAY: i64 = 86_400;

/// The days from 1970-01-01 to a date; None if the date is invalid.
pub fn days(year: i64, month: u32, day: u32) -> Option<i128> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + u32::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years begin in March here, so that a leap day comes last.
    let year = i128::from(year) - i128::from(month < 3);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(year * 365 + leap_days + i128::from(of_year) - 719_468)
}

/// The year, the month and the day of a time.
fn date(time: Timestamp) -> (i64, i64, i64) {
    const CYCLE: i64 = 146_097;
    // As above, from the beginning of a cycle of 400 years.
    let days = time.seconds.div_euclid(DAY) + 719_468;
    let (cycle, of_cycle) = (days.div_euclid(CYCLE), days.rem_euclid(CYCLE));
    let of_year = (of_cycle - of_cycle / 1460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let day = of_cycle - (365 * of_year + of_year / 4 - of_year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (cycle * 400 + of_year + i64::from(month < 3), month, day)
}

/// Appends a time as eslogger writes it: `2021-02-20T19:53:54.423783425Z`, with this many digits of its fraction. A
/// year that doesn't have four digits is written in the extended form of ISO 8601, with a sign and at least six digits:
/// `+012345-01-01T00:00:00.500000000Z`.
pub fn push(out: &mut Vec<u8>, time: Timestamp, digits: usize) {
    let (year, month, day) = date(time);
    match year {
        0..=9999 => push_fmt(out, format_args!("{year:04}")),
        _ => push_fmt(out, format_args!("{year:+07}")),
    }
    let of_day = time.seconds.rem_euclid(DAY);
    let [hour, minute, second] = [of_day / 3600, of_day / 60 % 60, of_day % 60];
    push_fmt(
        out,
        format_args!(
            "-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:09}",
            time.nanos
        ),
    );
    out.truncate(out.len() + digits - 9);
    out.push(b'Z');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(seconds: i64, nanos: u32) -> String {
        let mut out = Vec::new();
        push(&mut out, Timestamp { seconds, nanos }, 9);
        String::from_utf8(out).expect("digits")
    }

    #[test]
    fn times_of_any_year_are_written() {
        assert_eq!(written(0, 7), "1970-01-01T00:00:00.000000007Z");
        assert_eq!(
            written(1_613_850_834, 423_783_425),
            "2021-02-20T19:53:54.423783425Z"
        );
        assert_eq!(
            written(253_402_300_799, 0),
            "9999-12-31T23:59:59.000000000Z"
        );
        assert_eq!(
            written(253_402_300_800, 0),
            "+010000-01-01T00:00:00.000000000Z"
        );
        assert_eq!(
            written(-62_167_219_200, 0),
            "0000-01-01T00:00:00.000000000Z"
        );
        assert_eq!(
            written(-62_167_219_201, 0),
            "-000001-12-31T23:59:59.000000000Z"
        );
        assert_eq!(
            written(i64::MAX, 0),
            "+292277026596-12-04T15:30:07.000000000Z"
        );
        assert_eq!(
            written(i64::MIN, 0),
            "-292277022657-01-27T08:29:52.000000000Z"
        );
    }

    #[test]
    fn days_are_counted_from_1970() {
        assert_eq!(days(1970, 1, 1), Some(0));
        assert_eq!(days(2000, 2, 29), Some(11_016));
        for none in [
            (2001, 2, 29),
            (1900, 2, 29),
            (2001, 4, 31),
            (2001, 0, 1),
            (2001, 13, 1),
            (2001, 1, 0),
        ] {
            assert_eq!(days(none.0, none.1, none.2), None);
        }
    }

    proptest! {
        #[test]
        fn a_date_is_counted_back(seconds in any::<i64>()) {
            let (year, month, day) = date(Timestamp { seconds, nanos: 0 });
            let [month, day] = [month, day].map(|number| u32::try_from(number).expect("small"));
            prop_assert_eq!(days(year, month, day), Some(i128::from(seconds.div_euclid(DAY))));
        }
    }
}
