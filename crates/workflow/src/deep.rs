//! [`Deep`]: work that may be nested deeply, and does not run out of stack.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What must be left of the stack, in bytes: more than one level of steps takes, also where nothing is optimised.
const LEFT: usize = 1 << 20;
/// How much is added where less is left, in bytes.
const MORE: usize = 8 << 20;

/// Work that is looked at with enough stack, however deeply it is nested: each level of steps is a future within another, and a
/// thread's stack is made for few of them.
pub(crate) struct Deep<F: ?Sized>(pub(crate) Pin<Box<F>>);

impl<F: Future + ?Sized> Future for Deep<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        with_stack(|| self.0.as_mut().poll(context))
    }
}

/// Calls a function with enough stack.
pub(crate) fn with_stack<T>(function: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(LEFT, MORE, function)
}

/// Calls a function that goes through all of a plan at once, on a stack of its own: where nothing is optimised, one level takes a
/// tenth of a megabyte.
pub(crate) fn with_own_stack<T>(function: impl FnOnce() -> T) -> T {
    stacker::grow(2 * MORE, function)
}
