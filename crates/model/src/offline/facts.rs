//! What a text states outright: numbers, ids, addresses, dates, quotations, sums.

/// What a text states outright, each kind in the order of the text and without repetition.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Facts {
    pub(super) emails: Vec<String>,
    pub(super) urls: Vec<String>,
    pub(super) paths: Vec<String>,
    /// As `2026-11-22`.
    pub(super) dates: Vec<String>,
    pub(super) quoted: Vec<String>,
    /// Words with digits in them, such as `1042` or `A-17`.
    pub(super) ids: Vec<String>,
    /// As JSON writes them.
    pub(super) numbers: Vec<String>,
    pub(super) expressions: Vec<String>,
    /// Capitalised words that begin no sentence.
    pub(super) names: Vec<String>,
}

/// How much of a text is looked at: what a person types is shorter, and a pasted book stays affordable.
const MOST_BYTES: usize = 64 << 10;

impl Facts {
    /// Reads a text.
    pub(super) fn of(text: &str) -> Self {
        let text = text.get(..text.floor_char_boundary(MOST_BYTES)).unwrap_or(text);
        let mut facts = Self { quoted: quotations(text), expressions: expression(text), ..Self::default() };
        let tokens: Vec<&str> = text.split_whitespace().collect();
        let mut begins = true;
        for (index, raw) in tokens.iter().enumerate() {
            let token = trim(raw);
            if !token.is_empty() {
                facts.take(
                    token,
                    begins,
                    tokens.get(index.saturating_sub(1)..(index + 3).min(tokens.len())).unwrap_or_default(),
                );
            }
            begins = raw.ends_with(['.', '!', '?', ':']);
        }
        facts
    }

    fn take(&mut self, token: &str, begins_sentence: bool, around: &[&str]) {
        if token.starts_with("http://") || token.starts_with("https://") {
            return add(&mut self.urls, token);
        }
        if is_email(token) {
            return add(&mut self.emails, token);
        }
        if let Some(date) = date(token).or_else(|| worded_date(token, around)) {
            return add(&mut self.dates, &date);
        }
        if is_path(token) {
            return add(&mut self.paths, token);
        }
        if let Some(number) = number(token) {
            add(&mut self.numbers, &number);
        }
        let bare = token.trim_start_matches(['#', '№']);
        if bare.chars().any(|c| c.is_ascii_digit())
            && bare.chars().all(|c| c.is_alphanumeric() || "-_/".contains(c))
        {
            return add(&mut self.ids, bare);
        }
        if !begins_sentence && bare.starts_with(char::is_uppercase) && bare.len() > 1 && bare != "I'm" {
            add(&mut self.names, bare);
        }
    }
}

fn add(list: &mut Vec<String>, item: &str) {
    const MOST: usize = 32;
    if list.len() < MOST && !list.iter().any(|other| other == item) {
        list.push(item.to_owned());
    }
}

fn trim(token: &str) -> &str {
    token.trim_matches(|c: char| ",;:!?()[]{}<>\"'“”‘’`*".contains(c)).trim_end_matches('.')
}

fn is_email(token: &str) -> bool {
    token.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty()
            && host.contains('.')
            && !host.starts_with('.')
            && host.chars().all(|c| c.is_alphanumeric() || c == '.' || c == '-')
    })
}

/// Whether a token names a file: `notes/returns`, `returns.md`.
pub(super) fn is_path(token: &str) -> bool {
    let plain = token.chars().all(|c| c.is_alphanumeric() || "._-/~+".contains(c));
    let last = token.rsplit('/').next().unwrap_or(token);
    let has_extension = last.rsplit_once('.').is_some_and(|(stem, extension)| {
        !stem.is_empty()
            && (1..=5).contains(&extension.len())
            && extension.starts_with(|c: char| c.is_ascii_alphabetic())
            && extension.chars().all(|c| c.is_ascii_alphanumeric())
            && !(stem.len() == 1 && extension.len() == 1)
    });
    plain && has_extension
}

