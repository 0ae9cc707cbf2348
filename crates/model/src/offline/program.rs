//! A program from words, for a tool that runs programs: the total, the average or the count of a column by another one,
//! over the rows that the question names. It has one form.

use adjutant_core::tool::ToolSpec;
use serde_json::{Map, Value};

use super::choose::Proposal;
use super::words::{same, stem, words};

/// The parameter that a program is given by.
const PARAMETER: &str = "program";

/// How many rows are read at once.
const PAGE: u32 = 1000;

/// A function of a program that reads rows, as its declaration describes it.
#[derive(Debug, PartialEq)]
struct Reader {
    name: String,
    columns: Vec<Column>,
    /// Whether it takes `from` and `most`.
    by_pages: bool,
}

#[derive(Debug, PartialEq)]
struct Column {
    name: String,
    is_number: bool,
}

/// The call that runs a program for the question, where there is a tool for programs and the question is of the form
/// that this knows.
pub(super) fn proposal(tools: &[ToolSpec], question: &str) -> Option<Proposal> {
    let takes_program = |tool: &&ToolSpec| tool.parameters.pointer("/properties/program").is_some();
    let tool = tools.iter().find(takes_program)?;
    let program = readers(&tool.description).iter().find_map(|reader| write(reader, question))?;
    let arguments = Map::from_iter([(PARAMETER.to_owned(), Value::from(program))]);
    Some(Proposal { tool: tool.name.clone(), arguments })
}

/// The declared functions whose description lists columns: `Columns: region (text), units (number)`.
fn readers(description: &str) -> Vec<Reader> {
    let Some((_, declared)) = description.split_once("declare const tools: {") else { return Vec::new() };
    let mut found = Vec::new();
    let mut rest = declared;
    while let Some((_, after)) = rest.split_once("Columns: ") {
        let (listed, after) = after.split_once('.').unwrap_or((after, ""));
        let columns = listed.split(',').filter_map(column).collect();
        let declaration = after.split_once("*/").map_or("", |(_, after)| after);
        let (name, input) = declaration.split_once("(input").unwrap_or_default();
        let input = input.split_once("): Promise").map_or("", |(input, _)| input);
        let name = name.trim();
        if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let by_pages = input.contains("from?: number") && input.contains("most?: number");
            found.push(Reader { name: name.to_owned(), columns, by_pages });
        }
        rest = after;
    }
    found
}

fn column(listed: &str) -> Option<Column> {
    let (name, kind) = listed.trim().split_once(" (")?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then(|| Column { name: name.to_owned(), is_number: kind.starts_with("number") })
}

/// What is computed of a column.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sum {
    Total,
    Average,
    Count,
}

/// What a question asks of a table.
#[derive(Debug, PartialEq)]
struct Asked<'a> {
    sum: Sum,
    of: Option<&'a str>,
    by: Option<&'a str>,
    least_first: bool,
    first_only: bool,
    /// What dates begin with.
    when: Option<String>,
}

impl<'a> Asked<'a> {
    /// Reads a question. None where it asks for nothing that can be computed so.
    fn of(reader: &'a Reader, question: &str) -> Option<Self> {
        let said: Vec<String> = words(question).collect();
        let stems: Vec<String> = said.iter().map(|word| stem(word)).collect();
        let has = |list: &[&str]| said.iter().any(|word| list.contains(&word.as_str()));
        let place = |column: &Column| stems.iter().position(|word| same(word, &stem(&column.name)));
        let named = |is_number: bool| {
            let columns = reader.columns.iter().filter(move |column| column.is_number == is_number);
            columns.filter_map(|column| Some((place(column)?, column.name.as_str())))
        };
        let of = named(true).min().map(|(_, name)| name);
        let by = named(false).filter(|(at, _)| {
            let before = at.checked_sub(1).and_then(|at| said.get(at)).map(String::as_str);
            before.is_some_and(|word| ["per", "by", "each", "every", "which", "what", "in"].contains(&word))
        });
        let by = by.min().map(|(_, name)| name);
        let counts = question.to_lowercase().contains("how many") && of.is_none();
        let averages = has(&["average", "mean"]);
        let totals = has(&[
            "total", "sum", "most", "least", "highest", "lowest", "best", "worst", "fewest", "much", "many",
        ]);
        let sum = match (counts, averages, totals) {
            (true, ..) => Sum::Count,
            (_, true, _) => Sum::Average,
            (_, _, true) => Sum::Total,
            _ => return None,
        };
        if sum != Sum::Count && of.is_none() {
            return None;
        }
        let year = said.iter().find(|word| {
            word.len() == 4 && word.starts_with("20") && word.bytes().all(|b| b.is_ascii_digit())
        });
        Some(Self {
            sum,
            of,
            by,
            least_first: has(&["least", "lowest", "worst", "fewest"]),
            first_only: by.is_some()
                && has(&["most", "least", "highest", "lowest", "best", "worst", "fewest"]),
            when: year.cloned(),
        })
    }
}

