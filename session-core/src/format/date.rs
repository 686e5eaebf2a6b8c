//! Dates in the two text forms that sessions need: ECMAScript's ISO 8601 and HTTP's.
//!
//! Node writes years outside 0..=9999 (`+010000-01-01T00:00:00.000Z`) and reads anything within
//! 8.64e15 milliseconds of 1970; the date libraries stop earlier or change their parsing for
//! everybody in the build. The tests hold this file against the `time` crate where both can count.

/// The largest distance from 1970 that an ECMAScript date has, in milliseconds.
pub(crate) const MAX_MILLIS: i64 = 8_640_000_000_000_000;

const MILLIS_PER_DAY: i64 = 86_400_000;
/// 9999-12-31T23:59:59.999Z, the last instant that an HTTP date can name.
const LAST_HTTP_DATE: i64 = 253_402_300_799_999;

struct Civil {
    year: i64,
    month: i64,
    day: i64,
    weekday: usize,
    hour: i64,
    minute: i64,
    second: i64,
    milli: i64,
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar.
///
/// Counts years from March, so that the leap day is the last one of its year.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil(millis: i64) -> Civil {
    let days = millis.div_euclid(MILLIS_PER_DAY);
    let rest = millis.rem_euclid(MILLIS_PER_DAY);
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    Civil {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day: day_of_year - (153 * march_month + 2) / 5 + 1,
        // 1970-01-01 was a Thursday.
        weekday: usize::try_from((days + 4).rem_euclid(7)).unwrap_or_default(),
        hour: rest / 3_600_000,
        minute: rest / 60_000 % 60,
        second: rest / 1_000 % 60,
        milli: rest % 1_000,
    }
}

/// Appends `YYYY-MM-DDTHH:mm:ss.sssZ`, as ECMAScript's `toISOString` does: always three digits of
/// milliseconds, a sign and six digits for years outside 0..=9999.
pub(crate) fn write_iso(out: &mut String, millis: i64) {
    let c = civil(millis);
    if (0..=9999).contains(&c.year) {
        push_digits::<4>(out, c.year);
    } else {
        out.push(if c.year < 0 { '-' } else { '+' });
        push_digits::<6>(out, c.year.abs());
    }
    for (separator, value) in [
        ('-', c.month),
        ('-', c.day),
        ('T', c.hour),
        (':', c.minute),
        (':', c.second),
    ] {
        out.push(separator);
        push_digits::<2>(out, value);
    }
    out.push('.');
    push_digits::<3>(out, c.milli);
    out.push('Z');
}

/// Appends the last `N` digits of a number. Every cookie with a max age passes here, where
/// formatting by `write!` would be a good part of its cost.
fn push_digits<const N: usize>(out: &mut String, mut value: i64) {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(value % 10).unwrap_or_default();
        value /= 10;
    }
    out.extend(digits.map(char::from));
}

/// Appends an HTTP date (RFC 9110, section 5.6.7, IMF-fixdate), milliseconds cut off.
///
/// Browsers ignore an `Expires` before 1601 and after 9999 (RFC 6265, section 5.1.1), which would
/// make a cookie that has ended, or that never ends, one that ends with the browser. Such an
/// instant is moved to 1970 or to the end of 9999.
pub(crate) fn write_http(out: &mut String, millis: i64) {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let c = civil(millis.clamp(0, LAST_HTTP_DATE));
    out.push_str(DAYS[c.weekday]);
    out.push_str(", ");
    push_digits::<2>(out, c.day);
    out.push(' ');
    out.push_str(MONTHS[usize::try_from(c.month - 1).unwrap_or_default()]);
    out.push(' ');
    push_digits::<4>(out, c.year);
    for (separator, value) in [(' ', c.hour), (':', c.minute), (':', c.second)] {
        out.push(separator);
        push_digits::<2>(out, value);
    }
    out.push_str(" GMT");
}

