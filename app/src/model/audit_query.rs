//! Query of the audit log: filters, period and page, as they stand in the page's address.

use super::{
    audit::{Action, AuditEvent, Outcome},
    timestamp::{DAY_MS, Timestamp},
};
use serde::{Deserialize, Serialize};
use time::{Date, Month};

/// Events on a page.
pub const ROWS: usize = 25;
/// The longest text that is searched for, in characters.
pub const TEXT_CHARACTERS_MAX: usize = 256;

/// A text to search for: at most [`TEXT_CHARACTERS_MAX`] characters, and no control characters, wherever it came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct SearchText(String);

impl SearchText {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing is searched for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for SearchText {
    fn from(text: &str) -> Self {
        let printable = text.trim().chars().filter(|c| !c.is_control());
        Self(printable.take(TEXT_CHARACTERS_MAX).collect())
    }
}

impl From<String> for SearchText {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<SearchText> for String {
    fn from(text: SearchText) -> Self {
        text.0
    }
}

/// Which page of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuditPlace {
    /// The newest events.
    #[default]
    Newest,
    /// Those before this number.
    Before(i64),
    /// Those after this number.
    After(i64),
}

/// What a page of the log is asked for. Everything is in the page's address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditQuery {
    /// Only this action.
    pub action: Option<Action>,
    /// Only this outcome.
    pub outcome: Option<Outcome>,
    /// Part of the user name of who did it.
    pub person: SearchText,
    /// Part of the name of what it was done to, or its whole id.
    pub target: SearchText,
    /// The first day, as typed: `2026-12-14`.
    pub from: SearchText,
    /// The last day, as typed.
    pub to: SearchText,
    /// Which page.
    pub place: AuditPlace,
}

/// From a moment, to before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

/// The days that were typed are no period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeriodError {
    /// The first day is none.
    From,
    /// The last day is none.
    To,
    /// The first day comes after the last.
    Backwards,
}

impl AuditQuery {
    /// Reads the address's parameters. A word it does not know is passed over, as if it were not there.
    pub fn from_parameters<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut query = Self::default();
        let number = |value: &str| value.parse().ok().filter(|number: &i64| *number > 0);
        for (name, value) in parameters {
            match name {
                "action" => query.action = Action::parse(value),
                "outcome" => query.outcome = Outcome::parse(value),
                "person" => query.person = value.into(),
                "target" => query.target = value.into(),
                "from" => query.from = value.into(),
                "to" => query.to = value.into(),
                "before" => query.place = number(value).map_or(query.place, AuditPlace::Before),
                "after" => query.place = number(value).map_or(query.place, AuditPlace::After),
                _ => {}
            }
        }
        query
    }

    /// The address's parameters for this query; only what narrows it.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let texts = [
            ("person", &self.person),
            ("target", &self.target),
            ("from", &self.from),
            ("to", &self.to),
        ];
        let words = [
            ("action", self.action.map(Action::name)),
            ("outcome", self.outcome.map(Outcome::name)),
        ];
        let place = match self.place {
            AuditPlace::Newest => None,
            AuditPlace::Before(number) => Some(("before", number.to_string())),
            AuditPlace::After(number) => Some(("after", number.to_string())),
        };
        words
            .into_iter()
            .filter_map(|(name, word)| Some((name, word?.to_owned())))
            .chain(
                texts
                    .into_iter()
                    .filter(|(_, text)| !text.is_empty())
                    .map(|(name, text)| (name, text.as_str().to_owned())),
            )
            .chain(place)
            .collect()
    }

    /// The same filters, on this page.
    pub fn at(&self, place: AuditPlace) -> Self {
        Self {
            place,
            ..self.clone()
        }
    }

    /// Whether anything narrows the log.
    pub fn is_filtered(&self) -> bool {
        !self.at(AuditPlace::Newest).parameters().is_empty()
    }

    /// The days asked for, whole, in UTC.
    pub fn period(&self) -> Result<Period, PeriodError> {
        let from = day(&self.from, Timestamp(i64::MIN)).ok_or(PeriodError::From)?;
        let to = day(&self.to, Timestamp(i64::MAX)).ok_or(PeriodError::To)?;
        if from > to {
            return Err(PeriodError::Backwards);
        }
        Ok(Period {
            from,
            until: to.plus_ms(DAY_MS),
        })
    }
}

