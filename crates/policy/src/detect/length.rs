//! The length of a text.

use super::hit::Hit;

/// The category of these hits.
pub const LENGTH: &str = "length";

/// Finds that a text has more characters than it may, or fewer than it must.
pub fn find(text: &str, least: usize, most: usize) -> Vec<Hit> {
    let length = text.chars().count();
    if (least..=most).contains(&length) {
        return Vec::new();
    }
    let start = text.char_indices().nth(most).map_or(0, |(start, _)| start);
    vec![Hit::new(
        LENGTH,
        1.0,
        start..text.len(),
        format!("it has {length} characters; {least} to {most} are allowed"),
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_what_is_over() {
        assert_eq!(find("größe", 1, 5), []);
        assert_eq!(find("größe", 1, 3)[0].span, 4..7);
        assert_eq!(find("", 1, 3)[0].span, 0..0);
    }
}
