//! Times in queries: milliseconds, ISO 8601, and date math such as `now-7d/d`.

use time::{Date, Month};

use crate::error::ApiError;

/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;
/// The Julian day number of 1970-01-01.
const EPOCH_JULIAN_DAY: i64 = 2_440_588;

/// The end of the interval that a rounded or partial time stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    Down,
    Up,
}

/// Parses a time into milliseconds since 1970. `now_ms` is the value of `now`.
pub(crate) fn parse(text: &str, now_ms: i64, round: Round) -> Result<i64, ApiError> {
    let refuse = || {
        ApiError::parse(format!(
            "failed to parse date field [{text}] with format [strict_date_optional_time||epoch_millis]"
        ))
    };
    let (start, math) = if let Some(math) = text.strip_prefix("now") {
        (now_ms, math)
    } else if let Some((date, math)) = text.split_once("||") {
        (moment(date, Round::Down).ok_or_else(refuse)?, math)
    } else {
        (moment(text, round).ok_or_else(refuse)?, "")
    };
    apply(start, math, round).ok_or_else(refuse)
}

/// Formats a time as ISO 8601 with milliseconds. Times beyond the years -9999 to 9999 are shown as
/// the first or last one of these years.
pub(crate) fn format(ms: i64) -> String {
    let ms = ms.clamp(start_of(Date::MIN), start_of(Date::MAX) + DAY_MS - 1);
    let date = date_of(ms).unwrap_or(Date::MIN);
    let rest = ms.rem_euclid(DAY_MS);
    format!(
        "{date}T{:02}:{:02}:{:02}.{:03}Z",
        rest / 3_600_000,
        rest / 60_000 % 60,
        rest / 1_000 % 60,
        rest % 1_000
    )
}

/// Format of times in responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    DateTime,
    DateTimeWithoutMillis,
    Date,
    EpochMillis,
    EpochSecond,
}

impl Format {
    /// The format with one of Elasticsearch's names. Of several names the first counts.
    pub(crate) fn named(names: &str) -> Result<Self, ApiError> {
        let name = names.split("||").next().unwrap_or_default();
        Ok(match name.strip_prefix("strict_").unwrap_or(name) {
            "date_optional_time" | "date_optional_time_nanos" | "date_time" | "iso8601" => {
                Self::DateTime
            }
            "date_time_no_millis" => Self::DateTimeWithoutMillis,
            "date" | "year_month_day" | "yyyy-MM-dd" | "uuuu-MM-dd" => Self::Date,
            "epoch_millis" => Self::EpochMillis,
            "epoch_second" => Self::EpochSecond,
            _ => {
                return Err(ApiError::illegal(format!(
                    "Invalid format: [{names}]: only named formats are supported"
                )));
            }
        })
    }

    pub(crate) fn format(self, ms: i64) -> String {
        let text = || format(ms);
        match self {
            Self::DateTime => text(),
            Self::DateTimeWithoutMillis => {
                format!("{}Z", text().split('.').next().unwrap_or_default())
            }
            Self::Date => text().split('T').next().unwrap_or_default().to_owned(),
            Self::EpochMillis => ms.to_string(),
            Self::EpochSecond => ms.div_euclid(1_000).to_string(),
        }
    }

    /// Parses a time that this format may have written.
    pub(crate) fn parse(self, text: &str, now_ms: i64) -> Result<i64, ApiError> {
        match (self, text.parse::<i64>()) {
            (Self::EpochSecond, Ok(seconds)) => Ok(seconds.saturating_mul(1_000)),
            _ => parse(text, now_ms, Round::Down),
        }
    }
}

