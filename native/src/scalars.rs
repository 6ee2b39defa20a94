//! The six built-in types: from Python objects to canonical bytes and back.
//!
//! Everything unusual gives `None`, and the reference takes over.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString};

use crate::wire::{field_size, put_field, put_head, put_varint, varint_size, whole_field};

/// One of the built-in types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Int,
    Float,
    Long,
    Double,
    Text,
}

pub const KINDS: [Kind; 6] = [
    Kind::Bool,
    Kind::Int,
    Kind::Float,
    Kind::Long,
    Kind::Double,
    Kind::Text,
];

impl Kind {
    pub fn typename(self) -> &'static str {
        match self {
            Kind::Bool => "io.statefun.types/bool",
            Kind::Int => "io.statefun.types/int",
            Kind::Float => "io.statefun.types/float",
            Kind::Long => "io.statefun.types/long",
            Kind::Double => "io.statefun.types/double",
            Kind::Text => "io.statefun.types/string",
        }
    }

    /// The fields of a present `TypedValue` of this type, up to the length of its value.
    #[inline]
    pub fn present(self) -> &'static [u8] {
        match self {
            Kind::Bool => b"\x0a\x16io.statefun.types/bool\x10\x01\x1a",
            Kind::Int => b"\x0a\x15io.statefun.types/int\x10\x01\x1a",
            Kind::Float => b"\x0a\x17io.statefun.types/float\x10\x01\x1a",
            Kind::Long => b"\x0a\x16io.statefun.types/long\x10\x01\x1a",
            Kind::Double => b"\x0a\x18io.statefun.types/double\x10\x01\x1a",
            Kind::Text => b"\x0a\x18io.statefun.types/string\x10\x01\x1a",
        }
    }

    pub fn of(typename: &str) -> Option<Kind> {
        KINDS.into_iter().find(|kind| kind.typename() == typename)
    }

    /// The value in these bytes; `None` unless they are canonical.
    #[inline]
    pub fn decode<'py>(self, py: Python<'py>, data: &[u8]) -> Option<Bound<'py, PyAny>> {
        let object = match (self, data) {
            (Kind::Text, []) => PyString::new(py, "").into_any(),
            (Kind::Text, _) => PyString::from_bytes(py, text_in(data)?).ok()?.into_any(),
            (Kind::Bool, []) => PyBool::new(py, false).to_owned().into_any(),
            (Kind::Bool, [0x08, 1]) => PyBool::new(py, true).to_owned().into_any(),
            (Kind::Int | Kind::Long, []) => 0i64.into_pyobject(py).ok()?.into_any(),
            (Kind::Int, [0x0D, number @ ..]) => {
                let number = i32::from_le_bytes(number.try_into().ok()?);
                number.into_pyobject(py).ok()?.into_any()
            }
            (Kind::Long, [0x09, number @ ..]) => {
                let number = i64::from_le_bytes(number.try_into().ok()?);
                number.into_pyobject(py).ok()?.into_any()
            }
            (Kind::Float | Kind::Double, []) => PyFloat::new(py, 0.0).into_any(),
            (Kind::Float, [0x0D, number @ ..]) => {
                let number = f32::from_le_bytes(number.try_into().ok()?);
                if number.is_nan() {
                    return None;
                }
                PyFloat::new(py, f64::from(number)).into_any()
            }
            (Kind::Double, [0x09, number @ ..]) => {
                PyFloat::new(py, f64::from_le_bytes(number.try_into().ok()?)).into_any()
            }
            _ => return None,
        };
        Some(object)
    }
}

/// The text in a `StringWrapper`, not yet known to be UTF-8.
#[inline]
fn text_in(data: &[u8]) -> Option<&[u8]> {
    match data {
        [0x0A, rest @ ..] => whole_field(rest),
        _ => None,
    }
}

/// A value, ready to be written.
#[derive(Clone, Copy)]
pub enum Scalar<'a> {
    Text(&'a str),
    /// A tag and the bytes behind it.
    Number(u8, [u8; 8], usize),
    Default,
}

impl<'a> Scalar<'a> {
    /// What an accepted value becomes; `None` for one that the reference has to look at.
    #[inline]
    pub fn of(kind: Kind, value: &'a Bound<'_, PyAny>) -> Option<Scalar<'a>> {
        let scalar = match kind {
            Kind::Text => Scalar::Text(value.cast_exact::<PyString>().ok()?.to_str().ok()?),
            Kind::Bool => match value.cast_exact::<PyBool>().ok()?.is_true() {
                true => Scalar::Number(0x08, [1, 0, 0, 0, 0, 0, 0, 0], 1),
                false => Scalar::Default,
            },
            Kind::Int => {
                let number: i32 = value.cast_exact::<PyInt>().ok()?.extract().ok()?;
                Scalar::number(0x0D, u64::from(number as u32), 4)
            }
            Kind::Long => {
                let number: i64 = value.cast_exact::<PyInt>().ok()?.extract().ok()?;
                Scalar::number(0x09, number as u64, 8)
            }
            Kind::Float => {
                let number = value.cast_exact::<PyFloat>().ok()?.value();
                if number.is_nan() {
                    return None;
                }
                Scalar::number(0x0D, u64::from((number as f32).to_bits()), 4)
            }
            Kind::Double => {
                let number = value.cast_exact::<PyFloat>().ok()?.value();
                Scalar::number(0x09, number.to_bits(), 8)
            }
        };
        Some(scalar)
    }

    fn number(tag: u8, bits: u64, size: usize) -> Scalar<'a> {
        match bits {
            0 => Scalar::Default,
            _ => Scalar::Number(tag, bits.to_le_bytes(), size),
        }
    }

    #[inline]
    pub fn size(&self) -> usize {
        match self {
            Scalar::Text("") | Scalar::Default => 0,
            Scalar::Text(text) => field_size(text.len()),
            Scalar::Number(_, _, size) => 1 + size,
        }
    }

    #[inline]
    pub fn put(&self, out: &mut Vec<u8>) {
        match self {
            Scalar::Text("") | Scalar::Default => {}
            Scalar::Text(text) => put_field(out, 0x0A, text.as_bytes()),
            Scalar::Number(tag, bytes, size) => {
                out.push(*tag);
                out.extend_from_slice(&bytes[..*size]);
            }
        }
    }
}

/// The size of a present `TypedValue`.
#[inline]
pub fn typed_size(present: &[u8], value: usize) -> usize {
    present.len() + varint_size(value as u64) + value
}

/// Write a present `TypedValue`.
#[inline]
pub fn put_typed(out: &mut Vec<u8>, present: &[u8], value: &Scalar<'_>) {
    out.extend_from_slice(present);
    put_varint(out, value.size() as u64);
    value.put(out);
}

/// Write a field that holds a present `TypedValue`.
pub fn put_typed_field(out: &mut Vec<u8>, tag: u8, present: &[u8], value: &[u8]) {
    put_head(out, tag, typed_size(present, value.len()));
    out.extend_from_slice(present);
    put_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::KINDS;
    use crate::wire::present_fields;

    #[test]
    fn the_constant_fields_are_those_that_are_written() {
        for kind in KINDS {
            assert_eq!(kind.present(), present_fields(kind.typename().as_bytes()));
        }
    }
}
