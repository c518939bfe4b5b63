//! A row's place in the list, as opaque text that travels in the address.

use super::es_query::sort_fields;
use crate::error::Error;
use app::model::key_list::{Cursor, SortField};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;

const CURSOR_CHARACTERS_MAX: usize = 4_096;

/// The cursor of a row. `None` for a row without a place, or whose place is too long for an address.
pub(super) fn write(place: &[Value]) -> Option<Cursor> {
    let json = serde_json::to_vec(place)
        .ok()
        .filter(|_| !place.is_empty())?;
    let text = BASE64_URL_SAFE_NO_PAD.encode(json);
    (text.len() <= CURSOR_CHARACTERS_MAX).then_some(Cursor(text))
}

/// Parses a cursor. It comes from an address, so its shape is checked: as many values as the order has fields, numbers
/// for times and texts for names.
pub(super) fn read(cursor: &Cursor, sort: SortField) -> Result<Vec<Value>, Error> {
    if cursor.0.len() > CURSOR_CHARACTERS_MAX {
        return Err(Error::BadCursor);
    }
    let json = BASE64_URL_SAFE_NO_PAD
        .decode(&cursor.0)
        .map_err(|_| Error::BadCursor)?;
    let place: Vec<Value> = serde_json::from_slice(&json).map_err(|_| Error::BadCursor)?;
    let fields = sort_fields(sort);
    let fits = |(field, value): (&&str, &Value)| match *field {
        "creation" => value.is_i64(),
        "expiration" => value.is_i64() || value.is_null(),
        _ => value.is_string() || value.is_null(),
    };
    if place.len() != fields.len() || !fields.iter().zip(&place).all(fits) {
        return Err(Error::BadCursor);
    }
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cursor_survives_the_round_trip_and_a_forged_one_does_not() {
        let place = vec![json!(1_797_244_927_000_i64), json!("checkout")];
        let cursor = write(&place).unwrap();
        assert_eq!(read(&cursor, SortField::Created).unwrap(), place);
        assert!(read(&cursor, SortField::Expires).is_err());
        let forged = [
            json!([1]),
            json!([1, 2]),
            json!([1, { "script": "x" }]),
            json!([1.5, "a"]),
            json!({}),
        ];
        for value in forged {
            let text = BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
            assert!(read(&Cursor(text), SortField::Created).is_err(), "{value}");
        }
        for text in ["", "*", "AAAA"] {
            assert!(read(&Cursor(text.to_owned()), SortField::Created).is_err());
        }
    }
}