fn moment(text: &str, round: Round) -> Option<i64> {
    // Four digits are a year.
    if text.len() <= 16
        && text.len() != 4
        && let Ok(ms) = text.parse::<i64>()
    {
        return Some(ms);
    }
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let two_digits = |part: &str| number(part, 2).and_then(|number| u8::try_from(number).ok());
    let year = i32::try_from(number(parts.next()?, 4)?).ok()?;
    let month = parts.next().map(two_digits);
    let day = parts.next().map(two_digits);
    if parts.next().is_some() {
        return None;
    }
    let calendar_month = Month::try_from(month.unwrap_or(Some(1))?).ok()?;
    let date = Date::from_calendar_date(year, calendar_month, day.unwrap_or(Some(1))?).ok()?;
    let start = start_of(date);
    match time.filter(|time| !time.is_empty()) {
        Some(time) => Some(start + time_of_day(time, round)?),
        None if round == Round::Down => Some(start),
        None if day.is_some() => Some(start + DAY_MS - 1),
        None if month.is_some() => Some(add_months(start, 1)? - 1),
        None => Some(add_months(start, 12)? - 1),
    }
}

fn time_of_day(text: &str, round: Round) -> Option<i64> {
    let (clock, offset_ms) = if let Some(clock) = text.strip_suffix('Z') {
        (clock, 0)
    } else if let Some(at) = text.rfind(['+', '-']) {
        let (clock, zone) = (text.get(..at)?, text.get(at + 1..)?);
        let (hours, minutes) = match zone.split_once(':') {
            Some((hours, minutes)) => (number(hours, 2)?, number(minutes, 2)?),
            None => (
                number(zone.get(..2)?, 2)?,
                number(zone.get(2..)?, 2).unwrap_or(0),
            ),
        };
        let offset = (hours * 60 + minutes) * 60_000;
        (
            clock,
            if text.get(at..=at)? == "-" {
                -offset
            } else {
                offset
            },
        )
    } else {
        (text, 0)
    };
    let mut parts = clock.split(':');
    let hours = number(parts.next()?, 2)?;
    let minutes = parts.next().map(|part| number(part, 2));
    let seconds = parts.next();
    if parts.next().is_some() || hours > 23 {
        return None;
    }
    let (mut ms, mut last) = (hours * 3_600_000, 3_600_000 - 1);
    if let Some(minutes) = minutes {
        ms += minutes.filter(|minutes| *minutes < 60)? * 60_000;
        last = 60_000 - 1;
    }
    if let Some(seconds) = seconds {
        let (whole, fraction) = seconds.split_once(['.', ',']).unwrap_or((seconds, ""));
        ms += number(whole, 2).filter(|seconds| *seconds < 60)? * 1_000;
        last = 999;
        if !fraction.is_empty() {
            if fraction.len() > 9 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
                return None;
            }
            ms += format!("{fraction:0<3}").get(..3)?.parse::<i64>().ok()?;
            last = 0;
        }
    }
    let last = if round == Round::Up { last } else { 0 };
    Some(ms + last - offset_ms)
}

