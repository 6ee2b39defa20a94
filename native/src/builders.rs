//! Builders: messages made of Python values. Unusual arguments go to the reference as they are.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use crate::carrier::{address_of, new_egress_message, new_message, Held, Target};
use crate::hooks::{hook, types};
use crate::prefixes::{prefix_of, Prefix};
use crate::scalars::{Kind, Scalar};
use crate::wire::{field_size, present_fields, put_field, put_varint};

/// A value as a carrier holds it; None if the reference has to look at it.
fn held_as<'py>(kind: Kind, value: &Bound<'py, PyAny>) -> Option<Held> {
    Scalar::of(kind, value)?;
    Some(Held::Given(kind, value.clone().unbind()))
}

/// A value of a type that the program made; None if the reference has to look at it.
fn held_of_type<'py>(
    value: &Bound<'py, PyAny>,
    value_type: &Bound<'py, PyAny>,
) -> PyResult<Option<Held>> {
    let py = value.py();
    let Some((data, prefix)) = serialized(value, value_type)? else {
        return Ok(None);
    };
    Ok(Some(match data {
        Serialized::Kind(kind) => match held_as(kind, value) {
            Some(held) => held,
            None => return Ok(None),
        },
        Serialized::Bytes(data) => Held::Serialized(data.bind(py).clone().unbind(), prefix),
    }))
}

enum Serialized {
    Kind(Kind),
    Bytes(Py<PyBytes>),
}

/// The bytes of a value by the serializer of its type; None if the reference has to look at it.
fn serialized<'py>(
    value: &Bound<'py, PyAny>,
    value_type: &Bound<'py, PyAny>,
) -> PyResult<Option<(Serialized, &'static Prefix)>> {
    let py = value.py();
    let types = types(py)?;
    let class = value_type.get_type();
    let is_primitive = class.is(&types.primitive);
    if !is_primitive && !class.is(&types.simple) || value.is_none() {
        return Ok(None);
    }
    let typename = value_type.getattr(pyo3::intern!(py, "typename"))?;
    let Some(prefix) = prefix_of(&typename) else {
        return Ok(None);
    };
    if is_primitive {
        let kind = typename.cast::<PyString>()?.to_str().ok().and_then(Kind::of);
        return Ok(kind.map(|kind| (Serialized::Kind(kind), prefix)));
    }
    let serializer = value_type.getattr(pyo3::intern!(py, "_serializer"))?;
    let serialize = serializer.getattr(pyo3::intern!(py, "serialize_fn"))?;
    let data = serialize.call1((value,))?;
    let data = match data.cast_into_exact::<PyBytes>() {
        Ok(bytes) => bytes,
        Err(other) => {
            let bytes = hook(py, "as_bytes")?.call1((other.into_inner(), "serialize_fn"))?;
            bytes.cast_into::<PyBytes>()?
        }
    };
    Ok(Some((Serialized::Bytes(data.unbind()), prefix)))
}

