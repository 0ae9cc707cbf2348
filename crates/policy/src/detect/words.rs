//! Words and topics that somebody does not want to read.

use std::collections::BTreeMap;

use super::folded::Folded;
use super::hit::Hit;
use super::pattern::stands_alone;

/// The category of denied words.
pub const WORD: &str = "word";
/// The category of denied topics.
pub const TOPIC: &str = "topic";

/// How sure a topic is by how many of its words stand in the text.
const TOPIC_SCORES: [f64; 4] = [0.0, 0.5, 0.8, 0.95];

/// Finds words and phrases, whatever case and alphabet of look-alikes they are written in. A `*` at the end of one stands
/// for any ending.
pub fn find(text: &str, words: &[String]) -> Vec<Hit> {
    let folded = Folded::plain(text);
    let places =
        |word: &String| places(folded.text(), word).map(|span| folded.origin(&span)).collect::<Vec<_>>();
    let hits = words.iter().flat_map(|word| {
        places(word)
            .into_iter()
            .map(move |span| Hit::new(WORD, 1.0, span, format!("`{word}` is not to be said")))
    });
    hits.collect()
}

/// Finds topics by their words: one of them may stand anywhere, two or more of one topic are hardly chance.
pub fn topics(text: &str, topics: &BTreeMap<String, Vec<String>>) -> Vec<Hit> {
    let folded = Folded::plain(text);
    let mut hits = Vec::new();
    for (topic, words) in topics {
        let spans: Vec<_> = words.iter().filter_map(|word| places(folded.text(), word).next()).collect();
        let score = TOPIC_SCORES.get(spans.len()).or(TOPIC_SCORES.last()).copied().unwrap_or_default();
        let start = spans.iter().map(|span| span.start).min();
        let end = spans.iter().map(|span| span.end).max();
        if let (Some(start), Some(end)) = (start, end) {
            let span = folded.origin(&(start..end));
            hits.push(Hit::new(TOPIC, score, span, format!("{} words of the topic `{topic}`", spans.len())));
        }
    }
    hits
}

fn places<'a>(text: &'a str, word: &str) -> impl Iterator<Item = std::ops::Range<usize>> + use<'a> {
    let wanted = Folded::plain(word.trim()).text().to_owned();
    let open = wanted.ends_with('*');
    let stem = wanted.trim_end_matches('*').to_owned();
    let found: Vec<_> = match stem.is_empty() {
        true => Vec::new(),
        false => text.match_indices(stem.as_str()).map(|(start, found)| start..start + found.len()).collect(),
    };
    found
        .into_iter()
        .filter(move |span| stands_alone(text, span.start, if open { text.len() } else { span.end }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_as_words() {
        let words = ["Project Raven".to_owned(), "lawsuit*".to_owned()];
        for (text, expected) in [
            ("About project  raven.", 1),
            ("Prоject Raven", 1),
            ("two lawsuits", 1),
            ("projects ravenous", 0),
        ] {
            assert_eq!(find(text, &words).len(), expected, "{text}");
        }
    }

    #[test]
    fn a_topic_is_surer_the_more_of_its_words_stand_there() {
        let known =
            BTreeMap::from([("medicine".to_owned(), ["dose", "drug*", "diagnos*"].map(String::from).into())]);
        let score = |text: &str| topics(text, &known).first().map_or(0.0, |hit| hit.score);
        assert_eq!(score("a fine day"), 0.0);
        assert_eq!(score("a dose of luck"), 0.5);
        assert_eq!(score("the dose of these drugs"), 0.8);
    }
}