/// When a day begins; `otherwise` if none was typed.
fn day(text: &SearchText, otherwise: Timestamp) -> Option<Timestamp> {
    let text = text.as_str();
    if text.is_empty() {
        return Some(otherwise);
    }
    let digits = |part: &str, count: usize| {
        let plain = part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u16>().ok().filter(|_| plain)
    };
    let mut parts = text.split('-');
    let year = digits(parts.next()?, 4).filter(|year| *year >= 1970)?;
    let month = u8::try_from(digits(parts.next()?, 2)?).ok()?;
    let day = u8::try_from(digits(parts.next()?, 2)?).ok()?;
    if parts.next().is_some() {
        return None;
    }
    let month = Month::try_from(month).ok()?;
    let date = Date::from_calendar_date(i32::from(year), month, day).ok()?;
    Some(Timestamp(
        date.midnight().assume_utc().unix_timestamp() * 1_000,
    ))
}

/// One page of the log, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditPage {
    /// The events.
    pub events: Vec<AuditEvent>,
    /// Where the page of older events is; `None` on the last.
    pub older: Option<AuditPlace>,
    /// Where the page of newer events is; `None` on the first.
    pub newer: Option<AuditPlace>,
    /// When the log was read.
    pub read_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_the_round_trip() {
        let query = AuditQuery {
            action: Some(Action::UserRolesChange),
            outcome: Some(Outcome::Failure),
            person: "d.whitfield".into(),
            target: "check out".into(),
            from: "2026-12-01".into(),
            to: "2026-12-14".into(),
            place: AuditPlace::Before(41),
        };
        let parameters = query.parameters();
        let pairs = parameters
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        assert_eq!(AuditQuery::from_parameters(pairs), query);
        assert!(AuditQuery::default().parameters().is_empty());
        for action in Action::ALL {
            assert_eq!(Action::parse(action.name()), Some(action));
        }
    }

    #[test]
    fn nonsense_in_an_address_is_passed_over() {
        let query = AuditQuery::from_parameters([
            ("action", "drop_table"),
            ("outcome", "maybe"),
            ("before", "-1"),
            ("after", "99999999999999999999"),
            ("after", "abc"),
            ("person", "\u{0}\r\n"),
        ]);
        assert_eq!(query, AuditQuery::default());
        let long: AuditQuery =
            AuditQuery::from_parameters([("target", "x".repeat(9_999).as_str())]);
        assert_eq!(long.target.as_str().len(), TEXT_CHARACTERS_MAX);
    }

    #[test]
    fn days_are_whole_and_in_order() {
        let period = |from: &str, to: &str| {
            AuditQuery {
                from: from.into(),
                to: to.into(),
                ..AuditQuery::default()
            }
            .period()
        };
        let one = period("2026-12-14", "2026-12-14").unwrap();
        assert_eq!(one.from.iso(), "2026-12-14T00:00:00Z");
        assert_eq!(one.until.0 - one.from.0, DAY_MS);
        assert!(period("", "").is_ok() && period("2026-12-14", "").is_ok());
        assert_eq!(
            period("2026-12-15", "2026-12-14"),
            Err(PeriodError::Backwards)
        );
        for none in [
            "0000-01-01",
            "10000-01-01",
            "2026-02-30",
            "2026-13-01",
            "2026-1-1",
            "yesterday",
            "2026-12-14-1",
            "+026-12-14",
        ] {
            assert_eq!(period(none, ""), Err(PeriodError::From), "{none}");
            assert_eq!(period("", none), Err(PeriodError::To), "{none}");
        }
    }
}
