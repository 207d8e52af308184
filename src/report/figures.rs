//! Numbers, spans of time and widths, as reports show them.

use std::fmt;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::model::event::Timestamp;
use crate::order::loss::Count;

/// The mark in place of text that was cut.
pub const CUT: &str = "…";

/// The nanoseconds from one time to another.
pub fn nanos_between(from: Timestamp, to: Timestamp) -> i128 {
    let nanos = |time: Timestamp| i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
    nanos(to) - nanos(from)
}

/// A span of time in nanoseconds, shown with the precision that a person needs: `54 ns`, `350 µs`, `20 ms`, `4.1 s`,
/// rounded; from a minute on, in whole seconds that have passed: `59:01`, `1:51:56`.
pub struct Span(pub i128);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = |unit: i128| (self.0 + unit / 2) / unit;
        let (micros, millis, tenths) = (rounded(1000), rounded(1_000_000), rounded(100_000_000));
        if self.0 < 1000 {
            return write!(f, "{} ns", self.0);
        }
        if micros < 1000 {
            return write!(f, "{micros} µs");
        }
        if millis < 1000 {
            return write!(f, "{millis} ms");
        }
        if tenths < 600 {
            return write!(f, "{}.{} s", tenths / 10, tenths % 10);
        }
        // A span that was rounded up to a minute must be a minute here, too.
        let seconds = (self.0 / 1_000_000_000).max(60);
        let (minutes, hours) = (seconds / 60, seconds / 3600);
        if hours == 0 {
            write!(f, "{minutes}:{:02}", seconds % 60)
        } else {
            write!(f, "{hours}:{:02}:{:02}", minutes % 60, seconds % 60)
        }
    }
}

/// The number of events per second: two digits below ten, whole numbers above.
pub fn rate(events: u64, nanos: i128) -> String {
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let rate = events as f64 * 1e9 / nanos as f64;
    if rate >= 9.95 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast from a float saturates"
        )]
        return Count(rate.round() as u64).to_string();
    }
    // As many decimals as it takes to show two significant digits.
    let mut digits = 1;
    while digits < 9 && rate * 10_f64.powi(digits) < 9.95 {
        digits += 1;
    }
    format!("{rate:.*}", digits.unsigned_abs() as usize)
}

/// A share in percent, with one digit after the point.
pub fn percent(part: u64, whole: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let percent = part as f64 * 100.0 / whole.max(1) as f64;
    format!("{percent:.1}")
}

/// A count with its noun: `1 event`, `no events`, `1,281 events`.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    match count {
        0 => format!("no {many}"),
        1 => format!("1 {one}"),
        _ => format!("{} {many}", Count(count)),
    }
}

/// The number of terminal cells that a text takes.
pub fn cells(text: &str) -> usize {
    text.width()
}

/// Cuts a text at its end to this many cells.
pub fn cut(text: &str, room: usize) -> String {
    if cells(text) <= room {
        return text.to_owned();
    }
    let mut left = room.saturating_sub(cells(CUT));
    let fits = |c: &char| {
        let width = c.width().unwrap_or(0);
        let fits = width <= left;
        left = if fits { left - width } else { 0 };
        fits
    };
    let mut cut: String = text.chars().take_while(fits).collect();
    cut.push_str(CUT);
    cut
}

/// Cuts a path in its middle to this many cells, by whole components: as many as fit, a third of them from its
/// beginning. If not even the first and the last fit, it is cut at its end.
pub fn cut_path(path: &str, room: usize) -> String {
    if cells(path) <= room {
        return path.to_owned();
    }
    let (slash, rest) = match path.strip_prefix('/') {
        Some(rest) => ("/", rest),
        None => ("", path),
    };
    let components: Vec<_> = rest.split('/').collect();
    for kept in (2..components.len()).rev() {
        let first = (kept / 3).max(1);
        let (head, tail) = (
            components[..first].join("/"),
            components[components.len() - (kept - first)..].join("/"),
        );
        let path = format!("{slash}{head}/{CUT}/{tail}");
        if cells(&path) <= room {
            return path;
        }
    }
    cut(path, room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_the_precision_that_a_person_needs() {
        for (nanos, shown) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1000, "1 µs"),
            (999_499, "999 µs"),
            (999_500, "1 ms"),
            (20_500_000, "21 ms"),
            (999_499_999, "999 ms"),
            (999_500_000, "1.0 s"),
            (59_949_999_999, "59.9 s"),
            (59_950_000_000, "1:00"),
            (60_000_000_000, "1:00"),
            (3_541_545_577_905, "59:01"),
            (3_600_000_000_000, "1:00:00"),
            (93_784_000_000_000, "26:03:04"),
        ] {
            assert_eq!(Span(nanos).to_string(), shown);
        }
    }

    #[test]
    fn rates_have_two_digits() {
        const SECOND: i128 = 1_000_000_000;
        for (events, seconds, shown) in [
            (499, 3542, "0.14"),
            (1, 700, "0.0014"),
            (42, 10, "4.2"),
            (999, 100, "10"),
            (994, 100, "9.9"),
            (123, 10, "12"),
            (1_500_000, 1, "1,500,000"),
        ] {
            assert_eq!(rate(events, seconds * SECOND), shown);
        }
    }

    #[test]
    fn paths_are_cut_in_their_middle() {
        let path = "/System/Library/Frameworks/CoreServices.framework/Versions/A/Frameworks/Metadata.framework\
                    /Versions/A/Support/mds_stores";
        for (room, shown) in [
            (200, path),
            (
                71,
                "/System/Library/…/Metadata.framework/Versions/A/Support/mds_stores",
            ),
            (38, "/System/…/A/Support/mds_stores"),
            (20, "/System/…/mds_stores"),
            (19, "/System/Library/Fr…"),
        ] {
            assert_eq!(cut_path(path, room), shown);
        }
        assert_eq!(cut_path("a/b/c", 5), "a/b/c");
        assert_eq!(cut_path("aaa/bbb/c", 7), "aaa/…/c");
        assert_eq!(cut_path("/short", 4), "/sh…");
        assert_eq!(cut_path("///////", 4), "//…/");
    }

    #[test]
    fn texts_are_cut_by_cells() {
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("abc", 1), "…");
    }
}
