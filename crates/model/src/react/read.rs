//! Reads what a model writes, piece by piece: its thoughts, its answer, or the one call that it makes.

use super::mark::{self, Found, Mark};

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A piece of a thought.
    Thought(String),
    /// A piece of the answer.
    Text(String),
}

/// A call, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Action {
    pub(super) name: String,
    pub(super) input: String,
    /// Whether something stood behind it, so that it is no half of one.
    pub(super) is_whole: bool,
}

/// What a text comes to at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) pieces: Vec<Piece>,
    pub(super) action: Option<Action>,
    /// What is wrong with its form.
    pub(super) fault: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before any mark.
    Open,
    Thought,
    Name,
    Input,
    Answer,
    /// Behind the call: what stands there was made up.
    Over,
}

/// Reads a text.
#[derive(Debug)]
pub(super) struct Reader {
    may_act: bool,
    place: Place,
    /// What was not taken yet: the beginning of a line.
    rest: String,
    at_line_start: bool,
    /// Spaces, which count only where something follows.
    blank: String,
    /// What was thought, or said before any mark.
    thought: String,
    /// What was answered is not kept: whether there was anything.
    answered: bool,
    /// Whether anything was said since the last mark.
    begun: bool,
    name: String,
    input: String,
    fault: Option<&'static str>,
}

impl Reader {
    /// Reads a text from its beginning. Where no call may be made, none is read.
    pub(super) fn new(may_act: bool) -> Self {
        Self {
            may_act,
            place: Place::Open,
            rest: String::new(),
            at_line_start: true,
            blank: String::new(),
            thought: String::new(),
            answered: false,
            begun: false,
            name: String::new(),
            input: String::new(),
            fault: None,
        }
    }

    /// Takes the next piece of the text.
    pub(super) fn push(&mut self, text: &str) -> Vec<Piece> {
        self.read(text, false)
    }

    /// Takes the end of the text.
    pub(super) fn finish(&mut self) -> Ended {
        let mut pieces = self.read("", true);
        let name = self.name.trim_matches(|c: char| c.is_whitespace() || "`*\"'[]".contains(c)).to_owned();
        let acts = matches!(self.place, Place::Name | Place::Input | Place::Over);
        if acts && !name.is_empty() {
            let is_whole = self.place == Place::Over;
            let input = std::mem::take(&mut self.input);
            return Ended { pieces, action: Some(Action { name, input, is_whole }), fault: None };
        }
        if self.place == Place::Name {
            self.fault.get_or_insert("an `Action:` names no tool");
        }
        if !self.answered {
            // What nothing follows is the answer.
            if self.place != Place::Open && self.may_act {
                self.fault.get_or_insert("there is neither an action nor a final answer");
            }
            pieces.extend((!self.thought.is_empty()).then(|| Piece::Text(std::mem::take(&mut self.thought))));
        }
        Ended { pieces, action: None, fault: self.fault }
    }

    fn read(&mut self, text: &str, is_all: bool) -> Vec<Piece> {
        self.rest.push_str(text);
        let whole = std::mem::take(&mut self.rest);
        let (mut rest, mut pieces) = (whole.as_str(), Vec::new());
        while !rest.is_empty() {
            if self.at_line_start && self.place != Place::Answer {
                let line = rest.split_once('\n').map_or(rest, |(line, _)| line);
                match mark::find(line, is_all || line.len() < rest.len()) {
                    Found::More => break,
                    Found::Mark(mark, length) if self.counts(mark) => {
                        self.enter(mark, &mut pieces);
                        self.at_line_start = false;
                        rest = rest.get(length..).unwrap_or_default();
                        continue;
                    }
                    Found::Mark(..) | Found::None => {}
                }
            }
            let length = rest.find('\n').map_or(rest.len(), |end| end + 1);
            let (line, later) = rest.split_at_checked(length).unwrap_or((rest, ""));
            self.at_line_start = line.ends_with('\n');
            self.take(line, &mut pieces);
            rest = later;
        }
        self.rest = rest.to_owned();
        pieces
    }

    fn counts(&self, mark: Mark) -> bool {
        self.may_act || matches!(mark, Mark::Thought | Mark::Answer)
    }

    fn enter(&mut self, mark: Mark, pieces: &mut Vec<Piece>) {
        let has_name = !self.name.trim().is_empty();
        if self.place == Place::Open {
            // What stood before it was a thought.
            pieces.extend((!self.thought.is_empty()).then(|| Piece::Thought(self.thought.clone())));
        }
        (self.begun, self.blank) = (false, String::new());
        self.place = match (mark, self.place) {
            (_, Place::Over) => Place::Over,
            (Mark::Input, Place::Name) if has_name => Place::Input,
            (Mark::Input, Place::Input) if self.input.trim().is_empty() => Place::Input,
            _ if has_name => Place::Over,
            (Mark::Thought, _) => Place::Thought,
            (Mark::Action, _) => Place::Name,
            (Mark::Answer, _) => Place::Answer,
            (Mark::Input, _) => {
                self.fault.get_or_insert("an `Action Input:` stands without an `Action:`");
                Place::Over
            }
            (Mark::Observation, _) => Place::Over,
        };
    }

