//! Texts as people read them: characters that cannot be seen, numbers with separators, singular and plural.

use std::fmt::Write;

/// Returns true if the text holds control characters, text direction marks or other characters that cannot be seen.
pub fn has_invisible(text: &str) -> bool {
    neighbours(text).any(|(before, c, after)| is_invisible(before, c, after))
}

/// Returns the text with each character that cannot be seen written as its code point, for example `⟨U+202E⟩`.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (before, c, after) in neighbours(text) {
        if is_invisible(before, c, after) {
            // Writing into a string cannot fail.
            let _ = write!(shown, "⟨U+{:04X}⟩", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Returns a JSON text with each character that cannot be seen escaped, for example `\u202e`. Line breaks between its parts
/// stay.
pub fn visible_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for (before, c, after) in neighbours(json) {
        if c != '\n' && is_invisible(before, c, after) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing into a string cannot fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Each character with those around it.
fn neighbours(text: &str) -> impl Iterator<Item = (Option<char>, char, Option<char>)> {
    let mut characters = text.chars().peekable();
    let mut before = None;
    std::iter::from_fn(move || {
        let c = characters.next()?;
        Some((before.replace(c), c, characters.peek().copied()))
    })
}

fn is_invisible(before: Option<char>, c: char, after: Option<char>) -> bool {
    // Joiners and variation selectors belong to emoji and to some scripts, never to a Latin word.
    let joins = |c: Option<char>| c.is_some_and(|c| !c.is_ascii() && !is_zero_width(c));
    match c {
        '\u{200C}' | '\u{200D}' => !(joins(before) && joins(after)),
        '\u{FE00}'..='\u{FE0F}' => {
            !(joins(before) || before.is_some_and(|c| matches!(c, '0'..='9' | '#' | '*')))
        }
        c => c.is_control() || is_zero_width(c),
    }
}

/// Characters without a glyph: marks of direction, separators, fillers, tags.
fn is_zero_width(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Formats a number with thousands separators, for example `1,234`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a number of keys, for example `1 key` or `1,234 keys`.
pub fn keys(count: u64) -> String {
    let noun = if count == 1 { "key" } else { "keys" };
    format!("{} {noun}", grouped(count))
}

/// Formats a number of users, for example `1 user` or `1,234 users`.
pub fn users(count: usize) -> String {
    let noun = if count == 1 { "user" } else { "users" };
    format!("{} {noun}", grouped(count as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_character_is_found_and_written_as_its_code_point() {
        for (text, shown) in [
            ("check\u{202E}tuo", "check⟨U+202E⟩tuo"),
            ("a\u{200B}b", "a⟨U+200B⟩b"),
            ("pay\u{200D}pal", "pay⟨U+200D⟩pal"),
            ("a\u{FE0F}", "a⟨U+FE0F⟩"),
            ("\u{2066}x\u{2069}", "⟨U+2066⟩x⟨U+2069⟩"),
            ("\u{3164}", "⟨U+3164⟩"),
            ("a\nb\u{7f}", "a⟨U+000A⟩b⟨U+007F⟩"),
            ("é\u{200D}\u{200D}é", "é⟨U+200D⟩⟨U+200D⟩é"),
            ("x\u{E0041}", "x⟨U+E0041⟩"),
        ] {
            assert!(has_invisible(text), "{shown}");
            assert_eq!(visible(text), shown);
        }
    }

    #[test]
    fn invisible_character_in_json_is_escaped_without_changing_its_value() {
        let json = "{\n  \"name\": \"check\u{202E}tuo \u{E0041}\"\n}";
        let shown = visible_json(json);
        assert_eq!(
            shown,
            "{\n  \"name\": \"check\\u202etuo \\udb40\\udc41\"\n}"
        );
        let value = |text| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&shown), value(json));
        assert!(!has_invisible(&shown.replace('\n', "")));
    }

    #[test]
    fn letters_spaces_and_emoji_of_every_script_are_visible() {
        for text in [
            "check out",
            "büro-1",
            "決済　サービス",
            "می\u{200C}خواهم",
            "👩\u{200D}💻 1\u{FE0F}\u{20E3} ❤\u{FE0F}",
            "العربية",
        ] {
            assert!(!has_invisible(text), "{text}");
            assert_eq!(visible(text), text);
        }
    }

    #[test]
    fn number_has_thousands_separators_and_its_noun() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(12_345_678), "12,345,678");
        assert_eq!(keys(1), "1 key");
        assert_eq!(keys(1_234), "1,234 keys");
        assert_eq!(users(1), "1 user");
        assert_eq!(users(5_000), "5,000 users");
    }
}
