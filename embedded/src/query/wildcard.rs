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
