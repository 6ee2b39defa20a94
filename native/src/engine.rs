//! An engine's side: requests go out, replies come in.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use crate::carrier::address_of;
use crate::hooks::classes;
use crate::prefixes::prefix_of;
use crate::scalars::put_typed_field;
use crate::scalars::typed_size;
use crate::wire::{self, field_size, put_field, put_head, put_varint, varint_size, Span, Target};

fn text<'a>(object: &'a Bound<'_, PyAny>) -> Option<&'a str> {
    object.cast_exact::<PyString>().ok()?.to_str().ok()
}

/// Write an address as a field.
fn put_address(out: &mut Vec<u8>, tag: u8, address: &Bound<'_, PyAny>) -> Option<()> {
    let fields = address.cast::<PyTuple>().ok()?;
    let typename = fields.get_borrowed_item(0).ok()?;
    let prefix = address_of(&typename)?;
    let head: &[u8] = prefix.address.as_ref()?;
    let id = fields.get_borrowed_item(1).ok()?;
    let id = text(&id)?.as_bytes();
    put_head(out, tag, head.len() + varint_size(id.len() as u64) + id.len());
    out.extend_from_slice(head);
    put_varint(out, id.len() as u64);
    out.extend_from_slice(id);
    Some(())
}

fn address_size(address: &Bound<'_, PyAny>) -> Option<usize> {
    let fields = address.cast::<PyTuple>().ok()?;
    let typename = fields.get_borrowed_item(0).ok()?;
    let prefix = address_of(&typename)?;
    let id = fields.get_borrowed_item(1).ok()?;
    let id = text(&id)?.len();
    Some(prefix.address.as_ref()?.len() + varint_size(id as u64) + id)
}

/// A ToFunction; None if only the reference can write it.
#[pyfunction]
pub fn try_encode_request<'py>(
    py: Python<'py>,
    target: &Bound<'py, PyAny>,
    state: &Bound<'py, PyDict>,
    invocations: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let mut out = Vec::with_capacity(512);
    if put_address(&mut out, 0x0A, target).is_none() {
        return Ok(None);
    }
    for (name, value) in state.iter() {
        let Some(name) = text(&name).map(str::as_bytes) else {
            return Ok(None);
        };
        if value.is_none() {
            put_head(&mut out, 0x12, field_size(name.len()));
            put_field(&mut out, 0x0A, name);
            continue;
        }
        let typename = value.getattr(pyo3::intern!(py, "typename"))?;
        let data = value.getattr(pyo3::intern!(py, "data"))?;
        let (Some(prefix), Ok(data)) = (prefix_of(&typename), data.cast_exact::<PyBytes>()) else {
            return Ok(None);
        };
        let data = data.as_bytes();
        let typed = typed_size(&prefix.present, data.len());
        put_head(&mut out, 0x12, field_size(name.len()) + field_size(typed));
        put_field(&mut out, 0x0A, name);
        put_typed_field(&mut out, 0x12, &prefix.present, data);
    }
    for invocation in invocations.try_iter()? {
        let invocation = invocation?;
        let argument = invocation.getattr(pyo3::intern!(py, "argument"))?;
        let caller = invocation.getattr(pyo3::intern!(py, "caller"))?;
        let Ok(argument) = argument.cast_exact::<PyBytes>() else {
            return Ok(None);
        };
        let argument = argument.as_bytes();
        if caller.is_none() {
            put_head(&mut out, 0x1A, field_size(argument.len()));
        } else {
            let Some(size) = address_size(&caller) else {
                return Ok(None);
            };
            put_head(&mut out, 0x1A, field_size(size) + field_size(argument.len()));
            if put_address(&mut out, 0x0A, &caller).is_none() {
                return Ok(None);
            }
        }
        put_field(&mut out, 0x12, argument);
    }
    let mut head = Vec::with_capacity(8);
    head.extend_from_slice(&[0xA2, 0x06]);
    put_varint(&mut head, out.len() as u64);
    let whole = PyBytes::new_with(py, head.len() + out.len(), |whole| {
        whole[..head.len()].copy_from_slice(&head);
        whole[head.len()..].copy_from_slice(&out);
        Ok(())
    })?;
    Ok(Some(whole))
}

/// A result; None for a reply that the reference has to read.
#[pyfunction]
pub fn try_decode_result<'py>(
    py: Python<'py>,
    body: &Bound<'py, PyBytes>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let data = body.as_bytes();
    let Some(read) = wire::outcome(data) else {
        return Ok(None);
    };
    let classes = classes(py)?;
    let text = |span: Span| PyString::new(py, std::str::from_utf8(span.of(data)).unwrap_or(""));
    let piece = |span: Span| PyBytes::new(py, span.of(data));
    let address = |target: &Target| {
        let fields = (typename(py, data, target), text(target.id));
        classes.record(&classes.address, fields.into_pyobject(py)?)
    };
    let messages = read.messages.iter().map(|(target, argument)| {
        let fields = (address(target)?, piece(*argument));
        classes.record(&classes.outgoing_message, fields.into_pyobject(py)?)
    });
    let delayed = read.delayed.iter().map(|each| {
        if each.is_cancellation {
            let fields = (text(each.token),);
            return classes.record(&classes.cancellation, fields.into_pyobject(py)?);
        }
        let target = address(&each.target)?;
        let fields = (each.delay_ms, target, piece(each.argument), text(each.token));
        classes.record(&classes.delayed_message, fields.into_pyobject(py)?)
    });
    let egress = read.egress.iter().map(|(target, argument)| {
        let fields = (typename(py, data, target), piece(*argument));
        classes.record(&classes.egress_record, fields.into_pyobject(py)?)
    });
    let mutations = PyDict::new(py);
    for each in &read.mutations {
        let value = match each.value {
            Some(value) => {
                let fields = (text(value.typename), piece(value.value));
                Some(classes.record(&classes.stored_value, fields.into_pyobject(py)?)?)
            }
            None => None,
        };
        mutations.set_item(text(each.name), value)?;
    }
    let parts = (
        PyTuple::new(py, messages.collect::<PyResult<Vec<_>>>()?)?,
        PyTuple::new(py, delayed.collect::<PyResult<Vec<_>>>()?)?,
        PyTuple::new(py, egress.collect::<PyResult<Vec<_>>>()?)?,
        mutations,
    );
    classes.record(&classes.result, parts.into_pyobject(py)?).map(Some)
}

/// A typename, as `namespace/name`.
fn typename<'py>(py: Python<'py>, data: &[u8], target: &Target) -> Bound<'py, PyString> {
    let part = |span: Span| std::str::from_utf8(span.of(data)).unwrap_or("");
    let (namespace, name) = (part(target.namespace), part(target.name));
    PyString::new(py, &format!("{namespace}/{name}"))
}