/// A message to a function, with exactly one value.
///
/// Args:
///     arguments: The arguments, positional ones first.
///     keywords: The names of those that are not positional.
///
/// `None` for anything unusual.
fn message_of<'py>(
    py: Python<'py>,
    arguments: &[Borrowed<'_, 'py, PyAny>],
    keywords: Option<&Bound<'py, PyTuple>>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let count = keywords.map_or(0, |keywords| keywords.len());
    let positional = arguments.len() - count;
    let mut given: [Option<&Bound<'py, PyAny>>; 2] = [None, None];
    if positional > given.len() {
        return Ok(None);
    }
    for (place, argument) in given.iter_mut().zip(&arguments[..positional]) {
        *place = Some(argument);
    }
    let mut kind = None;
    let (mut value, mut value_type) = (None, None);
    for (position, argument) in arguments[positional..].iter().enumerate() {
        let keyword = keywords.map(|keywords| keywords.get_borrowed_item(position)).transpose()?;
        let Some(Ok(keyword)) = keyword.as_ref().map(|it| it.cast_exact::<PyString>()) else {
            return Ok(None);
        };
        let place = match keyword.to_str()? {
            "target_typename" => &mut given[0],
            "target_id" => &mut given[1],
            "value" => &mut value,
            "value_type" => &mut value_type,
            name => match SHORTHAND.iter().find(|(short, _)| *short == name) {
                Some((_, short)) if kind.is_none() => {
                    kind = Some(*short);
                    &mut value
                }
                _ => return Ok(None),
            },
        };
        if place.replace(argument).is_some() {
            return Ok(None);
        }
    }
    let ([Some(target_typename), Some(target_id)], Some(value)) = (given, value) else {
        return Ok(None);
    };
    let Some(prefix) = address_of(target_typename) else {
        return Ok(None);
    };
    let held = match (kind, value_type) {
        _ if text(target_id).is_none_or(str::is_empty) => None,
        (Some(kind), None) => held_as(kind, value),
        (None, Some(value_type)) => held_of_type(value, value_type)?,
        _ => None,
    };
    let Some(held) = held else {
        return Ok(None);
    };
    let target = Target {
        typename: Some(target_typename.clone().unbind()),
        id: Some(target_id.clone().unbind()),
        prefix: Some(prefix),
    };
    new_message(py, target, held).map(|message| Some(message.into_any()))
}

/// See `message_of`; what is unusual goes to the reference.
pub fn message_builder<'py>(
    py: Python<'py>,
    arguments: &[Borrowed<'_, 'py, PyAny>],
    keywords: Option<&Bound<'py, PyTuple>>,
) -> PyResult<Bound<'py, PyAny>> {
    if let Some(message) = message_of(py, arguments, keywords)? {
        return Ok(message);
    }
    let positional = arguments.len() - keywords.map_or(0, |keywords| keywords.len());
    let named = PyDict::new(py);
    if let Some(keywords) = keywords {
        for (keyword, argument) in keywords.iter().zip(&arguments[positional..]) {
            named.set_item(keyword, argument)?;
        }
    }
    let arguments = PyTuple::new(py, &arguments[..positional])?;
    hook(py, "message_builder")?.call(arguments, Some(&named))
}

const SHORTHAND: [(&str, Kind); 6] = [
    ("str_value", Kind::Text),
    ("int_value", Kind::Int),
    ("long_value", Kind::Long),
    ("bool_value", Kind::Bool),
    ("double_value", Kind::Double),
    ("float_value", Kind::Float),
];

/// A message to an egress of any kind; see `statefun.sdk.builders.egress_message_builder`.
#[pyfunction]
#[pyo3(signature = (target_typename, value, value_type, *, headers = None))]
pub fn egress_message_builder<'py>(
    py: Python<'py>,
    target_typename: Bound<'py, PyAny>,
    value: Bound<'py, PyAny>,
    value_type: Bound<'py, PyAny>,
    headers: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    if headers.is_none() && address_of(&target_typename).is_some() {
        if let Some(held) = held_of_type(&value, &value_type)? {
            return Ok(new_egress_message(py, target_typename.unbind(), held)?.into_any());
        }
    }
    let keywords = PyDict::new(py);
    keywords.set_item("headers", headers)?;
    let builder = hook(py, "egress_message_builder")?;
    builder.call((target_typename, value, value_type), Some(&keywords))
}

/// Text that is not empty, if it is any.
fn text<'a>(object: &'a Bound<'_, PyAny>) -> Option<&'a str> {
    object.cast_exact::<PyString>().ok()?.to_str().ok()
}

/// The value of a record; None if the reference has to look at it.
fn record_value<'a>(value: &'a Bound<'_, PyAny>) -> Option<&'a [u8]> {
    match value.cast_exact::<PyBytes>() {
        Ok(bytes) => Some(bytes.as_bytes()),
        Err(_) => text(value).map(str::as_bytes),
    }
}

