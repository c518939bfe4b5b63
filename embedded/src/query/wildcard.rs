//! Patterns of the wildcard query.

use crate::error::ApiError;

/// Longer patterns, or ones with more stars, are refused: they would only cost time.
const CHARACTERS_MAX: usize = 1_024;
const STARS_MAX: usize = 32;

/// A pattern of the wildcard query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wildcard(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Any,
    One,
    Literal(char),
}

impl Wildcard {
    /// Reads a pattern: `*` any characters, `?` one, `\` takes the next as it is.
    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        let mut parts = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            let part = match character {
                '*' => Part::Any,
                '?' => Part::One,
                '\\' => Part::Literal(characters.next().unwrap_or('\\')),
                other => Part::Literal(other),
            };
            if part != Part::Any || parts.last() != Some(&Part::Any) {
                parts.push(part);
            }
        }
        let stars = parts.iter().filter(|part| **part == Part::Any).count();
        if parts.len() > CHARACTERS_MAX || stars > STARS_MAX {
            return Err(ApiError::illegal("the wildcard pattern is too complex"));
        }
        Ok(Self(parts))
    }

    /// For SQLite's `GLOB`, which minds case.
    pub(crate) fn glob(&self) -> String {
        let mut pattern = String::new();
        for part in &self.0 {
            match part {
                Part::Any => pattern.push('*'),
                Part::One => pattern.push('?'),
                Part::Literal(special @ ('*' | '?' | '[')) => {
                    pattern.extend(['[', *special, ']']);
                }
                Part::Literal(character) => pattern.push(*character),
            }
        }
        pattern
    }

    /// For SQLite's `LIKE … ESCAPE '\'`, which does not mind the case of ASCII letters.
    pub(crate) fn like(&self) -> String {
        let mut pattern = String::new();
        for part in &self.0 {
            match part {
                Part::Any => pattern.push('%'),
                Part::One => pattern.push('_'),
                Part::Literal(special @ ('%' | '_' | '\\')) => pattern.extend(['\\', *special]),
                Part::Literal(character) => pattern.push(*character),
            }
        }
        pattern
    }
}
