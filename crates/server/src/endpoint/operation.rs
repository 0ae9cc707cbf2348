//! [`Operation`]: what can be asked, as its documentation names it.

use adjutant_core::Code;
use adjutant_core::role::Right;
use axum::routing::MethodFilter;

/// Something that can be asked: a method on a path, who may, and what it is called.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(super) method: MethodFilter,
    /// The method in lower case, as OpenAPI names it.
    pub(super) verb: &'static str,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) description: &'static str,
    pub(super) needs: Right,
    /// Whether those may, too, who reach only what is done for them.
    pub(super) for_own: bool,
    pub(super) errors: Vec<Code>,
    /// The largest body that it takes, in bytes; that of the service where it says none.
    pub(super) largest: Option<usize>,
}

impl Operation {
    const fn new(
        (method, verb): (MethodFilter, &'static str),
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        needs: Right,
    ) -> Self {
        Self {
            method,
            verb,
            path,
            id,
            tag: "Service",
            summary,
            description: "",
            needs,
            for_own: false,
            errors: Vec::new(),
            largest: None,
        }
    }

    /// Something that only looks.
    pub(crate) const fn get(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        needs: Right,
    ) -> Self {
        Self::new((MethodFilter::GET, "get"), path, id, summary, needs)
    }

    /// Something that everybody may look at, for [`Routes::open`](super::Routes::open).
    pub(crate) const fn look(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::get(path, id, summary, Right::View)
    }

    /// Something that is done, or made under an id that the service chooses.
    pub(crate) const fn post(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        needs: Right,
    ) -> Self {
        Self::new((MethodFilter::POST, "post"), path, id, summary, needs)
    }

    /// Something that is set to what is sent.
    pub(crate) const fn put(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        needs: Right,
    ) -> Self {
        Self::new((MethodFilter::PUT, "put"), path, id, summary, needs)
    }

    /// Something that is taken away.
    pub(crate) const fn delete(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        needs: Right,
    ) -> Self {
        Self::new((MethodFilter::DELETE, "delete"), path, id, summary, needs)
    }

    /// Says to which part of the service it belongs.
    pub(crate) const fn of(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    /// Says more about it than fits a line.
    pub(crate) const fn said(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// Lets those ask, too, who reach only what is done for them: it shows them nothing else.
    pub(crate) const fn for_own(mut self) -> Self {
        self.for_own = true;
        self
    }

    /// Names the errors that it has of its own.
    pub(crate) fn fails(mut self, errors: &[Code]) -> Self {
        self.errors = errors.to_vec();
        self
    }

    /// Takes bodies up to so many bytes.
    pub(crate) const fn up_to(mut self, bytes: usize) -> Self {
        self.largest = Some(bytes);
        self
    }
}
