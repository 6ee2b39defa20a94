//! Replies: the effects of a batch, written into one buffer.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyList, PyString, PyTuple};

use crate::carrier::{address_of, Carrier, EgressCarrier, Held, MessageCarrier, Target};
use crate::hooks::classes;
use crate::scalars::{put_typed, typed_size, Scalar};
use crate::wire::{field_size, put_field, put_head, put_varint, varint_size};

/// The argument of a carrier: its value, its bytes, or what the reference gives.
enum Argument<'a, 'py> {
    Scalar(&'static [u8], Scalar<'a>),
    Held(&'a Held, usize),
    Bytes(Bound<'py, PyBytes>),
}

impl<'a, 'py: 'a> Argument<'a, 'py> {
    #[inline]
    fn of(py: Python<'py>, held: &'a Held, bytes: Option<Bound<'py, PyBytes>>) -> Option<Self> {
        Some(match (bytes, held) {
            (Some(bytes), _) => Argument::Bytes(bytes),
            (None, Held::Given(kind, value)) => {
                Argument::Scalar(kind.present(), Scalar::of(*kind, value.bind(py))?)
            }
            (None, _) => Argument::Held(held, held.argument_size(py)?),
        })
    }

    #[inline]
    fn size(&self) -> usize {
        match self {
            Argument::Scalar(present, scalar) => typed_size(present, scalar.size()),
            Argument::Held(_, size) => *size,
            Argument::Bytes(bytes) => bytes.as_bytes().len(),
        }
    }

    #[inline]
    fn put(&self, py: Python<'_>, out: &mut Vec<u8>) -> Option<()> {
        match self {
            Argument::Scalar(present, scalar) => put_typed(out, present, scalar),
            Argument::Held(held, _) => held.put_argument(py, out)?,
            Argument::Bytes(bytes) => out.extend_from_slice(bytes.as_bytes()),
        }
        Some(())
    }
}

/// The bytes of a message that only the reference can write; None if the carrier can.
#[inline]
fn by_reference<'py>(
    message: &Bound<'py, PyAny>,
    carrier: &Carrier,
) -> Option<Option<Bound<'py, PyBytes>>> {
    let py = message.py();
    if carrier.held.open(py).is_written_here() {
        return Some(None);
    }
    let argument = message.call_method0(pyo3::intern!(py, "argument"));
    argument.ok()?.cast_into_exact::<PyBytes>().ok().map(Some)
}

/// The address of a message: namespace and name, and the id.
fn address<'a>(target: &'a Target, py: Python<'a>) -> Option<(&'static [u8], &'a [u8])> {
    let prefix = match target.prefix {
        Some(prefix) => prefix,
        None => address_of(target.typename.as_ref()?.bind(py))?,
    };
    let id = target.id.as_ref()?.bind(py).cast_exact::<PyString>().ok()?;
    Some((prefix.address.as_ref()?, id.to_str().ok()?.as_bytes()))
}

fn address_size((head, id): (&[u8], &[u8])) -> usize {
    head.len() + varint_size(id.len() as u64) + id.len()
}

fn put_address(out: &mut Vec<u8>, tag: u8, (head, id): (&[u8], &[u8])) {
    put_head(out, tag, address_size((head, id)));
    out.extend_from_slice(head);
    put_varint(out, id.len() as u64);
    out.extend_from_slice(id);
}

/// Write a message as `outgoing_messages`; None if only the reference can.
fn put_message(py: Python<'_>, message: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> Option<()> {
    let message = message.cast_exact::<MessageCarrier>().ok()?;
    let carrier = message.as_super().get();
    let bytes = by_reference(message, carrier)?;
    let held = carrier.held.open(py);
    let argument = Argument::of(py, &held, bytes)?;
    let target = message.get().target.open(py);
    let address = address(&target, py)?;
    let size = argument.size();
    put_head(out, 0x12, field_size(address_size(address)) + field_size(size));
    put_address(out, 0x0A, address);
    put_head(out, 0x12, size);
    argument.put(py, out)
}