/// The sizes of fields that are left out when they are empty.
fn filled_size(content: &[u8]) -> usize {
    match content {
        [] => 0,
        _ => field_size(content.len()),
    }
}

fn put_filled(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    if !content.is_empty() {
        put_field(out, tag, content);
    }
}

/// A record in a `TypedValue` of this type.
fn record(typename: &str, fields: [(u8, &[u8]); 4]) -> Held {
    let mut out = present_fields(typename.as_bytes());
    let size: usize = fields.iter().map(|(_, content)| filled_size(content)).sum();
    out.reserve(5 + size);
    put_varint(&mut out, size as u64);
    for (tag, content) in fields {
        put_filled(&mut out, tag, content);
    }
    Held::Written(out)
}

const KAFKA_RECORD: &str = "type.googleapis.com/io.statefun.sdk.egress.KafkaProducerRecord";
const KINESIS_RECORD: &str = "type.googleapis.com/io.statefun.sdk.egress.KinesisEgressRecord";

/// A record for a Kafka egress; see `statefun.sdk.egress.kafka_egress_message`.
#[pyfunction]
#[pyo3(signature = (typename, topic, value, value_type = None, key = None, *, headers = None))]
pub fn kafka_egress_message<'py>(
    py: Python<'py>,
    typename: Bound<'py, PyAny>,
    topic: Bound<'py, PyAny>,
    value: Bound<'py, PyAny>,
    value_type: Option<Bound<'py, PyAny>>,
    key: Option<Bound<'py, PyAny>>,
    headers: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let held = || -> Option<Held> {
        if value_type.is_some() || headers.is_some() {
            return None;
        }
        address_of(&typename)?;
        let topic = text(&topic).filter(|topic| !topic.is_empty())?;
        let key = match &key {
            Some(key) => text(key)?,
            None => "",
        };
        let value = record_value(&value)?;
        let fields = [
            (0x0A, key.as_bytes()),
            (0x12, value),
            (0x1A, topic.as_bytes()),
            (0x22, &[][..]),
        ];
        Some(record(KAFKA_RECORD, fields))
    };
    if let Some(held) = held() {
        return Ok(new_egress_message(py, typename.unbind(), held)?.into_any());
    }
    let keywords = PyDict::new(py);
    keywords.set_item("headers", headers)?;
    let builder = hook(py, "kafka_egress_message")?;
    builder.call((typename, topic, value, value_type, key), Some(&keywords))
}

/// A record for a Kinesis egress; see `statefun.sdk.egress.kinesis_egress_message`.
#[pyfunction]
#[pyo3(signature = (
    typename, stream, value, partition_key, value_type = None, explicit_hash_key = None
))]
pub fn kinesis_egress_message<'py>(
    py: Python<'py>,
    typename: Bound<'py, PyAny>,
    stream: Bound<'py, PyAny>,
    value: Bound<'py, PyAny>,
    partition_key: Bound<'py, PyAny>,
    value_type: Option<Bound<'py, PyAny>>,
    explicit_hash_key: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let held = || -> Option<Held> {
        if value_type.is_some() {
            return None;
        }
        address_of(&typename)?;
        let stream = text(&stream).filter(|stream| !stream.is_empty())?;
        let hash_key = match &explicit_hash_key {
            Some(key) => text(key)?,
            None => "",
        };
        let value = record_value(&value)?;
        let fields = [
            (0x0A, text(&partition_key)?.as_bytes()),
            (0x12, value),
            (0x1A, stream.as_bytes()),
            (0x22, hash_key.as_bytes()),
        ];
        Some(record(KINESIS_RECORD, fields))
    };
    if let Some(held) = held() {
        return Ok(new_egress_message(py, typename.unbind(), held)?.into_any());
    }
    let builder = hook(py, "kinesis_egress_message")?;
    let arguments = (typename, stream, value, partition_key, value_type, explicit_hash_key);
    builder.call1(arguments)
}

