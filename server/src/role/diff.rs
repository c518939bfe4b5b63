//! The difference between two texts, line by line.

use app::model::role::{DiffLine, DiffSide};

/// Longer texts are compared as a whole: a role of this size is not ours to repair line by line.
const LINES_MAX: usize = 500;

/// What is in both, what only `old` has, what only `new` has.
pub(super) fn lines(old: &str, new: &str) -> Vec<DiffLine> {
    let old: Vec<_> = old.lines().collect();
    let new: Vec<_> = new.lines().collect();
    if old.len() > LINES_MAX || new.len() > LINES_MAX {
        let removed = old.into_iter().map(|text| line(DiffSide::Removed, text));
        let added = new.into_iter().map(|text| line(DiffSide::Added, text));
        return removed.chain(added).collect();
    }
    // `common[i][j]` is the length of the longest common subsequence of what follows line i and line j.
    let mut common = vec![vec![0_u16; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut result = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            result.push(line(DiffSide::Both, old[i]));
            i += 1;
            j += 1;
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            result.push(line(DiffSide::Removed, old[i]));
            i += 1;
        } else {
            result.push(line(DiffSide::Added, new[j]));
            j += 1;
        }
    }
    result
}

fn line(side: DiffSide, text: &str) -> DiffLine {
    DiffLine {
        side,
        text: text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_in_both_stay_and_the_others_are_marked() {
        let marked: String = lines("a\nb\nc", "a\nx\nc\nd")
            .iter()
            .map(|line| {
                let mark = match line.side {
                    DiffSide::Both => ' ',
                    DiffSide::Removed => '-',
                    DiffSide::Added => '+',
                };
                format!("{mark}{} ", line.text)
            })
            .collect();
        assert_eq!(marked, " a -b +x  c +d ");
        assert!(lines("", "").is_empty());
    }
}
