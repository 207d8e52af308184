//! Times as eslogger writes them: `2026-03-14T01:59:27.489150057Z`.

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
    use super::parse;

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
