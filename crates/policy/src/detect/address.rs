//! Postal addresses of the common kinds: a street with a number, a post box, what a town's code says.

use std::sync::LazyLock;

use regex::Regex;

use super::hit::Hit;
use super::pattern::pattern;

/// The shapes, each with how sure it is.
static SHAPES: LazyLock<Vec<(Regex, f64)>> = LazyLock::new(|| {
    [
        // 1600 Pennsylvania Avenue NW, Apt 4, Washington, DC 20500
        (
            r"(?x)\b[0-9]{1,6}[A-Za-z]?\ (?:(?:N|S|E|W|North|South|East|West)\.?\ )?(?:[A-Z0-9][A-Za-zÀ-ɏ0-9.'\-]*\ ){1,4}
            (?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Square|Sq|Way|Place|Pl|Terrace|Close
            |Crescent|Parkway|Pkwy|Highway|Hwy|Row|Mews|Gardens)\b\.?(?:\ (?:NW|NE|SW|SE)\b)?
            (?:,?\ (?:Apt|Apartment|Suite|Ste|Unit|Flat|\#)\.?\ ?[A-Za-z0-9\-]{1,6})?
            (?:,\ (?:[A-Z][A-Za-zÀ-ɏ.'\-]+\ ?){1,3})?(?:,?\ [A-Z]{2})?(?:,?\ [0-9]{5}(?:-[0-9]{4})?\b)?",
            0.8,
        ),
        // Lindenstraße 12a, 10969 Berlin; Keizersgracht 5
        (
            r"(?x)\b(?:[A-ZÀ-ÖØ-Þ][A-Za-zÀ-ɏ.\-]*[\ \-])?[A-Za-zÀ-ɏ\-]+
            (?:straße|strasse|str\.|weg|platz|allee|gasse|damm|ufer|chaussee|straat|laan|gracht|kade|plein)
            \ [0-9]{1,4}\ ?[a-zA-Z]?\b(?:,?\s+(?:[A-Z]{1,2}-)?[0-9]{4,5}(?:\ ?[A-Z]{2})?\ [A-ZÀ-ÖØ-Þ][A-Za-zÀ-ɏ\-]+)?",
            0.8,
        ),
        // Unter den Linden 77, 10117 Berlin: any name and number before a town with its code
        (
            r"(?x)\b[A-ZÀ-ÖØ-Þ][A-Za-zÀ-ɏ.\-]+(?:\ [A-Za-zÀ-ɏ.\-]+){0,3}\ [0-9]{1,4}[a-zA-Z]?,\ (?:[A-Z]{1,2}-)?[0-9]{4,5}
            \ [A-ZÀ-ÖØ-Þ][A-Za-zÀ-ɏ\-]+",
            0.7,
        ),
        // 12 bis, rue de la Paix, 75002 Paris
        (
            r"(?x)\b[0-9]{1,4}(?:\ ?(?:bis|ter))?,?\ (?i:rue|avenue|boulevard|place|chemin|impasse|allée|quai|cours|route)
            (?:\ (?:de|du|des|la|le|les)|\ [dl]['’])*\ ?[A-ZÀ-ÖØ-Þ][A-Za-zÀ-ɏ'’\-]+(?:[\ \-][A-ZÀ-ÖØ-Þ][A-Za-zÀ-ɏ'’\-]+){0,3}
            (?:,?\ [0-9]{5}\ [A-ZÀ-ÖØ-Þ][A-Za-zÀ-ɏ\-]+)?",
            0.8,
        ),
        // Calle de Alcalá, 42; Via Roma 3; Rua Augusta 10
        (
            r"(?x)\b(?:Calle|Avenida|Avda\.|Plaza|Paseo|Via|Viale|Piazza|Corso|Rua|Travessa)
            (?:\ (?:de|del|della|dei|la|las|los|da|do|dos))*\ [A-ZÀ-ÖØ-Þ][A-Za-zÀ-ɏ'’\-]+(?:\ [A-Za-zÀ-ɏ'’\-]+){0,3},?\ (?:n[º°.]\ ?)?
            [0-9]{1,4}\b(?:,?\ [0-9]{5}\ [A-ZÀ-ÖØ-Þ][A-Za-zÀ-ɏ\-]+)?",
            0.8,
        ),
        // SW1A 1AA
        (r"\b[A-Z]{1,2}[0-9][A-Z0-9]? [0-9][ABD-HJLNP-UW-Z]{2}\b", 0.6),
        (r"(?i)\b(?:p\.? ?o\.? ?box|postfach|apartado(?: de correos)?|casella postale|boîte postale)[ :#]{1,3}[0-9]{1,7}\b", 0.8),
    ]
    .map(|(source, score)| (pattern(source), score))
    .into()
});

pub(super) fn find(text: &str) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (shape, score) in SHAPES.iter() {
        hits.extend(
            shape.find_iter(text).map(|found| Hit::new("address", *score, found.range(), "a postal address")),
        );
    }
    hits
}
