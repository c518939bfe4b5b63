//! Patterns of the wildcard query.

use platform::sql::push_like_literal;

use crate::error::ApiError;

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
