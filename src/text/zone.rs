//! The local time zone.

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::io::Read as _;
use std::sync::LazyLock;

use chrono::{FixedOffset, MappedLocalTime, NaiveDate, NaiveDateTime, Offset as _, TimeZone};
use rustix::fs::{Mode, OFlags};
use tz::TimeZoneSettings;

/// The maximum size of a file that describes a time zone, in bytes; those of the IANA take a few kilobytes.
const MAX_SIZE: u64 = 1 << 20;

/// No time zone is further from UTC.
const DAY: i64 = 86_400;

/// The local time zone: that of `TZ` if it is set, otherwise the system's; UTC if there is none, as for localtime(3).
///
/// It is determined once, at the first use. chrono's own `Local` determines it in each thread, when the thread meets
/// its first time, and opens whatever `TZ` names: a FIFO would stop the program forever.
#[derive(Clone, Copy, Debug)]
pub struct Local;

static ZONE: LazyLock<tz::TimeZone> = LazyLock::new(|| {
    let settings = TimeZoneSettings::new(TimeZoneSettings::DEFAULT_DIRECTORIES, read);
    let zone = match env::var_os("TZ") {
        None => settings.parse_local(),
        Some(name) => settings.parse_posix_tz(name.to_str().unwrap_or_default()),
    };
    zone.unwrap_or_else(|_| tz::TimeZone::utc())
});

/// Reads a file that describes a time zone. Opens only regular files.
fn read(path: &str) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let is_regular = |metadata: &fs::Metadata| metadata.is_file() && metadata.len() <= MAX_SIZE;
    if !is_regular(&fs::metadata(path)?) {
        return Err("not a regular file".into());
    }
    // The file may have been replaced by another one meanwhile.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if !is_regular(&file.metadata()?) {
        return Err("not a regular file".into());
    }
    let mut bytes = Vec::new();
    file.take(MAX_SIZE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The offset of the zone from UTC at a time, in seconds; 0 if the zone doesn't define it.
fn offset_at(zone: &tz::TimeZone, seconds: i64) -> FixedOffset {
    let kind = zone.find_local_time_type(seconds);
    let offset = kind.map_or(0, tz::LocalTimeType::ut_offset);
    FixedOffset::east_opt(offset).unwrap_or_else(|| chrono::Utc.fix())
}

/// The offsets that the zone has from UTC when its clocks show a time: none while they are put forward, two while they
/// are put back.
fn offsets_of_local(zone: &tz::TimeZone, time: &NaiveDateTime) -> MappedLocalTime<FixedOffset> {
    let seconds = time.and_utc().timestamp();
    let [before, after] = [-DAY, DAY].map(|days| offset_at(zone, seconds + days));
    let is_right = |offset: &FixedOffset| {
        let utc = seconds - i64::from(offset.local_minus_utc());
        offset_at(zone, utc) == *offset
    };
    match (is_right(&before), is_right(&after)) {
        (true, true) if before != after => MappedLocalTime::Ambiguous(before, after),
        (true, _) => MappedLocalTime::Single(before),
        (_, true) => MappedLocalTime::Single(after),
        _ => MappedLocalTime::None,
    }
}

impl TimeZone for Local {
    type Offset = FixedOffset;

    fn from_offset(_: &FixedOffset) -> Self {
        Local
    }

    fn offset_from_local_date(&self, local: &NaiveDate) -> MappedLocalTime<FixedOffset> {
        self.offset_from_local_datetime(&local.and_time(chrono::NaiveTime::MIN))
    }

    fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> MappedLocalTime<FixedOffset> {
        offsets_of_local(&ZONE, local)
    }

    fn offset_from_utc_date(&self, utc: &NaiveDate) -> FixedOffset {
        self.offset_from_utc_datetime(&utc.and_time(chrono::NaiveTime::MIN))
    }

    fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> FixedOffset {
        offset_at(&ZONE, utc.and_utc().timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").expect("a time")
    }

    #[test]
    fn a_time_of_clocks_has_one_offset_except_where_they_are_changed() {
        let zone = tz::TimeZone::from_posix_tz("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
        let hours = |hours| FixedOffset::east_opt(hours * 3600).expect("an offset");
        for (text, expected) in [
            ("2026-01-15 12:00", MappedLocalTime::Single(hours(1))),
            ("2026-07-15 12:00", MappedLocalTime::Single(hours(2))),
            ("2026-03-29 01:59", MappedLocalTime::Single(hours(1))),
            ("2026-03-29 02:30", MappedLocalTime::None),
            ("2026-03-29 03:00", MappedLocalTime::Single(hours(2))),
            ("2026-10-25 01:59", MappedLocalTime::Single(hours(2))),
            (
                "2026-10-25 02:30",
                MappedLocalTime::Ambiguous(hours(2), hours(1)),
            ),
            ("2026-10-25 03:00", MappedLocalTime::Single(hours(1))),
        ] {
            assert_eq!(offsets_of_local(&zone, &local(text)), expected, "{text}");
        }
        // Too far in the future for the zone to define.
        assert_eq!(offset_at(&zone, i64::MAX), hours(0));
    }
}
