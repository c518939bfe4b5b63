//! The `simple_query_string` query: text from a search box.

use super::{
    Query, Value,
    field::{Documents, Field},
    names::Wildcard,
};
use crate::{error::ApiError, fields::Fields, pattern::matches};

/// Maximum number of words in one text. Bounds the time of a request.
const WORDS_MAX: usize = 256;

/// Parses the query.
pub(super) fn parse_simple_query_string(
    documents: Documents,
    mut options: Fields,
) -> Result<Query, ApiError> {
    let query = options
        .string("query")?
        .ok_or_else(|| ApiError::parse("[simple_query_string] query text missing"))?;
    let names = options.strings("fields")?;
    let all_words = match options.string("default_operator")?.as_deref() {
        None | Some("or" | "OR") => false,
        Some("and" | "AND") => true,
        Some(other) => {
            return Err(ApiError::illegal(format!("unknown operator [{other}]")));
        }
    };
    for ignored in [
        "flags",
        "analyzer",
        "lenient",
        "analyze_wildcard",
        "minimum_should_match",
        "quote_field_suffix",
        "fuzzy_prefix_length",
        "fuzzy_max_expansions",
        "fuzzy_transpositions",
        "auto_generate_synonyms_phrase_query",
    ] {
        options.value(ignored);
    }
    options.finish()?;
    let fields = named_fields(documents, names.as_deref());
    let words = split(&query);
    if words.len() > WORDS_MAX {
        return Err(ApiError::illegal("the query text has too many words"));
    }
    // If only fields are named that queries may not use, the query matches no key and reveals
    // nothing.
    if fields.is_empty() || words.is_empty() {
        return Ok(Query::None);
    }
    let (mut wanted, mut needed) = (Vec::new(), Vec::new());
    let mut with_next = false;
    for word in &words {
        match word {
            Word::And => {
                with_next = true;
                // In "a + b" the word before the plus is required too.
                if let Some(last) = wanted.pop() {
                    needed.push(last);
                }
            }
            Word::Or => with_next = false,
            Word::Text { text, prefix, not } => {
                let found = in_fields(&fields, text, *prefix)?;
                let clause = if *not {
                    Query::none_of(vec![found])
                } else {
                    found
                };
                if with_next || all_words {
                    needed.push(clause)
                } else {
                    wanted.push(clause)
                }
                with_next = false;
            }
        }
    }
    if !wanted.is_empty() {
        needed.push(Query::or(wanted));
    }
    Ok(if needed.is_empty() {
        Query::None
    } else {
        Query::and(needed)
    })
}

enum Word {
    And,
    Or,
    Text {
        text: String,
        prefix: bool,
        not: bool,
    },
}

/// The queryable fields among the named ones. Patterns stand for all fields that match.
fn named_fields(documents: Documents, names: Option<&[String]>) -> Vec<Field> {
    let Some(names) = names else {
        let all = documents.text_fields().iter();
        return all.filter_map(|name| documents.field(name).ok()).collect();
    };
    let mut fields = Vec::new();
    for name in names {
        // In "name^2" the weight changes only scores, which key queries do not return.
        let name = name.split('^').next().unwrap_or_default();
        if name.contains('*') {
            fields.extend(
                documents
                    .text_fields()
                    .iter()
                    .filter(|known| matches(name, known))
                    .filter_map(|known| documents.field(known).ok()),
            );
        } else if let Ok(field) = documents.field(name) {
            fields.push(field);
        }
    }
    fields
}

fn in_fields(fields: &[Field], word: &str, prefix: bool) -> Result<Query, ApiError> {
    let mut found = Vec::new();
    for field in fields {
        let query = if prefix && field.kind() == super::field::FieldKind::Text {
            // As a pattern, so that a single star matches everything.
            let mut pattern = word
                .replace('\\', "\\\\")
                .replace('*', "\\*")
                .replace('?', "\\?");
            pattern.push('*');
            Query::Wildcard {
                field: field.clone(),
                pattern: Wildcard::parse(&pattern)?,
                case_insensitive: false,
            }
        } else {
            // A word that is not a date matches no date field; this is not an error.
            let json = serde_json::Value::from(word);
            match field.value(&json, 0, crate::date::Round::Down) {
                Ok(Value::Text(word)) if field.is_analyzed() => {
                    Query::term(field.clone(), Value::Text(word.to_lowercase()))
                }
                Ok(value) => Query::term(field.clone(), value),
                Err(_) => continue,
            }
        };
        found.push(query);
    }
    Ok(if found.is_empty() {
        Query::None
    } else {
        Query::or(found)
    })
}

fn split(query: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = query.chars().peekable();
    while let Some(first) = rest.next() {
        let mut not = false;
        let mut character = first;
        match first {
            '+' => {
                words.push(Word::And);
                continue;
            }
            '|' => {
                words.push(Word::Or);
                continue;
            }
            // Parentheses are ignored; words and `+` determine the grouping.
            '(' | ')' => continue,
            c if c.is_whitespace() => continue,
            '-' => {
                not = true;
                match rest.next() {
                    Some(next) => character = next,
                    None => continue,
                }
            }
            _ => {}
        }
        let mut text = String::new();
        let mut prefix = false;
        if character == '"' {
            text.extend(rest.by_ref().take_while(|c| *c != '"'));
        } else {
            let mut next = Some(character);
            while let Some(c) = next {
                match c {
                    '\\' => text.extend(rest.next()),
                    '*' if rest.peek().is_none_or(|after| after.is_whitespace()) => prefix = true,
                    other => text.push(other),
                }
                next = rest.next_if(|c| !c.is_whitespace() && !matches!(c, '|' | '(' | ')' | '+'));
            }
        }
        if !text.is_empty() || prefix {
            words.push(Word::Text { text, prefix, not });
        }
    }
    words
}
