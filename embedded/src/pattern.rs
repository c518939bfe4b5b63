//! Patterns with `*` and `?`, for privileges, indices, applications and resources.

/// Returns true if `text` matches `pattern`.
///
/// The time is at most proportional to the product of the two lengths.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    covers_with(pattern, text, |_| false)
}

/// Returns true if every match of `narrow` also matches `wide`.
///
/// True is certain. A `*` of `narrow` requires a `*` of `wide`, so a few covering pairs return
/// false: less is granted, never more.
pub(crate) fn covers(wide: &str, narrow: &str) -> bool {
    covers_with(wide, narrow, |symbol| symbol == '*')
}

/// Returns true if one of `wide` covers `narrow`.
pub(crate) fn any_covers<'a>(mut wide: impl Iterator<Item = &'a str>, narrow: &str) -> bool {
    wide.any(|wide| covers(wide, narrow))
}

/// Returns true if a text may match both patterns. The result is exact for trailing wildcards
/// only; otherwise it may be true without a common match.
pub(crate) fn overlap(left: &str, right: &str) -> bool {
    let left_prefix = left.split(['*', '?']).next().unwrap_or_default();
    let right_prefix = right.split(['*', '?']).next().unwrap_or_default();
    match (
        left_prefix.len() == left.len(),
        right_prefix.len() == right.len(),
    ) {
        (true, _) => matches(right, left),
        (_, true) => matches(left, right),
        (false, false) => {
            left_prefix.starts_with(right_prefix) || right_prefix.starts_with(left_prefix)
        }
    }
}

fn covers_with(wide: &str, narrow: &str, only_star: impl Fn(char) -> bool) -> bool {
    // Most patterns are plain names or `*`.
    if wide == "*" || wide == narrow {
        return true;
    }
    if !wide.contains(['*', '?']) {
        return false;
    }
    let wide: Vec<char> = wide.chars().collect();
    let narrow: Vec<char> = narrow.chars().collect();
    // Greedy match with one point to backtrack to.
    let (mut at, mut position) = (0, 0);
    let mut fall_back: Option<(usize, usize)> = None;
    while position < narrow.len() {
        let symbol = narrow[position];
        match wide.get(at) {
            Some('*') => {
                fall_back = Some((at, position));
                at += 1;
                continue;
            }
            Some('?') if !only_star(symbol) => {
                at += 1;
                position += 1;
                continue;
            }
            Some(expected) if *expected == symbol && !only_star(symbol) => {
                at += 1;
                position += 1;
                continue;
            }
            _ => {}
        }
        match fall_back {
            Some((star, start)) => {
                at = star + 1;
                position = start + 1;
                fall_back = Some((star, start + 1));
            }
            None => return false,
        }
    }
    wide[at..].iter().all(|symbol| *symbol == '*')
}

#[cfg(test)]
mod tests {
    use super::{covers, matches, overlap};

    #[test]
    fn wildcards_match_any_characters() {
        assert!(matches("*", ""));
        assert!(matches("a*c?e", "abbbcde"));
        assert!(matches("*a*a*b", "aaaaaaab"));
        assert!(!matches("a*c", "abd"));
        assert!(!matches("a", "A"));
    }

    #[test]
    fn wide_pattern_covers_narrow_pattern() {
        assert!(covers("*", "index-*"));
        assert!(covers("index-*", "index-a*"));
        assert!(!covers("index-a", "*"));
        assert!(!covers("index-?", "index-*"));
        assert!(!covers("a*", "*a"));
    }

    #[test]
    fn patterns_overlap_when_a_text_matches_both() {
        assert!(overlap("cluster:*", "cluster:admin/xpack/security/*"));
        assert!(!overlap(
            "cluster:monitor/*",
            "cluster:admin/xpack/security/*"
        ));
        assert!(overlap("a*", "ab"));
    }
}
