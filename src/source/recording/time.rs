//! Times, as eslogger writes them and as tools that process recordings write them.

use crate::model::event::Timestamp;
use crate::text::calendar;

/// The time in a string: eslogger's `2021-02-20T19:53:54.423783425Z`, or any other form of RFC 3339 or of a database.
/// The date may be followed by a space, and a time without an offset is UTC. Digits alone are counted from 1970.
pub fn parse(text: &[u8]) -> Option<Timestamp> {
    if let [b'0'..=b'9', .., b'0'..=b'9'] = text
        && let Some(time) = since_1970(text)
    {
        return Some(time);
    }
    let mut text = text;
    let sign = match text.first()? {
        b'-' => -1,
        _ => 1,
    };
    text = text
        .strip_prefix(b"+")
        .or(text.strip_prefix(b"-"))
        .unwrap_or(text);
    let year_digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let year = sign * number(text, &mut 0, 4..=12)?;
    text = &text[year_digits..];
    let mut at = 0;
    let month = after(text, &mut at, b"-")?;
    let day = after(text, &mut at, b"-")?;
    let hour = after(text, &mut at, b"T t")?;
    let minute = after(text, &mut at, b":")?;
    let second = after(text, &mut at, b":")?;
    let mut nanos = 0;
    if text.get(at) == Some(&b'.') {
        at += 1;
        let digits = text[at..].iter().take_while(|byte| byte.is_ascii_digit());
        let digits: Vec<_> = digits.copied().collect();
        if digits.is_empty() {
            return None;
        }
        at += digits.len();
        nanos = fraction(&digits);
    }
    let offset = offset(&text[at..])?;
    // 60 is a leap second.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let [month, day] = [month, day].map(|number| u32::try_from(number).ok());
    let days = calendar::days(year, month?, day?)?;
    let of_day = (hour * 60 + minute) * 60 + second - offset;
    Some(Timestamp {
        seconds: i64::try_from(days * 86_400 + i128::from(of_day)).ok()?,
        nanos,
    })
}

/// A time as a number of seconds, milliseconds, microseconds or nanoseconds since 1970: from 2001 to 2286 its size
/// determines the unit.
pub fn since_1970(number: &[u8]) -> Option<Timestamp> {
    let (mantissa, exponent) = match number.iter().position(|byte| b"eE".contains(byte)) {
        Some(at) => (
            &number[..at],
            std::str::from_utf8(&number[at + 1..]).ok()?.parse().ok()?,
        ),
        None => (number, 0_i32),
    };
    let point = mantissa.iter().position(|byte| *byte == b'.');
    let mut digits = mantissa.to_vec();
    digits.retain(|byte| *byte != b'.');
    if digits.len() > 40 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let whole = i32::try_from(point.unwrap_or(mantissa.len()));
    let whole = whole.ok()?.checked_add(exponent)?;
    if digits.first() == Some(&b'0') || ![10, 13, 16, 19].contains(&whole) {
        return None;
    }
    digits.resize(digits.len().max(19), b'0');
    let (seconds, rest) = digits.split_at(10);
    Some(Timestamp {
        seconds: std::str::from_utf8(seconds).ok()?.parse().ok()?,
        nanos: fraction(rest),
    })
}

/// The nanoseconds of a fraction of a second.
fn fraction(digits: &[u8]) -> u32 {
    let digits = digits.iter().copied().chain(std::iter::repeat(b'0'));
    digits
        .take(9)
        .fold(0, |nanos, digit| nanos * 10 + u32::from(digit - b'0'))
}

/// The two digits that follow one of these separators.
fn after(text: &[u8], at: &mut usize, separators: &[u8]) -> Option<i64> {
    separators.contains(text.get(*at)?).then_some(())?;
    *at += 1;
    number(text, at, 2..=2)
}