fn number(text: &str, digits: usize) -> Option<i64> {
    (text.len() == digits && text.bytes().all(|digit| digit.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

fn apply(start: i64, math: &str, round: Round) -> Option<i64> {
    let mut moment = start;
    let mut rest = math.chars().peekable();
    while let Some(operator) = rest.next() {
        let mut digits = String::new();
        while let Some(digit) = rest.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        let unit = rest.next()?;
        let amount: i64 = if digits.is_empty() {
            1
        } else {
            digits.parse().ok()?
        };
        moment = match operator {
            '+' => add(moment, amount, unit)?,
            '-' => add(moment, -amount, unit)?,
            '/' if digits.is_empty() => {
                let floor = floor(moment, unit)?;
                match round {
                    Round::Down => floor,
                    Round::Up => add(floor, 1, unit)? - 1,
                }
            }
            _ => return None,
        };
    }
    Some(moment)
}

fn add(moment: i64, amount: i64, unit: char) -> Option<i64> {
    let ms = match unit {
        'y' => return add_months(moment, amount.checked_mul(12)?),
        'M' => return add_months(moment, amount),
        'w' => 7 * DAY_MS,
        'd' => DAY_MS,
        'h' | 'H' => 3_600_000,
        'm' => 60_000,
        's' => 1_000,
        _ => return None,
    };
    moment.checked_add(amount.checked_mul(ms)?)
}

fn floor(moment: i64, unit: char) -> Option<i64> {
    let day = moment.div_euclid(DAY_MS);
    let (count, ms) = match unit {
        'y' => {
            let date = date_of(moment)?;
            return Some(start_of(date.replace_ordinal(1).ok()?));
        }
        'M' => {
            let date = date_of(moment)?;
            return Some(start_of(date.replace_day(1).ok()?));
        }
        // 1970 began on a Thursday; weeks begin on Monday.
        'w' => (day - (day + 3).rem_euclid(7), DAY_MS),
        'd' => (day, DAY_MS),
        'h' | 'H' => (moment.div_euclid(3_600_000), 3_600_000),
        'm' => (moment.div_euclid(60_000), 60_000),
        's' => (moment.div_euclid(1_000), 1_000),
        _ => return None,
    };
    // The first day within i64 has no start within it.
    count.checked_mul(ms)
}

/// Adds months. The day of the month is limited to the length of the resulting month.
fn add_months(moment: i64, amount: i64) -> Option<i64> {
    let date = date_of(moment)?;
    let months = (i64::from(date.year()) * 12 + i64::from(u8::from(date.month()) - 1))
        .checked_add(amount)?;
    let year = i32::try_from(months.div_euclid(12)).ok()?;
    let month = Month::try_from(u8::try_from(months.rem_euclid(12) + 1).ok()?).ok()?;
    let day = date.day().min(month.length(year));
    let date = Date::from_calendar_date(year, month, day).ok()?;
    Some(start_of(date) + moment.rem_euclid(DAY_MS))
}

/// The date of a time; `None` beyond the years -9999 to 9999.
fn date_of(moment: i64) -> Option<Date> {
    let day = moment.div_euclid(DAY_MS) + EPOCH_JULIAN_DAY;
    Date::from_julian_day(i32::try_from(day).ok()?).ok()
}

/// The first millisecond of a date.
fn start_of(date: Date) -> i64 {
    (i64::from(date.to_julian_day()) - EPOCH_JULIAN_DAY) * DAY_MS
}

#[cfg(test)]
mod tests {
    use super::{Round, format, parse};

    // 2024-02-29T12:34:56.789Z
    const NOW: i64 = 1_709_210_096_789;

    fn down(text: &str) -> Option<String> {
        parse(text, NOW, Round::Down).ok().map(format)
    }

    #[test]
    fn dates_and_date_math_are_parsed() {
        assert_eq!(down("now").unwrap(), "2024-02-29T12:34:56.789Z");
        assert_eq!(down("now-1d/d").unwrap(), "2024-02-28T00:00:00.000Z");
        assert_eq!(down("now+1y").unwrap(), "2025-02-28T12:34:56.789Z");
        assert_eq!(down("now/w").unwrap(), "2024-02-26T00:00:00.000Z");
        assert_eq!(down("1709210096789").unwrap(), "2024-02-29T12:34:56.789Z");
        assert_eq!(down("2024-01-31||+1M").unwrap(), "2024-02-29T00:00:00.000Z");
        assert_eq!(
            down("2024-02-29T12:00:00+02:00").unwrap(),
            "2024-02-29T10:00:00.000Z"
        );
        assert_eq!(
            down("1969-12-31T23:59:59.5Z").unwrap(),
            "1969-12-31T23:59:59.500Z"
        );
        let up = parse("2024-02", NOW, Round::Up).map(format).unwrap();
        assert_eq!(up, "2024-02-29T23:59:59.999Z");
    }

    #[test]
    fn malformed_dates_are_refused() {
        for text in [
            "",
            "tomorrow",
            "now+",
            "now-1x",
            "2023-02-29",
            "now/7d",
            "2024-13",
            "now+99999999999y",
            // Before the first millisecond within i64.
            "0||-9223372036854775s/d",
            "0||-9223372036854775s/y",
        ] {
            assert_eq!(down(text), None, "{text}");
        }
    }
}
