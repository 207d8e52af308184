//! Times as eslogger writes them: `2026-03-14T01:59:27.489150057Z`.

use std::time::Duration;

/// Seconds and nanoseconds since 1970, or `None` where the text isn't a time.
pub fn parse(text: &str) -> Option<(i64, u32)> {
    let (date, time) = text
        .strip_suffix('Z')
        .unwrap_or(text)
        .split_once(['T', ' '])?;
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(clock, ':')?;
    let digits = fraction.get(..9).unwrap_or(fraction);
    let nanoseconds = digits.parse::<u32>().ok()? * 10u32.pow(9 - digits.len() as u32);
    let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Some((seconds, nanoseconds))
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator).map(|part| part.parse().ok());
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

/// A time since 1970 with this many digits after the point, as eslogger writes it.
pub fn format(since: Duration, digits: usize) -> String {
    let seconds = since.as_secs();
    let (day, second) = ((seconds / 86_400) as i64, seconds % 86_400);
    // Howard Hinnant's civil_from_days: years begin in March, eras have 400 of them.
    let shifted = day + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let nanoseconds = format!("{:09}", since.subsec_nanos());
    let fraction = &nanoseconds[..digits.min(9)];
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction}Z")
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that a leap day comes last.
    let year = if month > 2 { year } else { year - 1 };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{format, parse};

    #[test]
    fn times_go_there_and_back() {
        for seconds in [0, 951_825_600, 951_782_399, 1_773_478_263, 4_102_444_799] {
            let text = format(Duration::new(seconds, 700_039_000), 9);
            assert_eq!(parse(&text), Some((seconds as i64, 700_039_000)), "{text}");
        }
        let leap = Duration::new(951_825_600, 500_039_000);
        assert_eq!(format(leap, 6), "2000-02-29T12:00:00.500039Z");
    }

    #[test]
    fn times_are_counted_from_1970() {
        assert_eq!(parse("1970-01-01T00:00:00.000000000Z"), Some((0, 0)));
        assert_eq!(
            parse("1969-12-31T23:59:59.500000000Z"),
            Some((-1, 500_000_000))
        );
        assert_eq!(parse("2000-02-29T12:00:00Z"), Some((951_825_600, 0)));
        assert_eq!(
            parse("2106-02-07T06:28:15.999999999Z"),
            Some((4_294_967_295, 999_999_999))
        );
        assert_eq!(
            parse("2026-03-14 08:51:03.700039Z"),
            Some((1_773_478_263, 700_039_000))
        );
        assert_eq!(parse("yesterday"), None);
    }
}
