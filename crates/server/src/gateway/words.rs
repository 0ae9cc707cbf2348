//! [`Words`]: what an agent says while it works, as a text that only grows.

/// What an agent says while it works. A foreign client cannot take back what it was told, so an attempt of a model that is begun anew
/// goes on where it says the same as the one before, and says that it was begun anew where it does not.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// What was said since the model was last asked.
    said: String,
    /// What an attempt had said that was begun anew.
    before: Option<String>,
}

impl Words {
    /// A piece; what of it is to be told.
    pub(super) fn piece(&mut self, piece: &str) -> Option<String> {
        self.said.push_str(piece);
        let told = match self.before.take() {
            None => piece.to_owned(),
            Some(before) if before.starts_with(&self.said) => {
                self.before = Some(before);
                return None;
            }
            Some(before) => match self.said.strip_prefix(before.as_str()) {
                Some(rest) => rest.to_owned(),
                None => format!("\n\n[The answer was begun anew.]\n\n{}", self.said),
            },
        };
        (!told.is_empty()).then_some(told)
    }

    /// The attempt is begun anew.
    pub(super) fn again(&mut self) {
        let said = std::mem::take(&mut self.said);
        // Of two attempts that broke off the longer one was told.
        let before = self.before.take().filter(|before| before.len() > said.len());
        self.before = Some(before.unwrap_or(said)).filter(|before| !before.is_empty());
    }

    /// What is said is over, and something else follows; whether anything was.
    pub(super) fn end(&mut self) -> bool {
        let told = self.before.take().is_some();
        !std::mem::take(&mut self.said).is_empty() || told
    }

    /// What is missing of the answer, once it is known.
    pub(super) fn rest(&mut self, answer: &str) -> Option<String> {
        let told = self.before.take().unwrap_or_default();
        let told = if told.len() > self.said.len() { told } else { std::mem::take(&mut self.said) };
        let rest = match answer.strip_prefix(told.as_str()) {
            Some(rest) => rest.to_owned(),
            None => format!("\n\n{answer}"),
        };
        (!rest.is_empty()).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client has been told in the end: `!` begins an attempt anew, `>` calls a tool, `=` is followed by the answer.
    fn told(steps: &[&str]) -> String {
        let mut words = Words::default();
        let tell = |step: &&str| match *step {
            "!" => {
                words.again();
                None
            }
            ">" => words.end().then(|| " | ".to_owned()),
            step => match step.strip_prefix('=') {
                Some(answer) => words.rest(answer),
                None => words.piece(step),
            },
        };
        steps.iter().filter_map(tell).collect()
    }

    #[test]
    fn what_was_told_stays_and_goes_on() {
        let anew = "\n\n[The answer was begun anew.]\n\n";
        let cases: [(&[&str], String); 10] = [
            (&["It is", " 42.", "=It is 42."], "It is 42.".into()),
            (&["=It is 42."], "It is 42.".into()),
            (&["It is", "=It is 42."], "It is 42.".into()),
            (&["Let me see.", ">", "It is 42.", "=It is 42."], "Let me see. | It is 42.".into()),
            (&[">", ">", "=x"], "x".into()),
            (&["It is", "!", "It", " is 42.", "=It is 42."], "It is 42.".into()),
            (&["It is", "!", "It", "!", "It is 42.", "=It is 42."], "It is 42.".into()),
            (&["It is", "!", "=It is 42."], "It is 42.".into()),
            (&["It is", "!", "No.", "=No."], format!("It is{anew}No.")),
            (&["Masked", "=[secret]"], "Masked\n\n[secret]".into()),
        ];
        for (steps, expected) in cases {
            assert_eq!(told(steps), expected, "{steps:?}");
        }
    }
}