    fn take(&mut self, line: &str, pieces: &mut Vec<Piece>) {
        match self.place {
            Place::Open => {
                let said = self.said(line, !self.thought.is_empty());
                self.thought.push_str(&said);
            }
            Place::Thought => {
                let said = self.said(line, !self.thought.is_empty());
                self.thought.push_str(&said);
                pieces.extend((!said.is_empty()).then_some(Piece::Thought(said)));
            }
            Place::Answer => {
                let said = self.said(line, false);
                self.answered |= !said.is_empty();
                pieces.extend((!said.is_empty()).then_some(Piece::Text(said)));
            }
            Place::Name => {
                self.name.push_str(line);
                if line.ends_with('\n') && !self.name.trim().is_empty() {
                    self.place = Place::Input;
                }
            }
            Place::Input => self.input.push_str(line),
            Place::Over => {}
        }
    }

    /// What of a line is said, with the spaces before it and without those behind it.
    fn said(&mut self, line: &str, goes_on: bool) -> String {
        let mut whole = std::mem::take(&mut self.blank);
        whole.push_str(line);
        let start = if self.begun { whole.as_str() } else { whole.trim_start() };
        let said = start.trim_end();
        if said.is_empty() {
            self.blank = if self.begun { whole } else { String::new() };
            return String::new();
        }
        self.blank = start.get(said.len()..).unwrap_or_default().to_owned();
        let joint = if goes_on && !self.begun { "\n" } else { "" };
        self.begun = true;
        format!("{joint}{said}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a text in these pieces says: thoughts, answer, call, fault.
    fn read<'a>(
        pieces: impl IntoIterator<Item = &'a str>,
        may_act: bool,
    ) -> (String, String, Option<(String, String)>, Option<&'static str>) {
        let mut reader = Reader::new(may_act);
        let mut said: Vec<Piece> = pieces.into_iter().flat_map(|piece| reader.push(piece)).collect();
        let ended = reader.finish();
        said.extend(ended.pieces);
        let (mut thoughts, mut answer) = (String::new(), String::new());
        for piece in said {
            match piece {
                Piece::Thought(text) => thoughts.push_str(&text),
                Piece::Text(text) => answer.push_str(&text),
            }
        }
        (thoughts, answer, ended.action.map(|action| (action.name, action.input)), ended.fault)
    }

    #[test]
    fn texts_are_read_as_they_are_meant() {
        let call = |name: &str, input: &str| Some((name.to_owned(), input.to_owned()));
        let none = "there is neither an action nor a final answer";
        for (text, thoughts, answer, action, fault) in [
            ("It is 42.", "", "It is 42.", None, None),
            ("Thought: easy\nFinal Answer: It is\n42.\n", "easy", "It is\n42.", None, None),
            ("Final Answer: do this:\nAction: sleep", "", "do this:\nAction: sleep", None, None),
            (
                "Thought: I look\nAction: look\nAction Input: {\"a\":1}",
                "I look",
                "",
                call("look", " {\"a\":1}"),
                None,
            ),
            ("I look\n\n**Action:** `look`\n{\"a\":1}", "I look", "", call("look", "{\"a\":1}"), None),
            (
                "Action: look\nAction Input: x\nObservation: 42\nFinal Answer: 42",
                "",
                "",
                call("look", " x\n"),
                None,
            ),
            (
                "Action: look\nAction Input: x\nAction: pay\nAction Input: y",
                "",
                "",
                call("look", " x\n"),
                None,
            ),
            ("Action: look", "", "", call("look", ""), None),
            ("Thought: hm", "hm", "hm", None, Some(none)),
            ("Thought: hm\nThought: so", "hm\nso", "hm\nso", None, Some(none)),
            (
                "Action:\nAction Input: x",
                "",
                "",
                None,
                Some("an `Action Input:` stands without an `Action:`"),
            ),
            ("Action:", "", "", None, Some("an `Action:` names no tool")),
            ("Observation: 42\nFinal Answer: 42", "", "", None, Some(none)),
        ] {
            let expected = (thoughts.to_owned(), answer.to_owned(), action, fault);
            assert_eq!(read([text], true), expected, "{text}");
        }
        let last = read(["Thought: hm\nAction: look\nAction Input: x"], false);
        assert_eq!(last.1, "hm\nAction: look\nAction Input: x", "no call is made where none may be");
    }

    fn text() -> impl Strategy<Value = String> {
        let words = prop::sample::select(vec![
            "Thought:",
            "Action:",
            "Action Input:",
            "Observation:",
            "Final Answer:",
            "\n",
            "\n",
            " ",
            "**",
            "look",
            "{\"a\": 1}",
            "```",
            "Act",
            "ion",
            "ä",
            "#",
            ":",
        ]);
        prop::collection::vec(prop_oneof![8 => words.prop_map(str::to_owned), 1 => any::<String>()], 0..24)
            .prop_map(|words| words.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Wherever a text is cut into pieces, it says the same.
        #[test]
        fn pieces_make_no_difference(text in text(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6), may_act in any::<bool>()) {
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            places.retain(|place| text.is_char_boundary(*place));
            places.extend([0, text.len()]);
            places.sort_unstable();
            let pieces: Vec<&str> = places.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            prop_assert_eq!(read(pieces, may_act), read([text.as_str()], may_act));
        }

        /// A call that is written as the model is told to is read as it was meant.
        #[test]
        fn a_call_comes_back(thought in "[a-z]{1,8}( [a-z]{1,8}){0,4}", name in "[a-z_]{1,12}", value in any::<String>()) {
            let input = serde_json::json!({ "a": value }).to_string();
            let written = super::super::prompt::call(&thought, &name, &input);
            let (thoughts, answer, action, fault) = read([written.as_str()], true);
            prop_assert_eq!((thoughts, answer, fault), (thought, String::new(), None));
            let (named, given) = action.unwrap();
            prop_assert_eq!((named, given.trim().to_owned()), (name, input));
        }
    }
}
