//! What a model of Google's takes, by the generation in its name.

/// The generation of a model, where its name says one. Of others nothing is checked that the generations differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Model {
    /// 25 for Gemini 2.5, 30 for Gemini 3.
    tenths: Option<u32>,
    /// `gemini-3.5-flash-lite` has the rules of 3.6.
    is_early: bool,
}

impl Model {
    pub(super) fn named(name: &str) -> Self {
        let number = name.strip_prefix("gemini-").and_then(|rest| rest.split('-').next());
        let tenths = number.and_then(|number| {
            let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
            Some(major.parse::<u32>().ok()?.checked_mul(10)?.saturating_add(minor.parse().ok()?))
        });
        Self { tenths, is_early: name.starts_with("gemini-3.5-flash-lite") }
    }

    /// Gemini 2.5 and older.
    pub(super) fn is_old(self) -> bool {
        self.tenths.is_some_and(|tenths| tenths < 30)
    }

    /// From Gemini 3: calls are signed and have ids.
    pub(super) fn signs(self) -> bool {
        self.tenths.is_some_and(|tenths| tenths >= 30)
    }

    /// From Gemini 3.6 Flash and 3.5 Flash-Lite: the last word is not the model's.
    pub(super) fn takes_no_prefill(self) -> bool {
        self.is_early || self.tenths.is_some_and(|tenths| tenths >= 36)
    }

    /// Models that know no `minimal` and no budget.
    pub(super) fn takes_levels_only(self) -> bool {
        self.tenths.is_some_and(|tenths| tenths >= 37)
    }

    /// Models that do not think.
    pub(super) fn never_thinks(self) -> bool {
        self.tenths.is_some_and(|tenths| tenths < 25)
    }
}
