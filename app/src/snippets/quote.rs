//! Quoting functions, one per format.

/// Quotes a JSON string, which is a YAML string too.
pub(super) fn json(text: &str) -> String {
    // Serializing a string cannot fail.
    serde_json::to_string(text).unwrap_or_default()
}

/// Quotes a YAML string in a file that ERB reads first. Escapes `<`, so that no ERB tag can begin.
pub(super) fn yaml_in_erb(text: &str) -> String {
    json(text).replace('<', "\\u003c")
}

/// Quotes a JavaScript string in single quotes.
pub(super) fn javascript(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('\'', "\\'")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    format!("'{escaped}'")
}

/// Quotes a Python string in double quotes.
pub(super) fn python(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Quotes a word of a POSIX shell in single quotes, unless it is safe without.
pub(super) fn shell(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    if !text.is_empty() && text.chars().all(safe) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// Escapes a value of a Java properties file. Java reads it as Latin-1, so all but ASCII becomes `\uXXXX`.
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

/// Quotes a value of `php.ini`. Single quotes cannot hold a single quote, so it becomes `’`.
pub(super) fn php_ini(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_.:/ ".contains(c);
    if text.chars().all(safe) {
        format!("\"{text}\"")
    } else {
        format!("'{}'", text.replace('\'', "’"))
    }
}

/// Percent-encodes a value inside an OpenTelemetry list such as `OTEL_RESOURCE_ATTRIBUTES`.
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

/// Returns a valid name of a Kubernetes object: lower case letters, digits and `-`, beginning and ending with a letter
/// or digit.
pub(super) fn kubernetes_name(service: &str) -> String {
    let mut name: String = service
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .take(40)
        .collect();
    while name.contains("--") {
        name = name.replace("--", "-");
    }
    let name = name.trim_matches('-');
    if name.is_empty() {
        "apm-key".to_owned()
    } else {
        format!("{name}-apm-key")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn safe_shell_word_is_not_quoted() {
        assert_eq!(shell("production"), "production");
        assert_eq!(shell("a b"), "'a b'");
        assert_eq!(shell("it's $HOME"), "'it'\\''s $HOME'");
        assert_eq!(shell(""), "''");
    }

    #[test]
    fn properties_value_is_ascii() {
        assert_eq!(properties("é🚀\\"), "\\u00e9\\ud83d\\ude80\\\\");
        assert_eq!(properties(" a b"), "\\ a b");
    }

    #[test]
    fn kubernetes_name_has_valid_characters_and_ends() {
        assert_eq!(kubernetes_name("Check Out--1_"), "check-out-1-apm-key");
        assert_eq!(kubernetes_name("---"), "apm-key");
    }

    #[test]
    fn otel_list_value_holds_no_separator() {
        assert_eq!(otel_list("a,b=c é"), "a%2Cb%3Dc%20%C3%A9");
    }
}
