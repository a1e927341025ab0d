//! Date and time as header fields write them (RFC 5322 §3.3).

use std::fmt;
use time::{OffsetDateTime, UtcOffset};

/// A point in time and the zone it is told in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(OffsetDateTime);

impl Date {
    /// The point `unix_s` seconds after 1970 began (UTC), told in a zone `offset_minutes` east of Greenwich. `None`
    /// outside the years that four digits can write and offsets under a day.
    #[must_use]
    pub fn new(unix_s: i64, offset_minutes: i32) -> Option<Self> {
        let offset = UtcOffset::from_whole_seconds(offset_minutes.checked_mul(60)?).ok()?;
        let date = OffsetDateTime::from_unix_timestamp(unix_s).ok()?.checked_to_offset(offset)?;
        (0..=9999).contains(&date.year()).then_some(Self(date))
    }

    /// Its digits without separators, `YYYYMMDDhhmmss`, as they read in its zone.
    #[must_use]
    pub fn digits(self) -> String {
        let d = self.0;
        let (month, day) = (u8::from(d.month()), d.day());
        format!("{:04}{month:02}{day:02}{:02}{:02}{:02}", d.year(), d.hour(), d.minute(), d.second())
    }
}

/// `Tue, 9 Mar 2010 17:11:30 +0800`.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let d = self.0;
        // The first three letters of the English names are the RFC's abbreviations.
        let (weekday, month) = (d.weekday().to_string(), d.month().to_string());
        write!(f, "{weekday:.3}, {} {month:.3} {:04} ", d.day(), d.year())?;
        write!(f, "{:02}:{:02}:{:02} ", d.hour(), d.minute(), d.second())?;
        let minutes = d.offset().whole_minutes();
        let sign = if minutes < 0 { '-' } else { '+' };
        write!(f, "{sign}{:02}{:02}", minutes.abs() / 60, minutes.abs() % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_note_and_the_rfc_write_it() {
        assert_eq!(Date::new(1_268_125_890, 480).unwrap().to_string(), "Tue, 9 Mar 2010 17:11:30 +0800");
        assert_eq!(Date::new(880_127_706, -360).unwrap().to_string(), "Fri, 21 Nov 1997 09:55:06 -0600");
        assert_eq!(Date::new(0, -15).unwrap().to_string(), "Wed, 31 Dec 1969 23:45:00 -0015");
        assert_eq!(Date::new(1_268_125_890, 480).unwrap().digits(), "20100309171130");
        assert_eq!(Date::new(i64::MAX, 0), None);
        assert_eq!(Date::new(0, 60 * 48), None);
    }
}
