//! A function that is called with its arguments in a row: PyO3 makes a tuple and a dictionary for
//! functions with arbitrary keywords, which costs more than all of `message_builder`.

use std::panic::{catch_unwind, AssertUnwindSafe};

use pyo3::exceptions::PySystemError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::builders::message_builder;

/// The function `message_builder`, for a module.
pub fn function<'py>(module: &Bound<'py, PyModule>) -> PyResult<Bound<'py, PyAny>> {
    let py = module.py();
    let name = module.name()?;
    let definition = Box::leak(Box::new(ffi::PyMethodDef {
        ml_name: c"message_builder".as_ptr(),
        ml_meth: ffi::PyMethodDefPointer {
            PyCFunctionFastWithKeywords: entry,
        },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
        ml_doc: DOC.as_ptr(),
    }));
    // SAFETY: the definition and its strings live as long as the process, the flags are those of
    // the signature of `entry`, and `name` is a live object, of which the function takes a
    // reference of its own. The result is a new reference, or null with an exception that is set.
    unsafe {
        let function = ffi::PyCFunction_NewEx(definition, std::ptr::null_mut(), name.as_ptr());
        Bound::from_owned_ptr_or_err(py, function)
    }
}

const DOC: &std::ffi::CStr = c"message_builder($module, target_typename, target_id, *, \
str_value=..., headers=None, **values)\n--\n\n\
A message to a function, with exactly one value; see statefun.sdk.builders.message_builder.";

/// Called by the interpreter.
unsafe extern "C" fn entry(
    _module: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    positional: ffi::Py_ssize_t,
    keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    Python::attach(|py| {
        let called = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: `keywords` is null or a live tuple, by the calling convention.
            let keywords = unsafe { Bound::from_borrowed_ptr_or_opt(py, keywords) };
            let keywords = keywords.and_then(|keywords| keywords.cast_into::<PyTuple>().ok());
            let count = positional as usize + keywords.as_ref().map_or(0, |names| names.len());
            let row: &[Borrowed<'_, '_, PyAny>] = match count {
                0 => &[],
                // SAFETY: by the calling convention `arguments` points to `count` live objects,
                // which the caller keeps alive during the call. `Borrowed` is a transparent wrapper
                // of a pointer that is not null.
                _ => unsafe { std::slice::from_raw_parts(arguments.cast(), count) },
            };
            message_builder(py, row, keywords.as_ref())
        }));
        match called {
            Ok(Ok(message)) => message.into_ptr(),
            Ok(Err(error)) => {
                error.restore(py);
                std::ptr::null_mut()
            }
            Err(_) => {
                PySystemError::new_err("message_builder panicked").restore(py);
                std::ptr::null_mut()
            }
        }
    })
}
