//! [`Exposure`]: whether an agent has all that is needed to carry private data out at somebody else's word.

use serde::Serialize;

use super::row::Row;

/// What an agent has of the three things of which no agent should have all at once: input that anybody may have written,
/// data that is not for everybody, and a way out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Exposure {
    /// The tools whose output anybody may have written.
    pub untrusted: Vec<String>,
    /// The tools that may bring in what is not for everybody.
    pub private: Vec<String>,
    /// The tools that carry something out.
    pub exits: Vec<String>,
}

impl Exposure {
    /// What an agent with these tools has. Of those in `apart` its model never reads the output.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Row>, apart: &[String]) -> Self {
        let mut exposure = Self::default();
        for row in rows {
            let is_read = !apart.contains(&row.tool);
            let columns = [
                (!row.trusted && is_read, &mut exposure.untrusted),
                (row.private && is_read, &mut exposure.private),
                (row.egress, &mut exposure.exits),
            ];
            for (holds, column) in columns {
                if holds && !column.contains(&row.tool) {
                    column.push(row.tool.clone());
                }
            }
        }
        exposure
    }

    /// Whether it has all three.
    pub fn is_complete(&self) -> bool {
        !self.untrusted.is_empty() && !self.private.is_empty() && !self.exits.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use adjutant_core::tool::{Effect, Flow, ToolSpec};
    use serde_json::json;

    use super::*;

    fn row(name: &str, flow: Flow) -> Row {
        Row::of(&ToolSpec {
            name: name.into(),
            description: String::new(),
            parameters: json!({ "type": "object" }),
            effect: Effect::Pure,
            timeout: ToolSpec::DEFAULT_TIMEOUT,
            concurrency: None,
            flow,
        })
    }

    #[test]
    fn three_things_at_once_are_one_too_many() {
        let web = row("web", Flow::outside("web"));
        let files = row(
            "files",
            Flow { trusted: Some(true), readers: Some(vec!["staff".into()]), ..Flow::inside("file") },
        );
        let time = row("time", Flow { trusted: Some(true), ..Flow::inside("clock") });
        let all = Exposure::of([&web, &files, &time], &[]);
        assert!(all.is_complete());
        assert_eq!(
            (all.untrusted, all.private, all.exits),
            (vec!["web".into()], vec!["files".into()], vec!["web".into()])
        );
        assert!(!Exposure::of([&web, &time], &[]).is_complete());
        assert!(!Exposure::of([&files, &time], &[]).is_complete());
        assert!(
            !Exposure::of([&web, &files], &["web".to_owned()]).is_complete(),
            "its model does not read it"
        );
    }
}
