//! Hooks: the Python functions of the reference that answer whatever is unusual.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};

static HOOKS: PyOnceLock<Py<PyDict>> = PyOnceLock::new();

/// Give the core the functions of the reference, by name; more may be given later.
#[pyfunction]
#[pyo3(signature = (**hooks))]
pub fn install(py: Python<'_>, hooks: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
    let known = HOOKS.get_or_init(py, || PyDict::new(py).unbind()).bind(py);
    if let Some(hooks) = hooks {
        known.update(hooks.as_mapping())?;
    }
    Ok(())
}

/// The function with this name.
pub fn hook<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let known = HOOKS.get(py).map(|hooks| hooks.bind(py).get_item(name));
    match known {
        Some(Ok(Some(function))) => Ok(function),
        _ => Err(alone()),
    }
}

/// The Python classes that the core makes objects of.
pub struct Classes {
    pub address: Py<PyType>,
    pub sdk_address: Py<PyType>,
    pub batch: Py<PyType>,
    pub stored_value: Py<PyType>,
    pub outgoing_message: Py<PyType>,
    pub delayed_message: Py<PyType>,
    pub cancellation: Py<PyType>,
    pub send_after: Py<PyType>,
    pub egress_record: Py<PyType>,
    pub result: Py<PyType>,
    new_tuple: Py<PyAny>,
    new_object: Py<PyAny>,
}

impl Classes {
    /// A named tuple.
    pub fn record<'py>(
        &self,
        class: &Py<PyType>,
        fields: Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = fields.py();
        self.new_tuple.bind(py).call1((class, fields))
    }

    /// An object without attributes.
    pub fn object<'py>(&self, py: Python<'py>, class: &Py<PyType>) -> PyResult<Bound<'py, PyAny>> {
        self.new_object.bind(py).call1((class,))
    }
}

/// The built-in types and those made of two functions.
pub struct Types {
    pub primitive: Py<PyType>,
    pub simple: Py<PyType>,
}

static CLASSES: PyOnceLock<Classes> = PyOnceLock::new();
static TYPES: PyOnceLock<Types> = PyOnceLock::new();

/// Give the core the classes that it makes objects of.
#[pyfunction]
#[pyo3(signature = (
    *, address, sdk_address, batch, stored_value, outgoing_message, delayed_message, cancellation,
    send_after, egress_record, result
))]
#[allow(clippy::too_many_arguments)]
pub fn install_classes(
    py: Python<'_>,
    address: Py<PyType>,
    sdk_address: Py<PyType>,
    batch: Py<PyType>,
    stored_value: Py<PyType>,
    outgoing_message: Py<PyType>,
    delayed_message: Py<PyType>,
    cancellation: Py<PyType>,
    send_after: Py<PyType>,
    egress_record: Py<PyType>,
    result: Py<PyType>,
) -> PyResult<()> {
    let new = pyo3::intern!(py, "__new__");
    let classes = Classes {
        address,
        sdk_address,
        batch,
        stored_value,
        outgoing_message,
        delayed_message,
        cancellation,
        send_after,
        egress_record,
        result,
        new_tuple: py.get_type::<PyTuple>().getattr(new)?.unbind(),
        new_object: py.get_type::<PyAny>().getattr(new)?.unbind(),
    };
    let _ = CLASSES.set(py, classes); // the same classes, if it was done before
    Ok(())
}

/// Give the core the classes of types that it serializes by itself.
#[pyfunction]
#[pyo3(signature = (*, primitive, simple))]
pub fn install_types(py: Python<'_>, primitive: Py<PyType>, simple: Py<PyType>) {
    let _ = TYPES.set(py, Types { primitive, simple });
}

/// The classes.
#[inline]
pub fn classes(py: Python<'_>) -> PyResult<&Classes> {
    CLASSES.get(py).ok_or_else(alone)
}

/// The classes of types.
#[inline]
pub fn types(py: Python<'_>) -> PyResult<&Types> {
    TYPES.get(py).ok_or_else(alone)
}

fn alone() -> PyErr {
    PyRuntimeError::new_err("statefun_core is no module of its own: import statefun")
}