/// A number as JSON writes it: `$1,299.50` is `1299.5`.
fn number(token: &str) -> Option<String> {
    let bare =
        token.trim_start_matches(['$', '€', '£', '#']).trim_end_matches(['%', '€', '$']).replace(',', "");
    let parsed: f64 = bare.parse().ok()?;
    let written = bare.starts_with(|c: char| c.is_ascii_digit() || c == '-') && parsed.is_finite();
    serde_json::from_str::<serde_json::Number>(bare.trim_start_matches('+'))
        .ok()
        .filter(|_| written)
        .map(|n| n.to_string())
}

/// A date in digits: `2026-11-22`, `22.11.2026`.
fn date(token: &str) -> Option<String> {
    let parts = |separator| -> Option<[u32; 3]> {
        let mut parts = token.split(separator).map(|part: &str| part.parse::<u32>().ok());
        let three = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then_some(three)
    };
    if let Some([year, month, day]) = parts('-').filter(|_| token.len() == 10) {
        return calendar(year, month, day);
    }
    parts('.').and_then(|[day, month, year]| calendar(year, month, day))
}

/// A date in words: `22 November 2026`, `November 22, 2026`. `around` is the word before, the token, and two after.
fn worded_date(token: &str, around: &[&str]) -> Option<String> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let lower = token.to_lowercase();
    let found = MONTHS.iter().position(|month| {
        lower.len() >= 3 && lower.starts_with(month) && lower.chars().all(char::is_alphabetic)
    })?;
    let month = u32::try_from(found).ok()? + 1;
    let place = around.iter().position(|other| trim(other) == token)?;
    let at = |place: Option<usize>| -> Option<u32> {
        trim(around.get(place?)?).trim_end_matches(|c: char| c.is_alphabetic()).parse().ok()
    };
    let (before, after, later) = (at(place.checked_sub(1)), at(Some(place + 1)), at(Some(place + 2)));
    match (before, after, later) {
        (_, Some(day), Some(year)) if day <= 31 => calendar(year, month, day),
        (Some(day), Some(year), _) => calendar(year, month, day),
        _ => None,
    }
}

