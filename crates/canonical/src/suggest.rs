//! Did-you-mean: the nearest of the names that exist.

/// The name of `among` nearest to `word`, when it is near enough to be a slip of the hand.
#[must_use]
pub fn nearest<'a>(word: &str, among: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    among
        .into_iter()
        .map(|name| (distance(&word.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(steps, _)| *steps <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// A hint that names the nearest of `among`, or lists them all when none is near.
#[must_use]
pub fn hint<'a>(word: &str, among: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = among.into_iter().collect();
    match nearest(word, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if names.is_empty() => "there is none to choose from".to_owned(),
        None => format!("use one of: {}", names.join(", ")),
    }
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from one text to the other.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, r) in right.iter().enumerate() {
            let mut best = (last[j] + usize::from(l != r)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *l == right[j - 1] && left[i - 1] == *r {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    //! What counts as near.
    use super::{distance, hint, nearest};

    #[test]
    fn distances_count_edits_and_swaps() {
        for (left, right, steps) in
            [("", "", 0), ("a", "", 1), ("email", "emial", 1), ("kitten", "sitting", 3), ("ä", "a", 1)]
        {
            assert_eq!(distance(left, right), steps, "{left} {right}");
            assert_eq!(distance(right, left), steps, "{right} {left}");
        }
    }

    #[test]
    fn only_near_names_are_offered() {
        assert_eq!(nearest("emial", ["name", "email", "phone"]), Some("email"));
        assert_eq!(nearest("EMAIL", ["email"]), Some("email"));
        assert_eq!(nearest("zzz", ["name", "email"]), None);
        assert_eq!(hint("zzz", ["name", "email"]), "use one of: name, email");
        assert_eq!(hint("x", []), "there is none to choose from");
    }
}