/// Write a delayed message or a cancellation.
fn put_delayed(py: Python<'_>, delayed: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> Option<()> {
    let classes = classes(py).ok()?;
    let fields = delayed.cast::<PyTuple>().ok()?;
    let kind = delayed.get_type();
    if kind.is(&classes.cancellation) {
        let token = fields.get_borrowed_item(0).ok()?;
        let token = token.cast_exact::<PyString>().ok()?;
        let token = token.to_str().ok()?;
        let size = if token.is_empty() { 0 } else { field_size(token.len()) };
        put_head(out, 0x1A, 2 + size);
        out.extend_from_slice(&[0x50, 0x01]);
        if !token.is_empty() {
            put_field(out, 0x5A, token.as_bytes());
        }
        return Some(());
    }
    if !kind.is(&classes.send_after) {
        return None;
    }
    let delay = fields.get_borrowed_item(0).ok()?;
    let delay: u64 = delay.cast_exact::<PyInt>().ok()?.extract().ok()?;
    let message = fields.get_borrowed_item(1).ok()?;
    let message = message.cast_exact::<MessageCarrier>().ok()?;
    let token = fields.get_borrowed_item(2).ok()?;
    let token = token.cast_exact::<PyString>().ok()?;
    let token = token.to_str().ok()?;
    let carrier = message.as_super().get();
    let bytes = by_reference(&message, carrier)?;
    let held = carrier.held.open(py);
    let argument = Argument::of(py, &held, bytes)?;
    let target = message.get().target.open(py);
    let address = address(&target, py)?;
    let delay_size = if delay == 0 { 0 } else { 1 + varint_size(delay) };
    let token_size = if token.is_empty() { 0 } else { field_size(token.len()) };
    let whole = delay_size + field_size(address_size(address)) + field_size(argument.size()) + token_size;
    put_head(out, 0x1A, whole);
    if delay != 0 {
        out.push(0x08);
        put_varint(out, delay);
    }
    put_address(out, 0x12, address);
    put_head(out, 0x1A, argument.size());
    argument.put(py, out)?;
    if !token.is_empty() {
        put_field(out, 0x5A, token.as_bytes());
    }
    Some(())
}

/// Write an egress message.
fn put_egress(py: Python<'_>, message: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> Option<()> {
    let message = message.cast_exact::<EgressCarrier>().ok()?;
    let carrier = message.as_super().get();
    let bytes = by_reference(message, carrier)?;
    let held = carrier.held.open(py);
    let argument = Argument::of(py, &held, bytes)?;
    let prefix = address_of(message.get().typename.open(py).as_ref()?.bind(py))?;
    // The third field has the same tag as the id of an address.
    let address = prefix.address.as_ref()?;
    let size = argument.size();
    put_head(out, 0x22, address.len() + varint_size(size as u64) + size);
    out.extend_from_slice(address);
    put_varint(out, size as u64);
    argument.put(py, out)
}

type Put = fn(Python<'_>, &Bound<'_, PyAny>, &mut Vec<u8>) -> Option<()>;

/// Write the effects of a batch but the mutations; None if only the reference can.
pub fn put_effects(
    py: Python<'_>,
    messages: Option<&Bound<'_, PyList>>,
    delayed: Option<&Bound<'_, PyList>>,
    egress: Option<&Bound<'_, PyList>>,
    out: &mut Vec<u8>,
) -> Option<()> {
    let parts: [(Option<&Bound<'_, PyList>>, Put); 3] = [
        (messages, put_message),
        (delayed, put_delayed),
        (egress, put_egress),
    ];
    for (list, put) in parts {
        if let Some(list) = list {
            for effect in list.iter() {
                put(py, &effect, out)?;
            }
        }
    }
    Some(())
}

/// The reply around a result.
pub fn around<'py>(py: Python<'py>, content: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    if content.is_empty() {
        return Ok(PyBytes::new(py, b""));
    }
    let mut head = Vec::with_capacity(8);
    head.extend_from_slice(&[0xA2, 0x06]);
    put_varint(&mut head, content.len() as u64);
    PyBytes::new_with(py, head.len() + content.len(), |whole| {
        whole[..head.len()].copy_from_slice(&head);
        whole[head.len()..].copy_from_slice(content);
        Ok(())
    })
}

/// A FromFunction with the effects of a batch; None if only the reference can write it.
#[pyfunction]
pub fn try_write_reply<'py>(
    py: Python<'py>,
    messages: &Bound<'py, PyList>,
    delayed: &Bound<'py, PyList>,
    egress: &Bound<'py, PyList>,
    mutations: &Bound<'py, PyList>,
) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let mut out = Vec::with_capacity(256);
    if put_effects(py, Some(messages), Some(delayed), Some(egress), &mut out).is_none() {
        return Ok(None);
    }
    for mutation in mutations.iter() {
        match mutation.cast_exact::<PyBytes>() {
            Ok(bytes) => out.extend_from_slice(bytes.as_bytes()),
            Err(_) => return Ok(None),
        }
    }
    around(py, &out).map(Some)
}
