//! Cells that the lock of the interpreter guards. PyO3's own borrow flags are atomic, and twenty
//! atomic operations for each message would be a quarter of its time.

use std::ops::DerefMut;

use pyo3::prelude::*;

/// A value that is reached only by threads that are attached to the interpreter.
///
/// Law: no Python code runs while it is open; opening it twice panics.
pub struct Guarded<T>(
    #[cfg(not(Py_GIL_DISABLED))] std::cell::RefCell<T>,
    #[cfg(Py_GIL_DISABLED)] std::sync::Mutex<T>,
);

// SAFETY: where the interpreter has its global lock, `open` is called only by the thread that holds
// it, since the caller has a `Python` token, and every thread that gets the lock sees what the one
// before did. The `RefCell` refuses a second opening, also by another thread that got the lock while
// the cell was open, so there is never more than one reference to the value. Nothing else reaches
// the value but `new` and dropping it, which have it alone.
#[cfg(not(Py_GIL_DISABLED))]
unsafe impl<T: Send> Sync for Guarded<T> {}

impl<T> Guarded<T> {
    #[cfg(not(Py_GIL_DISABLED))]
    pub const fn new(value: T) -> Self {
        Guarded(std::cell::RefCell::new(value))
    }

    #[cfg(Py_GIL_DISABLED)]
    pub const fn new(value: T) -> Self {
        Guarded(std::sync::Mutex::new(value))
    }

    /// The value.
    #[cfg(not(Py_GIL_DISABLED))]
    #[inline]
    pub fn open<'a>(&'a self, _attached: Python<'a>) -> impl DerefMut<Target = T> + 'a {
        self.0.borrow_mut()
    }

    /// The value.
    #[cfg(Py_GIL_DISABLED)]
    #[inline]
    pub fn open<'a>(&'a self, _attached: Python<'a>) -> impl DerefMut<Target = T> + 'a {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
