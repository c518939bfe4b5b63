//! Patterns of the wildcard query, and searches inside names: narrowed by an index of trigrams, so that
//! few names are compared.
//!
//! A name that contains a text contains its trigrams too, in the case of the index. So the
//! condition that is added here holds for every key that the pattern matches.
//! Patterns of the wildcard query.

use crate::{
    error::ApiError,
    query::{Query, field::Field},
    store::Sql,
};
use platform::sql::push_like_literal;
use sqlx::{Row, SqliteConnection};
use std::collections::BTreeMap;

/// Maximum number of trigrams whose frequency is estimated for one request.
const TRIGRAMS_MAX: usize = 32;
/// Number of trigrams of a pattern that are looked up: the rarest ones.
const LOOKED_UP: usize = 2;
/// Samples for the estimate, and the keys in each.
const SAMPLES: i64 = 4;
const SAMPLE_KEYS: i64 = 500;
/// With a larger part of the sampled keys, comparing all names is cheaper.
const PART_MAX: i64 = 10;

/// Estimated number of keys by trigram.
type Frequencies = BTreeMap<String, i64>;

/// Adds a condition on the index to each search inside names that few keys match.
pub(crate) async fn narrow(
    connection: &mut SqliteConnection,
    query: &Query,
) -> Result<Query, ApiError> {
    let mut frequencies = Frequencies::new();
    collect(query, &mut frequencies);
    if frequencies.is_empty() {
        return Ok(query.clone());
    }
    // Two selects, because SQLite finds one end by the index, and both by a scan.
    let range = sqlx::query(
        "SELECT ifnull((SELECT min(number) FROM api_keys), 0),
             ifnull((SELECT max(number) FROM api_keys), 0)",
    )
    .fetch_one(&mut *connection)
    .await?;
    let (first, last): (i64, i64) = (range.try_get(0)?, range.try_get(1)?);
    let step = (last - first) / SAMPLES + 1;
    for (trigram, frequency) in &mut frequencies {
        for sample in 0..SAMPLES {
            let start = first + sample * step;
            let mut sql = Sql::new("SELECT count(*) FROM api_key_names WHERE api_key_names MATCH ");
            sql.text(quote(trigram))
                .push(" AND rowid BETWEEN ")
                .integer(start)
                .push(" AND ")
                .integer(start + step.min(SAMPLE_KEYS) - 1);
            let found: i64 = sql.query().fetch_one(&mut *connection).await?.try_get(0)?;
            *frequency += found;
        }
    }
    let sampled = SAMPLES * step.min(SAMPLE_KEYS);
    frequencies.retain(|_, frequency| *frequency * PART_MAX <= sampled);
    Ok(narrowed(query, &frequencies))
}

/// Collects the trigrams of all patterns for names.
fn collect(query: &Query, trigrams: &mut Frequencies) {
    match query {
        Query::Bool(inner) => {
            for query in inner
                .must
                .iter()
                .chain(&inner.must_not)
                .chain(&inner.should)
            {
                collect(query, trigrams);
            }
        }
        Query::Wildcard {
            field: Field::Name,
            pattern,
            ..
        } => {
            for trigram in pattern.trigrams() {
                if trigrams.len() < TRIGRAMS_MAX {
                    trigrams.insert(trigram, 0);
                }
            }
        }
        _ => {}
    }
}

fn narrowed(query: &Query, frequencies: &Frequencies) -> Query {
    let all = |queries: &[Query]| {
        queries
            .iter()
            .map(|query| narrowed(query, frequencies))
            .collect()
    };
    match query {
        Query::Bool(inner) => {
            let mut inner = inner.clone();
            inner.must = all(&inner.must);
            inner.must_not = all(&inner.must_not);
            inner.should = all(&inner.should);
            Query::Bool(inner)
        }
        Query::Wildcard {
            field: Field::Name,
            pattern,
            ..
        } => {
            let mut rarest: Vec<(&i64, String)> = pattern
                .trigrams()
                .into_iter()
                .filter_map(|trigram| Some((frequencies.get(&trigram)?, trigram)))
                .collect();
            rarest.sort_unstable();
            rarest.dedup();
            rarest.truncate(LOOKED_UP);
            if rarest.is_empty() {
                return query.clone();
            }
            let quoted: Vec<String> = rarest.iter().map(|(_, trigram)| quote(trigram)).collect();
            Query::and(vec![Query::NamesWith(quoted.join(" AND ")), query.clone()])
        }
        other => other.clone(),
    }
}

