//! JSON as Elasticsearch reads it: with comments, and without repeated fields.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

use crate::error::ApiError;

/// Parses a document. Returns `None` if it has neither a value nor a comment.
pub(crate) fn parse(text: &[u8]) -> Result<Option<Value>, ApiError> {
    if text.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    match serde_json::from_slice(&without_comments(text)) {
        Ok(Unique(value)) => Ok(Some(value)),
        Err(error) => {
            let problem = error.to_string();
            let problem = match problem.split_once(" at line ") {
                Some((problem, _)) if error.is_data() => problem,
                _ => "the body is not valid JSON",
            };
            Err(ApiError::content(format!(
                "[{}:{}] {problem}",
                error.line(),
                error.column()
            )))
        }
    }
}

/// Replaces comments by spaces, so that positions in error messages stay right. A comment that
/// does not end stays, and fails as JSON.
fn without_comments(text: &[u8]) -> Cow<'_, [u8]> {
    let mut text = Cow::Borrowed(text);
    let mut at = 0;
    while at < text.len() {
        match &text[at..] {
            [b'"', ..] => {
                at += 1;
                while at < text.len() && text[at] != b'"' {
                    at += if text[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            rest @ [b'/', kind @ (b'/' | b'*'), ..] => {
                let inside = &rest[2..];
                let length = if *kind == b'/' {
                    let line = inside.iter().position(|byte| *byte == b'\n');
                    line.unwrap_or(inside.len()) + 2
                } else {
                    match inside.windows(2).position(|end| end == b"*/") {
                        Some(end) => end + 4,
                        None => return text,
                    }
                };
                for byte in &mut text.to_mut()[at..at + length] {
                    if *byte != b'\n' {
                        *byte = b' ';
                    }
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    text
}

/// A value whose objects have no field twice.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Unique(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            if fields.contains_key(&name) {
                return Err(de::Error::custom(format_args!("Duplicate field '{name}'")));
            }
            let Unique(value) = object.next_value()?;
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{parse, without_comments};

    fn reason(text: &str) -> String {
        parse(text.as_bytes()).unwrap_err().reason()
    }

    #[test]
    fn comments_count_as_space() {
        for text in [
            r#"{"a": 1}"#,
            "/* before */ {\"a\": /**/ 1} // after",
            "{ // \"b\": 2,\n\"a\" /* ** / */ : 1}\n",
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap(), Some(json!({"a": 1})));
        }
        let kept = json!({"a": "/* kept */", "b\"": "// kept \\"});
        let text = kept.to_string();
        assert_eq!(parse(text.as_bytes()).unwrap(), Some(kept));
    }

    #[test]
    fn unfinished_comments_and_other_comments_are_refused() {
        for text in ["{} /* open", "# {}\n{}", "{} / /", "/"] {
            assert!(
                reason(text).ends_with("the body is not valid JSON"),
                "{text}"
            );
        }
    }

    #[test]
    fn repeated_fields_are_refused_with_their_position() {
        assert_eq!(reason(r#"{"a":1,"a":2}"#), "[1:10] Duplicate field 'a'");
        assert!(reason("{\"b\":[{\"x\":1,\n\"x\":1}]}").starts_with("[2:"));
        // Equal names after their escapes are decoded.
        assert!(reason(r#"{"a":1,"\u0061":2}"#).ends_with("Duplicate field 'a'"));
    }

    #[test]
    fn blank_text_is_no_document() {
        assert_eq!(parse(b" \n").unwrap(), None);
    }

    proptest! {
        #[test]
        fn text_without_comments_keeps_its_length(text in "[\"/*\\\\a\n ]{0,40}") {
            prop_assert_eq!(without_comments(text.as_bytes()).len(), text.len());
        }

        #[test]
        fn strings_survive(text in any::<String>()) {
            let document = Value::from(text).to_string();
            let read = parse(document.as_bytes()).unwrap();
            prop_assert_eq!(read.map(|value| value.to_string()), Some(document));
        }
    }
}