fn calendar(year: u32, month: u32, day: u32) -> Option<String> {
    let valid = (1000..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    valid.then(|| format!("{year:04}-{month:02}-{day:02}"))
}

/// What stands between quotation marks.
fn quotations(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(['"', '“', '`', '\'', '‘', '«']) {
        let (before, from) = rest.split_at(start);
        let Some(open) = from.chars().next() else { break };
        let inner = from.get(open.len_utf8()..).unwrap_or_default();
        let close = match open {
            '“' => '”',
            '‘' => '’',
            '«' => '»',
            same => same,
        };
        let apostrophe = open == '\'' && before.ends_with(char::is_alphanumeric);
        match inner.find(close) {
            Some(end) if !apostrophe => {
                let quoted = inner.get(..end).unwrap_or_default().trim();
                if !quoted.is_empty() {
                    add(&mut found, quoted);
                }
                rest = inner.get(end + close.len_utf8()..).unwrap_or_default();
            }
            _ => rest = inner,
        }
    }
    found
}

/// A sum that is written out: `3 * (4 + 5)`, `15% of 80`, `7 times 6`.
fn expression(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let mut best: Vec<String> = Vec::new();
    let mut run = String::new();
    let mut flush = |run: &mut String| {
        let candidate = run.trim().trim_end_matches(['+', '-', '*', '/', '(', '.', '^']).trim().to_owned();
        if is_sum(&candidate) {
            add(&mut best, &candidate);
        }
        run.clear();
    };
    for raw in lower.split_whitespace() {
        let token = raw.trim_end_matches(['?', '!', ',', ';', '=', ':']).trim_matches(['"', '`']);
        let token = token.strip_suffix('.').unwrap_or(token);
        let as_sign = match token {
            "plus" => "+",
            "minus" => "-",
            "times" | "x" | "×" | "multiplied" => "*",
            "divided" | "over" | "÷" => "/",
            "by" if run.ends_with(['*', '/']) => continue,
            "of" if run.ends_with("/ 100") => "*",
            other => other,
        };
        let percent = as_sign.strip_suffix('%').filter(|number| number.parse::<f64>().is_ok());
        let is_part =
            !as_sign.is_empty() && as_sign.chars().all(|c| c.is_ascii_digit() || "+-*/().^%".contains(c));
        match (percent, is_part && date(as_sign).is_none()) {
            (Some(number), _) => run.push_str(&format!(" {number} / 100")),
            (None, true) => run.push_str(&format!(" {as_sign}")),
            (None, false) => flush(&mut run),
        }
    }
    flush(&mut run);
    best
}

/// Whether a text is a sum: two numbers at least, and a sign between them that stands for itself.
fn is_sum(text: &str) -> bool {
    let numbers = text
        .split(|c: char| !c.is_ascii_digit() && c != '.')
        .filter(|part| part.chars().any(|c| c.is_ascii_digit()))
        .count();
    let sign = text.contains(['+', '*', '/', '^', '%']) || text.contains(" - ");
    let balanced = text.matches('(').count() == text.matches(')').count();
    // Two numbers side by side without a sign are no sum.
    let bare: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let side_by_side = bare.split(' ').collect::<Vec<_>>().windows(2).any(|pair| match pair {
        [a, b] => a.ends_with(|c: char| c.is_ascii_digit()) && b.starts_with(|c: char| c.is_ascii_digit()),
        _ => false,
    });
    numbers >= 2 && sign && balanced && !side_by_side
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn facts_are_found_in_running_text() {
        let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
        type Pick = fn(&Facts) -> &Vec<String>;
        let cases: [(&str, Pick, &[&str]); 20] = [
            ("Where is order 1042?", |f| &f.ids, &["1042"]),
            ("orders #1042 and A-17.", |f| &f.ids, &["1042", "A-17"]),
            ("order 1042, 1042", |f| &f.numbers, &["1042"]),
            ("it cost $1,299.50", |f| &f.numbers, &["1299.5"]),
            ("write to Ann@example.com.", |f| &f.emails, &["Ann@example.com"]),
            ("see https://example.com/a?b=1, please", |f| &f.urls, &["https://example.com/a?b=1"]),
            ("read notes/returns.md and README.md", |f| &f.paths, &["notes/returns.md", "README.md"]),
            ("e.g. this, and/or that", |f| &f.paths, &[]),
            ("on 2026-11-22 or 3.12.2026", |f| &f.dates, &["2026-11-22", "2026-12-03"]),
            ("on November 22, 2026 or 3 December 2026.", |f| &f.dates, &["2026-11-22", "2026-12-03"]),
            ("on 2026-13-22", |f| &f.dates, &[]),
            ("find \"free returns\" and ‘gift cards’", |f| &f.quoted, &["free returns", "gift cards"]),
            ("it's Ann's and don't 'do it'", |f| &f.quoted, &["do it"]),
            ("What is 3 * (4 + 5)?", |f| &f.expressions, &["3 * (4 + 5)"]),
            ("15% of 80", |f| &f.expressions, &["15 / 100 * 80"]),
            ("7 times 6, and 8 divided by 2", |f| &f.expressions, &["7 * 6", "8 / 2"]),
            ("2+2=", |f| &f.expressions, &["2+2"]),
            ("order 1042 on 2026-11-22", |f| &f.expressions, &[]),
            ("open 9-17, call 555-1234", |f| &f.expressions, &[]),
            ("I met Ann Smith. She left", |f| &f.names, &["Ann", "Smith"]),
        ];
        for (text, pick, expected) in cases {
            assert_eq!(*pick(&Facts::of(text)), list(expected), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[ -~äß“”‘’'\"`%0-9.*/+()-]{0,80}") {
            let _ = Facts::of(&text);
        }
    }
}
