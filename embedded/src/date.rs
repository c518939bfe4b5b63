//! Moments as queries write them: milliseconds, ISO 8601, and date math such as `now-7d/d`.

use crate::error::ApiError;

const DAY_MS: i64 = 86_400_000;

/// Which end of a rounded or incomplete moment is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    Down,
    Up,
}

/// Reads a moment, in milliseconds since 1970. `now_ms` is what `now` stands for.
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

/// A moment as ISO 8601 with milliseconds.
pub(crate) fn format(ms: i64) -> String {
    let (year, month, day) = civil(ms.div_euclid(DAY_MS));
    let rest = ms.rem_euclid(DAY_MS);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        rest / 3_600_000,
        rest / 60_000 % 60,
        rest / 1_000 % 60,
        rest % 1_000
    )
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
    let year = number(parts.next()?, 4)?;
    let month = parts.next().map(|part| number(part, 2));
    let day = parts.next().map(|part| number(part, 2));
    if parts.next().is_some() {
        return None;
    }
    let (month_given, day_given) = (month.is_some(), day.is_some());
    let (month, day) = (month.unwrap_or(Some(1))?, day.unwrap_or(Some(1))?);
    if !(1..=12).contains(&month) || !(1..=month_days(year, month)).contains(&day) {
        return None;
    }
    let start = days(year, month, day) * DAY_MS;
    match time.filter(|time| !time.is_empty()) {
        Some(time) => Some(start + time_of_day(time, round)?),
        None if round == Round::Down => Some(start),
        None if day_given => Some(start + DAY_MS - 1),
        None if month_given => Some(add_months(start, 1)? - 1),
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
    let (year, month, _) = civil(day);
    // The first moments there are have no start of their day, so nothing here is taken for granted.
    let (count, ms) = match unit {
        'y' => (days(year, 1, 1), DAY_MS),
        'M' => (days(year, month, 1), DAY_MS),
        // 1970 began on a Thursday; weeks begin on Monday.
        'w' => (day - (day + 3).rem_euclid(7), DAY_MS),
        'd' => (day, DAY_MS),
        'h' | 'H' => (moment.div_euclid(3_600_000), 3_600_000),
        'm' => (moment.div_euclid(60_000), 60_000),
        's' => (moment.div_euclid(1_000), 1_000),
        _ => return None,
    };
    count.checked_mul(ms)
}

fn add_months(moment: i64, amount: i64) -> Option<i64> {
    let (year, month, day) = civil(moment.div_euclid(DAY_MS));
    let months = year
        .checked_mul(12)?
        .checked_add(month - 1)?
        .checked_add(amount)?;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    // Beyond what anyone dates; it also keeps the arithmetic below from overflowing.
    if !(-9_999..=9_999).contains(&year) {
        return None;
    }
    let day = day.min(month_days(year, month));
    Some(days(year, month, day) * DAY_MS + moment.rem_euclid(DAY_MS))
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970 of a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so the leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date of a day counted since 1970.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
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
    fn moments_are_read() {
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
    fn nonsense_is_refused() {
        for text in [
            "",
            "tomorrow",
            "now+",
            "now-1x",
            "2023-02-29",
            "now/7d",
            "2024-13",
            "now+99999999999y",
            // Before the first moment that can be counted.
            "0||-9223372036854775s/d",
            "0||-9223372036854775s/y",
        ] {
            assert_eq!(down(text), None, "{text}");
        }
    }
}
