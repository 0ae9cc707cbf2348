//! The language of a text.

use whatlang::{Lang, detect};

use super::hit::Hit;

/// The category of these hits.
pub const LANGUAGE: &str = "language";

/// A text of fewer letters has no language that can be told.
const SHORTEST: usize = 24;

/// Whether there is a language of this code (ISO 639-3: `eng`, `deu`), or by the two letters of the common ones.
pub fn is_known(code: &str) -> bool {
    Lang::from_code(long(code)).is_some()
}

/// Finds that a text is in none of these languages.
pub fn find(text: &str, allowed: &[String]) -> Vec<Hit> {
    if text.chars().filter(|c| c.is_alphabetic()).count() < SHORTEST {
        return Vec::new();
    }
    let Some(found) = detect(text) else { return Vec::new() };
    if allowed.iter().any(|code| long(code) == found.lang().code()) {
        return Vec::new();
    }
    vec![Hit::new(
        LANGUAGE,
        found.confidence(),
        0..text.len(),
        format!("the language is {}", found.lang().eng_name()),
    )]
}

/// The code of three letters.
fn long(code: &str) -> &str {
    match code {
        "en" => "eng",
        "de" => "deu",
        "fr" => "fra",
        "es" => "spa",
        "it" => "ita",
        "pt" => "por",
        "nl" => "nld",
        "pl" => "pol",
        "sv" => "swe",
        "da" => "dan",
        "fi" => "fin",
        "cs" => "ces",
        "tr" => "tur",
        "ru" => "rus",
        "uk" => "ukr",
        "el" => "ell",
        "ar" => "ara",
        "he" => "heb",
        "hi" => "hin",
        "zh" => "cmn",
        "ja" => "jpn",
        "ko" => "kor",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_language_is_told() {
        let german = "Der Zug nach Berlin fährt heute leider zwanzig Minuten später ab als geplant.";
        assert_eq!(find(german, &["de".into()]), []);
        let hits = find(german, &["en".into()]);
        assert!(hits[0].score > 0.5 && hits[0].what.contains("German"), "{hits:?}");
        assert_eq!(find("ok, merci", &["en".into()]), []);
        assert!(is_known("en") && is_known("cmn") && !is_known("xx"));
    }
}
