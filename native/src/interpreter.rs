//! What PyO3 has no safe call for: to drive a coroutine without an exception for its end, and to
//! count references.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

/// What a step of a coroutine led to.
pub enum Sent<'py> {
    Returned(Bound<'py, PyAny>),
    Yielded(Bound<'py, PyAny>),
}

static COROUTINE: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// Whether this is a coroutine of an `async def`.
#[inline]
pub fn is_coroutine(object: &Bound<'_, PyAny>) -> bool {
    let py = object.py();
    let class = COROUTINE.get_or_try_init(py, || {
        let types = py.import("types")?;
        PyResult::Ok(types.getattr("CoroutineType")?.cast_into::<PyType>()?.unbind())
    });
    class.is_ok_and(|class| object.get_type().is(class))
}

/// Let a coroutine go on.
#[inline]
pub fn send<'py>(
    coroutine: &Bound<'py, PyAny>,
    value: Option<&Bound<'py, PyAny>>,
) -> PyResult<Sent<'py>> {
    let py = coroutine.py();
    let none = py.None().into_bound(py);
    let value = value.unwrap_or(&none);
    let mut result = std::ptr::null_mut();
    // SAFETY: `coroutine` and `value` are live objects, since they are borrowed; the thread is
    // attached to the interpreter, since `py` exists; and `result` is a place for one pointer.
    let sent = unsafe { ffi::PyIter_Send(coroutine.as_ptr(), value.as_ptr(), &mut result) };
    // SAFETY: PyIter_Send stores a new reference, or null together with an exception that is set;
    // `from_owned_ptr_or_err` takes over the one and fetches the other.
    let result = unsafe { Bound::from_owned_ptr_or_err(py, result) }?;
    Ok(match sent {
        ffi::PySendResult::PYGEN_NEXT => Sent::Yielded(result),
        _ => Sent::Returned(result),
    })
}

/// How many references to an object there are.
#[inline]
pub fn references<T>(object: &Bound<'_, T>) -> isize {
    // SAFETY: `object` is a live object, since it is borrowed, and the call only reads its count.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) as isize }
}
