//! Durations in Elasticsearch's notation: `30d`, `12h`, `0`.

use crate::{date::DAY_MS, error::ApiError};

/// A duration in milliseconds, rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeValue {
    milliseconds: i64,
    /// True for more than zero, and so for a nanosecond.
    pub(crate) is_positive: bool,
}

impl TimeValue {
    /// Parses `<integer><unit>`, or one of the unit-less values `0` and `-1`.
    ///
    /// # Errors
    ///
    /// `illegal_argument_exception` with the name `field`: for fractions, other negative values,
    /// missing and unknown units, and overflow.
    pub(crate) fn parse(text: &str, field: &str) -> Result<Self, ApiError> {
        // The order matters: "ms", "micros" and "nanos" end with "s".
        const UNITS: [(&str, i64, i64); 7] = [
            ("nanos", 1, 1_000_000),
            ("micros", 1, 1_000),
            ("ms", 1, 1),
            ("s", 1_000, 1),
            ("m", 60_000, 1),
            ("h", 3_600_000, 1),
            ("d", DAY_MS, 1),
        ];
        let refuse = |why: &str| {
            ApiError::illegal(format!(
                "failed to parse setting [{field}] with value [{text}] as a time value: {why}"
            ))
        };
        let normalised = text.trim().to_ascii_lowercase();
        match normalised.as_str() {
            "0" => return Ok(Self::not_positive(0)),
            "-1" => return Ok(Self::not_positive(-1)),
            _ => {}
        }
        // Elasticsearch accepts the minute in lower case only, because "M" could be months.
        if text.trim().ends_with('M') {
            return Err(refuse("unit is missing or unrecognized"));
        }
        let (number, multiply, divide) = UNITS
            .iter()
            .find_map(|(unit, multiply, divide)| {
                normalised
                    .strip_suffix(unit)
                    .map(|number| (number.trim(), *multiply, *divide))
            })
            .ok_or_else(|| refuse("unit is missing or unrecognized"))?;
        if number.contains('.') {
            return Err(refuse("fractional time values are not supported"));
        }
        let number: i64 = number
            .parse()
            .map_err(|_| refuse("the number cannot be read"))?;
        if number < 0 {
            return Err(refuse("negative durations are not supported"));
        }
        let milliseconds = number
            .checked_mul(multiply)
            .ok_or_else(|| refuse("the value is too large"))?
            / divide;
        Ok(Self {
            milliseconds,
            is_positive: number > 0,
        })
    }

    const fn not_positive(milliseconds: i64) -> Self {
        Self {
            milliseconds,
            is_positive: false,
        }
    }

    /// The time this long after `now_ms`, with the duration rounded down to seconds.
    ///
    /// Times after the year 9999 are refused, because clients cannot show them.
    pub(crate) fn after(self, now_ms: i64, field: &str) -> Result<i64, ApiError> {
        const LAST_MS: i64 = 253_402_300_799_999;
        now_ms
            .checked_add(self.milliseconds / 1_000 * 1_000)
            .filter(|moment| *moment <= LAST_MS)
            .ok_or_else(|| ApiError::illegal(format!("[{field}] is too far in the future")))
    }
}

#[cfg(test)]
mod tests {
    use super::TimeValue;

    fn milliseconds(text: &str) -> Option<i64> {
        TimeValue::parse(text, "expiration")
            .ok()
            .map(|value| value.milliseconds)
    }

    #[test]
    fn every_unit_is_parsed() {
        assert_eq!(milliseconds("5000000nanos"), Some(5));
        assert_eq!(milliseconds("5000micros"), Some(5));
        assert_eq!(milliseconds("5ms"), Some(5));
        assert_eq!(milliseconds("5s"), Some(5_000));
        assert_eq!(milliseconds("5m"), Some(300_000));
        assert_eq!(milliseconds("5h"), Some(18_000_000));
        assert_eq!(milliseconds("5d"), Some(432_000_000));
        assert_eq!(milliseconds("0"), Some(0));
        assert_eq!(milliseconds("-1"), Some(-1));
    }

    #[test]
    fn malformed_durations_are_refused() {
        for text in [
            "",
            "5",
            "d",
            "1.5d",
            "-5d",
            "5w",
            "5M",
            "1e3s",
            "99999999999999999999d",
            "five days",
            "9223372036854775807d",
            "٣d",
        ] {
            assert_eq!(milliseconds(text), None, "{text}");
        }
    }
}