fn write(reader: &Reader, question: &str) -> Option<String> {
    let asked = Asked::of(reader, question)?;
    let name = &reader.name;
    let mut program = match reader.by_pages {
        true => format!(
            "const rows = [];\nfor (let from = 0; ; from += {PAGE}) {{\n  const page = await tools.{name}({{ from, most: {PAGE} }});\n  \
             rows.push(...page);\n  if (page.length < {PAGE}) break;\n}}\n"
        ),
        false => format!("const rows = await tools.{name}({{}});\n"),
    };
    program.push_str("let kept = rows;\n");
    if let Some(when) = &asked.when
        && let Some(date) = reader.columns.iter().find(|column| column.name.contains("date"))
    {
        program
            .push_str(&format!("kept = kept.filter((row) => row.{}.startsWith(\"{when}\"));\n", date.name));
    }
    let said: Vec<String> = words(question).collect();
    let texts = reader.columns.iter().filter(|column| !column.is_number && !column.name.contains("date"));
    let texts: Vec<&str> = texts.map(|column| column.name.as_str()).collect();
    if !texts.is_empty() {
        program.push_str(&format!(
            "// The rows whose cells the question names.\nconst said = {};\nfor (const column of {}) {{\n  const named = new \
             Set(kept.map((row) => row[column]).filter((cell) => said.includes(` ${{cell.toLowerCase()}} `)));\n  if \
             (named.size) kept = kept.filter((row) => named.has(row[column]));\n}}\n",
            Value::from(format!(" {} ", said.join(" "))),
            Value::from(texts),
        ));
    }
    program.push_str(&result(&asked));
    Some(program)
}

/// The end of the program: what it computes, and returns with a name that says what it is.
fn result(asked: &Asked<'_>) -> String {
    let of = asked.of.unwrap_or_default();
    let total = format!("rows.reduce((sum, row) => sum + row.{of}, 0)");
    let (name, value) = match asked.sum {
        Sum::Total => (format!("total_{of}"), total),
        Sum::Average => (format!("average_{of}"), format!("({total} / rows.length)")),
        Sum::Count => ("count".to_owned(), "rows.length".to_owned()),
    };
    // Sums of cents are not exact.
    let compute = format!("const compute = (rows) => Math.round({value} * 100) / 100;\n");
    let Some(by) = asked.by else {
        return format!(
            "{compute}return {{ {name}: kept.length ? compute(kept) : 0, rows: kept.length }};\n"
        );
    };
    let order = if asked.least_first { "a.{} - b.{}" } else { "b.{} - a.{}" }.replace("{}", &name);
    let most = if asked.first_only { 1 } else { 20 };
    format!(
        "{compute}const groups = Object.groupBy(kept, (row) => row.{by});\nreturn Object.entries(groups)\n  .map(([{by}, rows]) => \
         ({{ {by}, {name}: compute(rows) }}))\n  .sort((a, b) => {order})\n  .slice(0, {most});\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIPTION: &str = "Runs a program.\n```typescript\ndeclare const tools: {\n  /** Adds. */\n  add(input: {\n    \
        a: number;\n  }): Promise<any>;\n  /** Reads sales. Columns: date (text), region (text), units (number), revenue (number). */\n  \
        sales(input?: {\n    from?: number;\n    most?: number;\n  }): Promise<any>;\n};\n```";

    fn reader() -> Reader {
        readers(DESCRIPTION).remove(0)
    }

    #[test]
    fn declarations_with_columns_are_found() {
        let reader = reader();
        assert_eq!((reader.name.as_str(), reader.by_pages, reader.columns.len()), ("sales", true, 4));
        assert_eq!(reader.columns[2], Column { name: "units".into(), is_number: true });
        assert!(readers("no programs here").is_empty());
    }

    #[test]
    fn questions_are_read() {
        let reader = reader();
        let check = |question, sum, of, by, first_only, when: Option<&str>| {
            let asked = Asked::of(&reader, question).unwrap_or_else(|| panic!("{question}"));
            let found = (asked.sum, asked.of, asked.by, asked.first_only, asked.when.as_deref());
            assert_eq!(found, (sum, of, by, first_only, when), "{question}");
        };
        check(
            "Which region sold the most units in 2025?",
            Sum::Total,
            Some("units"),
            Some("region"),
            true,
            Some("2025"),
        );
        check(
            "What is the total revenue per region?",
            Sum::Total,
            Some("revenue"),
            Some("region"),
            false,
            None,
        );
        check("What is the average revenue of the North?", Sum::Average, Some("revenue"), None, false, None);
        check("How many sales were there in the North?", Sum::Count, None, None, false, None);
        assert_eq!(Asked::of(&reader, "Why is the sky blue?"), None);
        assert_eq!(Asked::of(&reader, "What is the total weight?"), None);
    }

    #[test]
    fn a_program_reads_page_by_page_and_returns_little() {
        let program = write(&reader(), "Which region sold the fewest units in 2024?").unwrap();
        assert!(program.contains("await tools.sales({ from, most: 1000 })"), "{program}");
        assert!(program.contains(r#"row.date.startsWith("2024")"#), "{program}");
        assert!(
            program.contains(r#"const said = " which region sold the fewest units in 2024 ";"#),
            "{program}"
        );
        assert!(
            program.contains(".sort((a, b) => a.total_units - b.total_units)\n  .slice(0, 1);"),
            "{program}"
        );
    }
}
