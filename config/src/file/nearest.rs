//! What somebody probably meant.

/// The name that is spelled most like `name`, if any is alike at all.
pub(crate) fn nearest<'a>(
    name: &str,
    known: impl Iterator<Item = impl AsRef<str> + 'a>,
) -> Option<String> {
    let near = known.map(|known| (edits(name, known.as_ref()), known.as_ref().to_owned())).min()?;
    (near.0 <= (name.chars().count() / 3).max(2)).then_some(near.1)
}

/// The Levenshtein distance: how many characters to insert, drop or replace.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, from) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, to) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_one_with_the_fewest_edits() {
        assert_eq!(edits("kitten", "sitting"), 3);
        let known = ["hot-budget", "total-budget", "level"];
        assert_eq!(nearest("hot-buget", known.iter()).as_deref(), Some("hot-budget"));
        assert_eq!(nearest("levle", known.iter()).as_deref(), Some("level"));
        assert_eq!(nearest("colour", known.iter()), None);
    }
}
