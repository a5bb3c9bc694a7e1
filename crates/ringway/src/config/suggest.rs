//! Guessing what somebody meant to write.

/// The word that is nearest to a misspelt one, if one is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |candidate: &str| strsim::damerau_levenshtein(word, candidate);
    let near_enough = 1 + word.len() / 4;
    let scored = known.into_iter().map(|candidate| (distance(candidate), candidate));
    scored
        .filter(|(distance, _)| *distance <= near_enough)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, it)| it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant_and_nothing_else() {
        let known = ["listen", "links_per_worker", "paths"];
        let check = |word, expected| assert_eq!(nearest(word, known), expected, "{word}");
        check("listen", Some("listen"));
        check("lsiten", Some("listen"));
        check("link_per_workers", Some("links_per_worker"));
        check("path", Some("paths"));
        check("colour", None);
        check("", None);
    }
}
