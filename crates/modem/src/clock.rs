//! The modem's real-time clock: what +CCLK sets and reads, and what mails are dated by (note §1, "RTC").
//!
//! Not here: the time itself, which is passed in.

use mail::machine::Instant;
use mail::mime::date::Date;
use time::{Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

/// A point in time and its zone, as the modem is given it at power-on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Seconds since 1970 began, UTC.
    pub unix_s: i64,
    /// The zone, in quarter hours east of Greenwich: −47 to 48.
    pub zone_quarters: i32,
}

impl Calendar {
    /// The modem's time when nobody has set it: `80/01/06,00:00:00`.
    pub const UNSET: Self = Self { unix_s: 315_964_800, zone_quarters: 0 };

    /// Reads `yy/MM/dd,hh:mm:ss` with a zone behind it (`+32`), or in the zone `zone_quarters`. `None` for what is no
    /// such time.
    #[must_use]
    pub fn parse(text: &[u8], zone_quarters: i32) -> Option<Self> {
        let (time, zone) = text.split_at_checked("yy/MM/dd,hh:mm:ss".len())?;
        let &[y1, y2, b'/', m1, m2, b'/', d1, d2, b',', h1, h2, b':', n1, n2, b':', s1, s2] = time else {
            return None;
        };
        let two =
            |a: u8, b: u8| (a.is_ascii_digit() && b.is_ascii_digit()).then(|| (a - b'0') * 10 + b - b'0');
        let zone_quarters = match zone {
            [] => zone_quarters,
            &[sign @ (b'+' | b'-'), a, b] => {
                let quarters = i32::from(two(a, b)?);
                let quarters = if sign == b'-' { -quarters } else { quarters };
                (-47..=48).contains(&quarters).then_some(quarters)?
            }
            _ => return None,
        };
        // GPS time, and with it the modules' calendar, begins in 1980.
        let year = i32::from(two(y1, y2)?);
        let year = if year >= 80 { 1900 + year } else { 2000 + year };
        let month = Month::try_from(two(m1, m2)?).ok()?;
        let date = time::Date::from_calendar_date(year, month, two(d1, d2)?).ok()?;
        let time = Time::from_hms(two(h1, h2)?, two(n1, n2)?, two(s1, s2)?).ok()?;
        let local_s = PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp();
        Some(Self { unix_s: local_s - i64::from(zone_quarters) * 15 * 60, zone_quarters })
    }
}

/// Runs from the moment it was set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    set_to: Calendar,
    set_at: Instant,
}

impl Clock {
    pub(crate) const fn new(calendar: Calendar, now: Instant) -> Self {
        Self { set_to: calendar, set_at: now }
    }

    /// What +CCLK reads: `08/11/28,12:30:35+32`.
    pub(crate) fn read(&self, now: Instant) -> String {
        let t = self.local(self.unix_s(now));
        let (month, zone) = (u8::from(t.month()), self.set_to.zone_quarters);
        let (year, day) = (t.year().rem_euclid(100), t.day());
        format!("{year:02}/{month:02}/{day:02},{:02}:{:02}:{:02}{zone:+03}", t.hour(), t.minute(), t.second())
    }

    /// Another time in the clock's zone, as +FSATTRI tells it: `2008/04/28 10:24:46 Mon`.
    pub(crate) fn tell(&self, unix_s: i64) -> String {
        let t = self.local(unix_s);
        let weekday = t.weekday().to_string();
        let (year, month, day) = (t.year(), u8::from(t.month()), t.day());
        let (hour, minute, second) = (t.hour(), t.minute(), t.second());
        format!("{year:04}/{month:02}/{day:02} {hour:02}:{minute:02}:{second:02} {weekday:.3}")
    }

    /// Sets it as [`Calendar::parse`] reads a time. `None` for what is no time; nothing has changed then.
    pub(crate) fn set(&mut self, text: &[u8], now: Instant) -> Option<()> {
        *self = Self::new(Calendar::parse(text, self.set_to.zone_quarters)?, now);
        Some(())
    }

    /// The time as a mail's folder is named by it: `YYMMDDHHMMSS`.
    pub(crate) fn digits(&self, now: Instant) -> Option<String> {
        self.date(now)?.digits().get(2..).map(str::to_owned)
    }

    /// The date of a mail composed now.
    pub(crate) fn date(&self, now: Instant) -> Option<Date> {
        Date::new(self.unix_s(now), self.set_to.zone_quarters.checked_mul(15)?)
    }

    fn unix_s(&self, now: Instant) -> i64 {
        let run = i64::try_from(now.since(self.set_at).as_secs()).unwrap_or(i64::MAX);
        self.set_to.unix_s.saturating_add(run)
    }

    fn local(&self, unix_s: i64) -> OffsetDateTime {
        let utc = OffsetDateTime::from_unix_timestamp(unix_s).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let zone = UtcOffset::from_whole_seconds(self.set_to.zone_quarters.saturating_mul(15 * 60));
        utc.checked_to_offset(zone.unwrap_or(UtcOffset::UTC)).unwrap_or(utc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(text: &str) -> Option<String> {
        let mut clock = Clock::new(Calendar::UNSET, Instant::POWER_ON);
        clock.set(text.as_bytes(), Instant::from_ms(5_000))?;
        Some(clock.read(Instant::from_ms(6_999)))
    }

    #[test]
    fn reads_as_set_and_runs() {
        assert_eq!(read_back("08/11/28,12:30:35+32").as_deref(), Some("08/11/28,12:30:36+32"));
        assert_eq!(read_back("99/12/31,23:59:59-47").as_deref(), Some("00/01/01,00:00:00-47"));
        assert_eq!(read_back("08/11/28,12:30:35").as_deref(), Some("08/11/28,12:30:36+00"));
        let fresh = Clock::new(Calendar::UNSET, Instant::POWER_ON);
        assert_eq!(fresh.read(Instant::POWER_ON), "80/01/06,00:00:00+00");
    }

    #[test]
    fn other_times_are_told_in_its_zone() {
        let mut clock = Clock::new(Calendar::UNSET, Instant::POWER_ON);
        clock.set(b"10/03/09,17:11:30+32", Instant::POWER_ON).unwrap();
        assert_eq!(clock.tell(1_209_349_486), "2008/04/28 10:24:46 Mon");
        assert_eq!(clock.tell(i64::MAX), "1970/01/01 08:00:00 Thu");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "08/11/28",
            "08/13/28,12:30:35",
            "08/02/30,12:30:35",
            "08/11/28,24:30:35",
            "08/11/28,12:30:35+49",
            "08/11/28,12:30:35-48",
            "08/11/28,12:30:35+3",
            "08-11-28,12:30:35",
            "08/11/28,12:30:3x",
        ] {
            assert_eq!(read_back(text), None, "{text}");
        }
    }

    #[test]
    fn a_zone_changes_how_a_time_is_told_and_not_when_it_is() {
        let mut clock = Clock::new(Calendar::UNSET, Instant::POWER_ON);
        clock.set(b"10/03/09,17:11:30+32", Instant::POWER_ON).unwrap();
        assert_eq!(clock.date(Instant::POWER_ON).unwrap().to_string(), "Tue, 9 Mar 2010 17:11:30 +0800");
    }
}