/// Reads a date in ECMAScript's format: the parts after the year may be missing, fractions of a
/// second are cut to milliseconds, an offset may be given; a time without one counts as UTC.
///
/// `None` where JavaScript would have an Invalid Date.
pub(crate) fn parse_iso(text: &str) -> Option<i64> {
    let mut rest = Cursor(text.as_bytes());
    let year = match rest.0.first()? {
        b'+' | b'-' => {
            let negative = rest.next()? == b'-';
            let year = rest.digits(6)?;
            if negative { -year } else { year }
        }
        _ => rest.digits(4)?,
    };
    let month = if rest.skip(b"-") { rest.digits(2)? } else { 1 };
    let day = if rest.skip(b"-") { rest.digits(2)? } else { 1 };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days_in_month).contains(&day) {
        return None;
    }
    let mut millis = days_from_civil(year, month, day) * MILLIS_PER_DAY;
    if rest.skip(b"Tt ") {
        millis += rest.time_of_day()? - rest.offset()?;
    }
    (rest.0.is_empty() && millis.abs() <= MAX_MILLIS).then_some(millis)
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// Steps over the next byte if it is one of `any`.
    fn skip(&mut self, any: &[u8]) -> bool {
        let found = self.0.first().is_some_and(|byte| any.contains(byte));
        if found {
            self.0 = &self.0[1..];
        }
        found
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        (0..count).try_fold(0, |sum, _| {
            let byte = self.next()?;
            byte.is_ascii_digit()
                .then(|| sum * 10 + i64::from(byte - b'0'))
        })
    }

    fn time_of_day(&mut self) -> Option<i64> {
        let hour = self.digits(2)?;
        if !self.skip(b":") {
            return None;
        }
        let minute = self.digits(2)?;
        let second = if self.skip(b":") { self.digits(2)? } else { 0 };
        let milli = if self.skip(b".,") {
            self.fraction()?
        } else {
            0
        };
        let sum = ((hour * 60 + minute) * 60 + second) * 1_000 + milli;
        // 24:00:00 names the end of the day.
        (minute < 60 && second < 60 && sum <= MILLIS_PER_DAY).then_some(sum)
    }

    fn fraction(&mut self) -> Option<i64> {
        let digits = self
            .0
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let millis = self.0[..digits]
            .iter()
            .chain(b"000")
            .take(3)
            .fold(0, |sum, byte| sum * 10 + i64::from(byte - b'0'));
        self.0 = &self.0[digits..];
        (digits > 0).then_some(millis)
    }

    fn offset(&mut self) -> Option<i64> {
        let sign = match self.0.first() {
            None => return Some(0),
            Some(b'Z' | b'z') => 0,
            Some(b'+') => 1,
            Some(b'-') => -1,
            Some(_) => return None,
        };
        self.next();
        if sign == 0 {
            return Some(0);
        }
        let hours = self.digits(2)?;
        self.skip(b":");
        let minutes = self.digits(2)?;
        (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::OffsetDateTime;
    use time::macros::format_description;

    fn iso(millis: i64) -> String {
        let mut out = String::new();
        write_iso(&mut out, millis);
        out
    }

    fn http(millis: i64) -> String {
        let mut out = String::new();
        write_http(&mut out, millis);
        out
    }

    #[test]
    fn agrees_with_the_time_crate_over_its_whole_range() {
        let iso_form = format_description!(
            version = 2,
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
        );
        let http_form = format_description!(
            version = 2,
            "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
        );
        // A step of a prime number of milliseconds meets every month, weekday and leap year.
        let mut millis = -62_167_219_200_000_i64;
        while millis <= LAST_HTTP_DATE {
            let there =
                OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).unwrap();
            let text = iso(millis);
            assert_eq!(text, there.format(iso_form).unwrap());
            assert_eq!(parse_iso(&text), Some(millis), "{text}");
            if millis >= 0 {
                assert_eq!(http(millis), there.format(http_form).unwrap());
            }
            millis += 7_919_000_003;
        }
    }

    #[test]
    fn years_beyond_four_digits_are_written_as_ecmascript_does() {
        assert_eq!(iso(MAX_MILLIS), "+275760-09-13T00:00:00.000Z");
        assert_eq!(iso(-MAX_MILLIS), "-271821-04-20T00:00:00.000Z");
        assert_eq!(iso(253_402_300_800_000), "+010000-01-01T00:00:00.000Z");
        for millis in [
            MAX_MILLIS,
            -MAX_MILLIS,
            253_402_300_800_000,
            -62_167_219_200_001,
        ] {
            assert_eq!(parse_iso(&iso(millis)), Some(millis));
        }
        assert_eq!(parse_iso("+275760-09-13T00:00:00.001Z"), None);
    }

    #[test]
    fn reads_the_forms_that_rows_hold() {
        let at = Some(1_767_323_105_678);
        assert_eq!(parse_iso("2026-01-02T03:05:05.678Z"), at);
        assert_eq!(parse_iso("2026-01-02T05:05:05.678901234+02:00"), at);
        assert_eq!(parse_iso("2026-01-01T22:05:05.678-0500"), at);
        assert_eq!(
            parse_iso("2026-01-02T03:05:05.67Z"),
            Some(1_767_323_105_670)
        );
        assert_eq!(parse_iso("2026-01-02T03:05:05Z"), Some(1_767_323_105_000));
        assert_eq!(parse_iso("2026-01-02 03:05"), Some(1_767_323_100_000));
        assert_eq!(parse_iso("2026-01-02"), Some(1_767_312_000_000));
        assert_eq!(parse_iso("2026-01-01T24:00:00Z"), Some(1_767_312_000_000));
        assert_eq!(parse_iso("2026"), Some(1_767_225_600_000));
        assert_eq!(parse_iso("2024-02-29T00:00:00Z"), Some(1_709_164_800_000));
    }

    #[test]
    fn refuses_what_is_no_date() {
        for text in [
            "",
            "junk",
            "2026-13-01",
            "2026-02-29",
            "2026-00-01",
            "2026-01-02T",
            "2026-01-02T3",
            "2026-01-02T03:05:05.Z",
            "2026-01-02T25:00:00Z",
            "2026-01-02T03:60:00Z",
            "2026-01-02T03:05:05Zjunk",
            "2026-01-02T24:00:01Z",
            "1767323105678",
            "2026-1-2",
            "2026-01-02T03:05:05+24:00",
            "é026-01-02",
        ] {
            assert_eq!(parse_iso(text), None, "{text}");
        }
    }

    #[test]
    fn http_dates_stay_where_browsers_read_them() {
        assert_eq!(http(-1), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http(MAX_MILLIS), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(http(1_767_323_105_678), "Fri, 02 Jan 2026 03:05:05 GMT");
    }
}