/// A trigram as text of SQLite's full-text queries.
fn quote(trigram: &str) -> String {
    format!("\"{}\"", trigram.replace('"', "\"\""))
}

/// Limits on characters and stars. They bound the time of a match.
const CHARACTERS_MAX: usize = 1_024;
const STARS_MAX: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wildcard(Vec<Token>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Any,
    One,
    Literal(char),
}

impl Wildcard {
    /// Parses a pattern: `*` matches any characters, `?` one, `\` makes the next literal.
    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        let mut tokens = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            let token = match character {
                '*' => Token::Any,
                '?' => Token::One,
                '\\' => Token::Literal(characters.next().unwrap_or('\\')),
                other => Token::Literal(other),
            };
            if token != Token::Any || tokens.last() != Some(&Token::Any) {
                tokens.push(token);
            }
        }
        let stars = tokens.iter().filter(|token| **token == Token::Any).count();
        if tokens.len() > CHARACTERS_MAX || stars > STARS_MAX {
            return Err(ApiError::illegal("the wildcard pattern is too complex"));
        }
        Ok(Self(tokens))
    }

    /// The sequences of three literals, which every matching text contains.
    pub(crate) fn trigrams(&self) -> Vec<String> {
        let literals: Vec<Option<char>> = self
            .0
            .iter()
            .map(|token| match token {
                // SQLite's texts end at a NUL.
                Token::Literal(character) => Some(*character).filter(|c| *c != '\0'),
                Token::Any | Token::One => None,
            })
            .collect();
        literals
            .windows(3)
            .filter_map(|three| three.iter().copied().collect())
            .collect()
    }

    /// Converts a regular expression of literals, `.` and `.*`. Returns `None` for any other.
    pub(crate) fn from_regular_expression(text: &str) -> Option<Result<Self, ApiError>> {
        let mut pattern = String::new();
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '.' if characters.next_if_eq(&'*').is_some() => pattern.push('*'),
                '.' => pattern.push('?'),
                '\\' => pattern.extend(['\\', characters.next()?]),
                '?' | '+' | '*' | '|' | '{' | '}' | '[' | ']' | '(' | ')' | '"' | '#' | '@'
                | '&' | '<' | '>' | '~' => return None,
                other => pattern.push(other),
            }
            // A repetition of the literal before it.
            if matches!(characters.peek(), Some('?' | '+' | '*' | '{')) {
                return None;
            }
        }
        Some(Self::parse(&pattern))
    }

    /// Returns true if the text matches.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        // Greedy match with one point to backtrack to.
        let (mut at, mut position) = (0, 0);
        let mut fall_back = None;
        while position < text.len() {
            match self.0.get(at) {
                Some(Token::Any) => {
                    fall_back = Some((at, position));
                    at += 1;
                }
                Some(Token::One) => (at, position) = (at + 1, position + 1),
                Some(Token::Literal(literal)) if *literal == text[position] => {
                    (at, position) = (at + 1, position + 1);
                }
                _ => match fall_back {
                    Some((star, start)) => {
                        (at, position) = (star + 1, start + 1);
                        fall_back = Some((star, start + 1));
                    }
                    None => return false,
                },
            }
        }
        self.0[at..].iter().all(|token| *token == Token::Any)
    }

    /// The pattern in lower case, for a comparison that ignores the case of ASCII letters.
    pub(crate) fn to_ascii_lowercase(&self) -> Self {
        let lower = |token: &Token| match token {
            Token::Literal(character) => Token::Literal(character.to_ascii_lowercase()),
            other => other.clone(),
        };
        Self(self.0.iter().map(lower).collect())
    }

    /// Pattern for SQLite's case-sensitive `GLOB`.
    pub(crate) fn glob(&self) -> String {
        let mut pattern = String::new();
        for token in &self.0 {
            match token {
                Token::Any => pattern.push('*'),
                Token::One => pattern.push('?'),
                Token::Literal(special @ ('*' | '?' | '[')) => {
                    pattern.extend(['[', *special, ']']);
                }
                Token::Literal(character) => pattern.push(*character),
            }
        }
        pattern
    }

    /// Pattern for SQLite's `LIKE … ESCAPE '\'`, which ignores the case of ASCII letters.
    pub(crate) fn like(&self) -> String {
        let mut pattern = String::new();
        for token in &self.0 {
            match token {
                Token::Any => pattern.push('%'),
                Token::One => pattern.push('_'),
                Token::Literal(character) => push_like_literal(&mut pattern, *character),
            }
        }
        pattern
    }
}