/// The number at `at`, whose number of digits is in `lengths`.
fn number(text: &[u8], at: &mut usize, lengths: std::ops::RangeInclusive<usize>) -> Option<i64> {
    let digits = text.get(*at..)?;
    let most = &digits[..digits.len().min(*lengths.end())];
    let length = most.iter().take_while(|byte| byte.is_ascii_digit()).count();
    *at += length;
    let digits = lengths.contains(&length).then(|| &most[..length])?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The offset of a time from UTC, in seconds: `Z`, `+02:00`, `+0200`, `+02`, ` UTC` or nothing.
fn offset(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii_start();
    let (sign, text) = match text {
        b"" | b"Z" | b"z" | b"UTC" => return Some(0),
        [b'+', text @ ..] => (1, text),
        [b'-', text @ ..] => (-1, text),
        _ => return None,
    };
    let mut at = 0;
    let hours = number(text, &mut at, 2..=2)?;
    at += usize::from(text.get(at) == Some(&b':'));
    let minutes = match &text[at..] {
        b"" => 0,
        rest => number(rest, &mut 0, 2..=2).filter(|_| rest.len() == 2)?,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(i64, u32)> {
        parse(text.as_bytes()).map(|time| (time.seconds, time.nanos))
    }

    #[test]
    fn times_are_read_in_the_forms_that_tools_write() {
        let micros = Some((1_777_629_540, 1_000));
        for text in [
            "2026-05-01T09:59:00.000001Z",
            "2026-05-01T09:59:00.000001000Z",
            "2026-05-01 09:59:00.000001",
            "2026-05-01T09:59:00.000001",
            "2026-05-01 09:59:00.000001+00",
            "2026-05-01 09:59:00.000001 UTC",
            "2026-05-01 11:59:00.000001+0200",
            "2026-05-01T11:59:00.000001+02:00",
            "2026-05-01 04:29:00.000001-05:30",
            "2026-05-01t09:59:00.000001z",
            "+002026-05-01T09:59:00.000001Z",
        ] {
            assert_eq!(read(text), micros, "{text}");
        }
        assert_eq!(read("2026-05-01T09:59:00Z"), Some((1_777_629_540, 0)));
        assert_eq!(
            read("2026-05-01T09:59:00.1234567899Z"),
            Some((1_777_629_540, 123_456_789))
        );
        assert_eq!(
            read("2016-12-31T23:59:60.5Z"),
            Some((1_483_228_800, 500_000_000))
        );
        assert_eq!(
            read("+012345-01-01T00:00:00.5Z"),
            Some((327_403_382_400, 500_000_000))
        );
        assert_eq!(
            read("12345-01-01T00:00:00.5Z"),
            Some((327_403_382_400, 500_000_000))
        );
        assert_eq!(read("-000001-12-31T23:59:59Z"), Some((-62_167_219_201, 0)));
        assert_eq!(read("+292277026596-12-04T15:30:07Z"), Some((i64::MAX, 0)));
    }

    #[test]
    fn numbers_are_counted_from_1970_where_their_size_says_in_what() {
        for text in [
            "1777629540",
            "1777629540000",
            "1777629540000000",
            "1777629540000000000",
            "1.77762954e9",
            "1777629540.0",
            "1777629540000.0",
            "1.77762954e+12",
        ] {
            assert_eq!(read(text), Some((1_777_629_540, 0)), "{text}");
        }
        let at = |text: &str| since_1970(text.as_bytes()).map(|time| (time.seconds, time.nanos));
        assert_eq!(at("1777629540.000001"), Some((1_777_629_540, 1_000)));
        assert_eq!(at("1777629540123.5"), Some((1_777_629_540, 123_500_000)));
        assert_eq!(
            at("1777629540123456789"),
            Some((1_777_629_540, 123_456_789))
        );
        for text in [
            "7",
            "-1777629540",
            "17776295400",
            "177762954000000",
            "0777629540",
            "1777629540e99999999999",
            "1777629540e2147483647",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "Z",
            "2026",
            "2026-05-01",
            "2026-05-01T09:59",
            "2026-13-01T09:59:00Z",
            "2026-02-29T09:59:00Z",
            "2026-05-01T24:00:00Z",
            "2026-05-01T09:60:00Z",
            "2026-05-01T09:59:61Z",
            "2026-05-01T09:59:00.Z",
            "2026-05-01T09:59:00X",
            "2026-05-01T09:59:00+2",
            "2026-05-01T09:59:00+02:0",
            "2026-05-01T09:59:00+25:00",
            "226-05-01T09:59:00Z",
            "2026-5-1T09:59:00Z",
            "+999999999999-01-01T00:00:00Z",
            "yesterday",
            "2026-05-01T09:59:00Zx",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
