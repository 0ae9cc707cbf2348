//! A simple SQL query from words, for a tool whose description lists its tables.

use super::facts::Facts;
use super::words::{best, name_words, stem, stems};

/// A table that a description lists: `CREATE TABLE orders (number, customer)` or `orders(number, customer)`.
#[derive(Debug, PartialEq)]
struct Table {
    name: String,
    columns: Vec<String>,
}

/// A query for what the text asks, with its weight as evidence: the one that the text spells out, or one over the table
/// that it names.
pub(super) fn statement(description: &str, text: &str, facts: &Facts) -> Option<(String, f64)> {
    if let Some(written) = written(text, facts) {
        return Some((written, 4.0));
    }
    let asked = stems(text);
    let tables = tables(description);
    let likeness = |table: &Table| {
        let names: Vec<String> = name_words(&table.name).iter().map(|word| stem(word)).collect();
        asked.iter().map(|stem| best(stem, &names)).fold(0.0, f64::max)
    };
    let table = tables
        .iter()
        .filter(|table| likeness(table) > 0.0)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    let condition =
        condition(table, facts).map(|condition| format!(" where {condition}")).unwrap_or_default();
    let count = text.to_lowercase().contains("how many");
    let (what, end) = if count { ("count(*)", "") } else { ("*", " limit 20") };
    Some((format!("select {what} from {}{condition}{end}", table.name), 1.0))
}

fn written(text: &str, facts: &Facts) -> Option<String> {
    let is_query = |text: &str| {
        let lower = text.to_lowercase();
        (lower.starts_with("select ") || lower.starts_with("with ")) && lower.contains(" from ")
    };
    if let Some(quoted) = facts.quoted.iter().find(|quoted| is_query(quoted)) {
        return Some(quoted.clone());
    }
    let start = text.to_ascii_lowercase().find("select ")?;
    let query = text.get(start..)?.split(';').next()?.trim().trim_end_matches(['?', '.', '!']);
    is_query(query).then(|| query.to_owned())
}

fn condition(table: &Table, facts: &Facts) -> Option<String> {
    let column = |words: &[&str]| {
        table
            .columns
            .iter()
            .find(|column| name_words(column).iter().any(|word| words.contains(&word.as_str())))
    };
    let kinds: [(&Vec<String>, &[&str]); 3] = [
        (&facts.emails, &["email", "mail"]),
        (&facts.ids, &["number", "id", "no", "nr", "code", "key"]),
        (&facts.names, &["name", "customer", "person", "owner"]),
    ];
    kinds.iter().find_map(|(values, words)| {
        let (value, column) = (values.first()?, column(words)?);
        Some(format!("{column} = '{}'", value.replace('\'', "''")))
    })
}

fn tables(description: &str) -> Vec<Table> {
    const MOST: usize = 64;
    let mut found = Vec::new();
    let mut rest = description;
    while let Some(open) = rest.find('(')
        && found.len() < MOST
    {
        let (before, from) = rest.split_at(open);
        let (inner, after) = closed(from);
        let name = before.trim_end().rsplit(|c: char| !is_name(c)).next().unwrap_or_default();
        let columns: Vec<String> = split(inner).into_iter().filter_map(column).collect();
        if !name.is_empty() && columns.len() > 1 {
            found.push(Table { name: name.to_owned(), columns });
        }
        rest = after;
    }
    found
}

/// What stands between an opening parenthesis and the one that closes it, and what comes after.
fn closed(from: &str) -> (&str, &str) {
    let mut depth = 0usize;
    for (at, c) in from.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => {
                return (from.get(1..at).unwrap_or_default(), from.get(at + 1..).unwrap_or_default());
            }
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    (from.get(1..).unwrap_or_default(), "")
}

/// The parts between the commas that stand in no parentheses.
fn split(inner: &str) -> Vec<&str> {
    let mut depth = 0i32;
    inner
        .split(|c: char| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            c == ',' && depth == 0
        })
        .collect()
}

fn column(part: &str) -> Option<String> {
    let first = part.split_whitespace().next()?.trim_matches(['"', '`', '[', ']']);
    let constraint =
        ["primary", "foreign", "unique", "check", "constraint"].contains(&first.to_lowercase().as_str());
    (!constraint && !first.is_empty() && first.chars().all(is_name)).then(|| first.to_owned())
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_become_queries() {
        let described = "Reads the shop's database (read-only). Tables:\nCREATE TABLE orders (\n  number INTEGER PRIMARY KEY,\n \
            total DECIMAL(8, 2), customer_id INTEGER, PRIMARY KEY (number))\ncustomers(id, name, email)";
        let cases = [
            ("Where is order 1042?", Some("select * from orders where number = '1042' limit 20")),
            ("How many orders are there?", Some("select count(*) from orders")),
            (
                "the customer with ann@example.com",
                Some("select * from customers where email = 'ann@example.com' limit 20"),
            ),
            (
                "Which customer is called O'Hara",
                Some("select * from customers where name = 'O''Hara' limit 20"),
            ),
            ("run SELECT 1 FROM orders; now", Some("SELECT 1 FROM orders")),
            ("what is the weather", None),
        ];
        for (text, query) in cases {
            let found = statement(described, text, &Facts::of(text)).map(|(query, _)| query);
            assert_eq!(found.as_deref(), query, "{text}");
        }
    }
}
