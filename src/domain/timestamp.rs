//! A moment, in milliseconds since 1970, written as RFC 3339 in UTC.
//!
//! The browser needs only this one form, so a date library would be dead weight in the WASM. The
//! server checks this code against such a library in its tests.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema), schema(value_type = String, format = DateTime))]
pub struct Timestamp(pub i64);

const MS_PER_DAY: i64 = 86_400_000;
const YEAR_0: i64 = -62_167_219_200_000;
const YEAR_9999_END: i64 = 253_402_300_799_999;

impl Timestamp {
    /// `2026-11-22T13:34:50.000Z`: always milliseconds, always `Z`, and four digits of the year, as
    /// RFC 3339 has them: what lies outside of them is the first or last moment there is.
    pub fn to_rfc3339(self) -> String {
        let at = self.0.clamp(YEAR_0, YEAR_9999_END);
        let ms = at.rem_euclid(MS_PER_DAY);
        let (year, month, day) = civil_from_days(at.div_euclid(MS_PER_DAY));
        // By hand: a page has dozens of them, and `format!` takes ten times as long.
        let mut text = String::with_capacity(24);
        for (value, digits, after) in [
            (year, 4, '-'),
            (month, 2, '-'),
            (day, 2, 'T'),
            (ms / 3_600_000, 2, ':'),
            (ms / 60_000 % 60, 2, ':'),
            (ms / 1000 % 60, 2, '.'),
            (ms % 1000, 3, 'Z'),
        ] {
            for place in (0..digits).rev() {
                let digit = value / 10_i64.pow(place) % 10;
                text.push(char::from(b'0' + u8::try_from(digit).unwrap_or(0)));
            }
            text.push(after);
        }
        text
    }

    /// Reads what [`Timestamp::to_rfc3339`] writes; the fraction may be missing.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() < 20 || !text.is_ascii() || !text.ends_with('Z') {
            return None;
        }
        let number = |from: usize, to: usize| {
            let digits = text.get(from..to)?;
            // `parse` alone would take a sign.
            let plain = digits.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| digits.parse::<i64>().ok())?
        };
        for (at, sign) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')] {
            if bytes[at] != sign {
                return None;
            }
        }
        let ms = match bytes.len() {
            20 => 0,
            24 if bytes[19] == b'.' => number(20, 23)?,
            _ => return None,
        };
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        if !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let days = days_from_civil(year, month, day);
        // A day the month does not have comes back as another.
        if civil_from_days(days) != (year, month, day) {
            return None;
        }
        Some(Self(
            days * MS_PER_DAY + ((hour * 60 + minute) * 60 + second) * 1000 + ms,
        ))
    }

    /// How long ago, in the fewest words: `just now`, `2 min ago`, `3 h ago`, `5 days ago`, then
    /// the day (`21 Nov 2026`). A moment ahead of `now` (two clocks disagree) counts as just now.
    pub fn ago(self, now: Self) -> String {
        let minutes = (now.0 - self.0) / 60_000;
        match minutes {
            ..1 => "just now".to_owned(),
            1..60 => format!("{minutes} min ago"),
            60..1440 => format!("{} h ago", minutes / 60),
            1440..2880 => "yesterday".to_owned(),
            2880..20160 => format!("{} days ago", minutes / 1440),
            _ => self.day(),
        }
    }

    /// `21 Nov 2026`, in UTC.
    pub fn day(self) -> String {
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let (year, month, day) = civil_from_days(self.0.div_euclid(MS_PER_DAY));
        let month = usize::try_from(month - 1).unwrap_or(0);
        format!("{day} {} {year}", MONTHS[month])
    }
}

/// Days to a date of the proleptic Gregorian calendar; Howard Hinnant's `civil_from_days`.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`civil_from_days`].
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = year - i64::from(month <= 2);
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let doy = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_rfc3339())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("not an RFC 3339 time in UTC"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_known_moments() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_354_490_123, "2026-11-22T13:34:50.123Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp(ms).to_rfc3339(), text);
            assert_eq!(Timestamp::parse(text), Some(Timestamp(ms)));
        }
        let first = Timestamp(i64::MIN).to_rfc3339();
        assert_eq!(first, "0000-01-01T00:00:00.000Z");
        let last = Timestamp(i64::MAX).to_rfc3339();
        assert_eq!(last, "9999-12-31T23:59:59.999Z");
        assert_eq!(
            Timestamp::parse("2026-11-22T13:34:50Z"),
            Some(Timestamp(1_795_354_490_000))
        );
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "2026-11-22",
            "2026-11-22T13:34:50+01:00",
            "2026-13-22T13:34:50Z",
            "2026-11-22T24:34:50Z",
            "2026-11-22 13:34:50Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn says_how_long_ago() {
        let now = Timestamp(1_795_354_490_123);
        let ago = |minutes: i64| Timestamp(now.0 - minutes * 60_000).ago(now);
        assert_eq!(ago(0), "just now");
        assert_eq!(ago(-5), "just now");
        assert_eq!(ago(2), "2 min ago");
        assert_eq!(ago(190), "3 h ago");
        assert_eq!(ago(1500), "yesterday");
        assert_eq!(ago(4 * 1440), "4 days ago");
        assert_eq!(ago(30 * 1440), "23 Oct 2026");
    }
}
