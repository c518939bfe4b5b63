//! Quoting, by the rules of each format.

/// A JSON string. YAML reads it the same way.
pub(super) fn json(text: &str) -> String {
    // Writing a text as JSON cannot fail.
    serde_json::to_string(text).unwrap_or_default()
}

/// A YAML string in a file that is run through ERB first: `<` is written so that no tag can begin.
pub(super) fn yaml_in_erb(text: &str) -> String {
    json(text).replace('<', "\\u003c")
}

/// A JavaScript string in single quotes.
pub(super) fn javascript(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('\'', "\\'")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    format!("'{escaped}'")
}

/// A Python string in double quotes.
pub(super) fn python(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A word of a POSIX shell: as it is where that is safe, else in single quotes.
pub(super) fn shell(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    if !text.is_empty() && text.chars().all(safe) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// A value of a Java properties file, which is read as Latin-1: everything else is written as `\uXXXX`.
pub(super) fn properties(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (index, c) in text.char_indices() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            ' ' if index == 0 => escaped.push_str("\\ "),
            ' '..='~' => escaped.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    escaped.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    escaped
}

/// A value of `php.ini`. Single quotes take everything but a single quote as it is.
pub(super) fn php_ini(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_.:/ ".contains(c);
    if text.chars().all(safe) {
        format!("\"{text}\"")
    } else {
        format!("'{}'", text.replace('\'', "’"))
    }
}

/// A value inside an OpenTelemetry list such as `OTEL_RESOURCE_ATTRIBUTES`: percent-encoded.
pub(super) fn otel_list(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_word_is_quoted_only_when_it_must_be() {
        assert_eq!(shell("production"), "production");
        assert_eq!(shell("a b"), "'a b'");
        assert_eq!(shell("it's $HOME"), "'it'\\''s $HOME'");
        assert_eq!(shell(""), "''");
    }

    #[test]
    fn a_properties_value_is_ascii() {
        assert_eq!(properties("é🚀\\"), "\\u00e9\\ud83d\\ude80\\\\");
        assert_eq!(properties(" a b"), "\\ a b");
    }

    #[test]
    fn a_list_value_holds_no_separator() {
        assert_eq!(otel_list("a,b=c é"), "a%2Cb%3Dc%20%C3%A9");
    }
}
