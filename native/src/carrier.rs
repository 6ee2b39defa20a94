//! Carriers: messages to functions and to egresses, as the spans that came in, or as the value
//! that a builder was given.

use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple, PyType};

use crate::guarded::Guarded;
use crate::hooks::hook;
use crate::prefixes::{prefix_of, Prefix};
use crate::scalars::{put_typed, typed_size, Kind, Scalar};
use crate::wire::{self, put_varint, Invocation, Span};

/// What a carrier holds.
pub enum Held {
    /// Nothing: `__init__` did not run.
    Unset,
    /// A message that came in: a piece of these bytes.
    Incoming(Py<PyBytes>, Invocation),
    /// A serialized `Invocation` of an unusual encoding.
    Unusual(Py<PyBytes>),
    /// A value of a built-in type, as it was given to a builder.
    Given(Kind, Py<PyAny>),
    /// The bytes of a value of any other type.
    Serialized(Py<PyBytes>, &'static Prefix),
    /// A serialized `TypedValue`.
    Encoded(Py<PyBytes>),
    /// A serialized `TypedValue` that no Python code has seen.
    Written(Vec<u8>),
    /// A protobuf object; somebody asked for it, and may have changed it.
    Object(Py<PyAny>),
}

impl Held {
    /// The serialized `TypedValue` of a message that was made by a builder.
    fn encoded<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        match self {
            Held::Encoded(bytes) => Some(bytes.bind(py).clone()),
            Held::Written(bytes) => Some(PyBytes::new(py, bytes)),
            Held::Given(kind, value) => {
                let scalar = Scalar::of(*kind, value.bind(py))?;
                let mut out = Vec::with_capacity(typed_size(kind.present(), scalar.size()));
                put_typed(&mut out, kind.present(), &scalar);
                Some(PyBytes::new(py, &out))
            }
            Held::Serialized(..) => {
                let mut out = Vec::with_capacity(self.argument_size(py)?);
                self.put_argument(py, &mut out)?;
                Some(PyBytes::new(py, &out))
            }
            _ => None,
        }
    }

    /// Whether the serialized `TypedValue` is written without the reference.
    #[inline]
    pub fn is_written_here(&self) -> bool {
        matches!(
            self,
            Held::Given(..) | Held::Serialized(..) | Held::Encoded(_) | Held::Written(_)
        )
    }

    /// The size of the serialized `TypedValue`; `None` if only the reference can tell.
    #[inline]
    pub fn argument_size(&self, py: Python<'_>) -> Option<usize> {
        match self {
            Held::Given(kind, value) => {
                let size = Scalar::of(*kind, value.bind(py))?.size();
                Some(typed_size(kind.present(), size))
            }
            Held::Serialized(data, prefix) => {
                Some(typed_size(&prefix.present, data.as_bytes(py).len()))
            }
            Held::Encoded(bytes) => Some(bytes.as_bytes(py).len()),
            Held::Written(bytes) => Some(bytes.len()),
            _ => None,
        }
    }

    /// Write the serialized `TypedValue`.
    #[inline]
    pub fn put_argument(&self, py: Python<'_>, out: &mut Vec<u8>) -> Option<()> {
        match self {
            Held::Given(kind, value) => {
                put_typed(out, kind.present(), &Scalar::of(*kind, value.bind(py))?);
            }
            Held::Serialized(data, prefix) => {
                let data = data.as_bytes(py);
                out.extend_from_slice(&prefix.present);
                put_varint(out, data.len() as u64);
                out.extend_from_slice(data);
            }
            Held::Encoded(bytes) => out.extend_from_slice(bytes.as_bytes(py)),
            Held::Written(bytes) => out.extend_from_slice(bytes),
            _ => return None,
        }
        Some(())
    }
}

/// A `TypedValue` inside a message, as bytes or as a protobuf object.
#[pyclass(frozen, subclass, module = "statefun_core")]
pub struct Carrier {
    pub held: Guarded<Held>,
}

/// A message to a function.
#[pyclass(frozen, extends = Carrier, subclass, name = "Message", module = "statefun.sdk.messages")]
pub struct MessageCarrier {
    pub target: Guarded<Target>,
}

/// Whom a message is for; None for what is not set.
#[derive(Default)]
pub struct Target {
    pub typename: Option<Py<PyAny>>,
    pub id: Option<Py<PyAny>>,
    /// What is written for the typename; None if that was not looked up.
    pub prefix: Option<&'static Prefix>,
}

/// A message to an egress.
#[pyclass(frozen, extends = Carrier, subclass, name = "EgressMessage", module = "statefun.sdk.messages")]
pub struct EgressCarrier {
    pub typename: Guarded<Option<Py<PyAny>>>,
}

fn unset(name: &str) -> PyErr {
    PyAttributeError::new_err(name.to_string())
}

/// A message to a function.
#[inline]
pub fn new_message<'py>(
    py: Python<'py>,
    target: Target,
    held: Held,
) -> PyResult<Bound<'py, MessageCarrier>> {
    let carrier = PyClassInitializer::from(Carrier::holding(held));
    let target = Guarded::new(target);
    Bound::new(py, carrier.add_subclass(MessageCarrier { target }))
}

/// A message to an egress.
pub fn new_egress_message<'py>(
    py: Python<'py>,
    typename: Py<PyAny>,
    held: Held,
) -> PyResult<Bound<'py, EgressCarrier>> {
    let carrier = PyClassInitializer::from(Carrier::holding(held));
    let typename = Guarded::new(Some(typename));
    Bound::new(py, carrier.add_subclass(EgressCarrier { typename }))
}

impl Carrier {
    fn holding(held: Held) -> Carrier {
        Carrier {
            held: Guarded::new(held),
        }
    }

    /// Hold something else; what was held is let go afterwards, which may run Python code.
    #[inline]
    pub fn hold(&self, py: Python<'_>, held: Held) {
        let before = std::mem::replace(&mut *self.held.open(py), held);
        drop(before);
    }

    /// Hold nothing but the message itself, so that a message which is kept does not keep a whole
    /// request.
    pub fn detach(&self, py: Python<'_>) {
        let own = match &*self.held.open(py) {
            Held::Incoming(body, spans) => {
                let own = PyBytes::new(py, spans.whole.of(body.as_bytes(py)));
                Held::Incoming(own.unbind(), spans.detached())
            }
            _ => return,
        };
        self.hold(py, own);
    }
}

impl Held {
    /// The spans of a message that came in, and the bytes they are pieces of.
    #[inline]
    fn incoming<'a>(&'a self, py: Python<'a>) -> Option<(&'a Invocation, &'a [u8])> {
        match self {
            Held::Incoming(body, spans) => Some((spans, body.as_bytes(py))),
            _ => None,
        }
    }
}

/// Set what a cell holds; what it held is let go afterwards, which may run Python code.
fn set(py: Python<'_>, cell: &Guarded<Option<Py<PyAny>>>, value: Py<PyAny>) {
    let before = cell.open(py).replace(value);
    drop(before);
}

/// The value of a built-in type; the reference answers whatever is unusual.
#[inline]
fn value_of<'py>(slf: &Bound<'py, Carrier>, kind: Kind) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    {
        let held = slf.get().held.open(py);
        if let Some((spans, data)) = held.incoming(py) {
            let typed = spans.typed;
            if typed.has_value && typed.typename.of(data) == kind.typename().as_bytes() {
                if let Some(value) = kind.decode(py, typed.value.of(data)) {
                    return Ok(value);
                }
            }
        }
    }
    hook(py, "value_of_kind")?.call1((slf, kind.typename()))
}

#[pymethods]
impl Carrier {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Carrier::holding(Held::Unset)
    }

    /// What the reference keeps under this name: a serialized Invocation, an object, or None.
    #[getter(_held)]
    fn get_held<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match &*self.held.open(py) {
            Held::Unset => Err(unset("_held")),
            Held::Incoming(body, spans) => {
                let piece = PyBytes::new(py, spans.whole.of(body.as_bytes(py)));
                Ok(Some(piece.into_any()))
            }
            Held::Unusual(bytes) => Ok(Some(bytes.bind(py).clone().into_any())),
            Held::Object(object) => Ok(Some(object.bind(py).clone())),
            _ => Ok(None),
        }
    }

    #[setter(_held)]
    fn set_held(slf: &Bound<'_, Self>, held: Bound<'_, PyAny>) {
        let held = match held.cast_into_exact::<PyBytes>() {
            Ok(bytes) => incoming(bytes),
            Err(other) => Held::Object(other.into_inner().unbind()),
        };
        slf.get().hold(slf.py(), held);
    }

    /// What the reference keeps under this name: a serialized TypedValue.
    #[getter(_encoded)]
    fn get_encoded<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.held.open(py).encoded(py).ok_or_else(|| unset("_encoded"))
    }

    #[setter(_encoded)]
    fn set_encoded(slf: &Bound<'_, Self>, encoded: Bound<'_, PyBytes>) {
        let held = Held::Encoded(encoded.unbind());
        slf.get().hold(slf.py(), held);
    }

    /// The value as a protobuf `TypedValue`; changing it changes the message.
    #[getter]
    fn typed_value<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        if let Held::Object(object) = &*slf.get().held.open(py) {
            return Ok(object.bind(py).clone());
        }
        hook(py, "typed_value")?.call1((slf,))
    }

    #[setter]
    fn set_typed_value(slf: &Bound<'_, Self>, typed: Bound<'_, PyAny>) {
        let held = Held::Object(typed.unbind());
        slf.get().hold(slf.py(), held);
    }

    /// The headers, in order, duplicates kept; empty where the engine does not know them.
    #[getter]
    fn headers<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let has_none = match slf.get().held.open(py).incoming(py) {
            Some((spans, _)) => !spans.typed.has_headers,
            None => false,
        };
        if has_none {
            return Ok(PyTuple::empty(py).into_any());
        }
        hook(py, "headers")?.call1((slf,))
    }

    /// The typename of the value.
    fn value_typename<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        if let Some((spans, data)) = slf.get().held.open(py).incoming(py) {
            if let Ok(text) = std::str::from_utf8(spans.typed.typename.of(data)) {
                return Ok(PyString::new(py, text).into_any());
            }
        }
        hook(py, "value_typename")?.call1((slf,))
    }

    /// The bytes of the value, None if there is none.
    fn raw_value<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        if let Some((spans, data)) = slf.get().held.open(py).incoming(py) {
            return Ok(match spans.typed.has_value {
                true => PyBytes::new(py, spans.typed.value.of(data)).into_any(),
                false => py.None().into_bound(py),
            });
        }
        hook(py, "raw_value")?.call1((slf,))
    }

    /// The serialized `TypedValue`, with headers and unknown fields.
    fn argument<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        if let Some(encoded) = slf.get().held.open(py).encoded(py) {
            return Ok(encoded.into_any());
        }
        hook(py, "argument")?.call1((slf,))
    }

    /// The value of a built-in type, None if there is none.
    fn value_of<'py>(
        slf: &Bound<'py, Self>,
        scalar: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let typename = scalar.getattr(pyo3::intern!(slf.py(), "typename"))?;
        match typename.cast::<PyString>()?.to_str().map(Kind::of) {
            Ok(Some(kind)) => value_of(slf, kind),
            _ => hook(slf.py(), "value_of")?.call1((slf, scalar)),
        }
    }

    /// The value's bytes as they came in; None unless the value has this typename.
    fn received_bytes<'py>(
        slf: &Bound<'py, Self>,
        typename: &Bound<'py, PyString>,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let py = slf.py();
        if let Some((spans, data)) = slf.get().held.open(py).incoming(py) {
            let typed = spans.typed;
            let is_usual = typed.has_value && !typed.has_headers;
            if is_usual && typed.typename.of(data) == typename.to_str()?.as_bytes() {
                return Ok(Some(PyBytes::new(py, typed.value.of(data))));
            }
        }
        Ok(None)
    }

    /// Whether the value carries this typename.
    fn is_of(slf: &Bound<'_, Self>, typename: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = slf.py();
        if let (Some((spans, data)), Ok(text)) =
            (slf.get().held.open(py).incoming(py), typename.cast_exact::<PyString>())
        {
            if let Ok(text) = text.to_str() {
                return Ok(spans.typed.typename.of(data) == text.as_bytes());
            }
        }
        hook(py, "is_of")?.call1((slf, typename))?.is_truthy()
    }
}

macro_rules! reader {
    ($slf:ident, $kind:expr) => {
        value_of($slf.as_super(), $kind)
    };
}

#[pymethods]
impl MessageCarrier {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(Carrier::holding(Held::Unset)).add_subclass(MessageCarrier {
            target: Guarded::new(Target::default()),
        })
    }

    #[getter]
    fn target_typename<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let target = self.target.open(py);
        let set = target.typename.as_ref();
        Ok(set.ok_or_else(|| unset("target_typename"))?.bind(py).clone())
    }

    #[setter]
    fn set_target_typename(slf: &Bound<'_, Self>, typename: Bound<'_, PyAny>) {
        let before = {
            let mut target = slf.get().target.open(slf.py());
            target.prefix = None;
            target.typename.replace(typename.unbind())
        };
        drop(before);
    }

    #[getter]
    fn target_id<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let target = self.target.open(py);
        let set = target.id.as_ref();
        Ok(set.ok_or_else(|| unset("target_id"))?.bind(py).clone())
    }

    #[setter]
    fn set_target_id(slf: &Bound<'_, Self>, target_id: Bound<'_, PyAny>) {
        let before = slf.get().target.open(slf.py()).id.replace(target_id.unbind());
        drop(before);
    }

    /// The value of a message of `IntType`, None if it has none.
    fn as_int<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reader!(slf, Kind::Int)
    }

    /// The value of a message of `BoolType`, None if it has none.
    fn as_bool<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reader!(slf, Kind::Bool)
    }

    /// The value of a message of `LongType`, None if it has none.
    fn as_long<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reader!(slf, Kind::Long)
    }

    /// The value of a message of `StringType`, None if it has none.
    fn as_string<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reader!(slf, Kind::Text)
    }

    /// The value of a message of `FloatType`, None if it has none.
    fn as_float<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reader!(slf, Kind::Float)
    }

    /// The value of a message of `DoubleType`, None if it has none.
    fn as_double<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reader!(slf, Kind::Double)
    }
}

#[pymethods]
impl EgressCarrier {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(Carrier::holding(Held::Unset))
            .add_subclass(EgressCarrier {
            typename: Guarded::new(None),
        })
    }

    #[getter]
    fn typename<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let typename = self.typename.open(py);
        let set = typename.as_ref();
        Ok(set.ok_or_else(|| unset("typename"))?.bind(py).clone())
    }

    #[setter]
    fn set_typename(slf: &Bound<'_, Self>, typename: Bound<'_, PyAny>) {
        set(slf.py(), &slf.get().typename, typename.unbind());
    }
}

/// What a carrier holds that got a serialized `Invocation`.
pub fn incoming(bytes: Bound<'_, PyBytes>) -> Held {
    let data = bytes.as_bytes();
    let spans = u32::try_from(data.len())
        .ok()
        .and_then(|end| wire::invocation(data, Span { start: 0, end }, Span::default()));
    match spans {
        Some(spans) => Held::Incoming(bytes.unbind(), spans),
        None => Held::Unusual(bytes.unbind()),
    }
}

/// A carrier of the native class, or of a subclass of it.
fn made<'py>(class: &Bound<'py, PyType>, held: Held) -> PyResult<Bound<'py, PyAny>> {
    let object = class.call_method1(pyo3::intern!(class.py(), "__new__"), (class,))?;
    object.cast::<Carrier>()?.get().hold(class.py(), held);
    Ok(object)
}

fn addressed<'py>(
    class: &Bound<'py, PyType>,
    target_typename: Bound<'py, PyAny>,
    target_id: Bound<'py, PyAny>,
    held: Held,
) -> PyResult<Bound<'py, PyAny>> {
    let py = class.py();
    let target = Target {
        typename: Some(target_typename.unbind()),
        id: Some(target_id.unbind()),
        prefix: None,
    };
    if class.is(py.get_type::<MessageCarrier>()) {
        return Ok(new_message(py, target, held)?.into_any());
    }
    let object = made(class, held)?;
    *object.cast::<MessageCarrier>()?.get().target.open(py) = target;
    Ok(object)
}

/// A message around one invocation of a batch.
#[pyfunction]
pub fn incoming_message<'py>(
    message_class: &Bound<'py, PyType>,
    target_typename: Bound<'py, PyAny>,
    target_id: Bound<'py, PyAny>,
    invocation: Bound<'py, PyBytes>,
) -> PyResult<Bound<'py, PyAny>> {
    addressed(message_class, target_typename, target_id, incoming(invocation))
}

/// A message around a serialized `TypedValue`.
#[pyfunction]
pub fn outgoing_message<'py>(
    message_class: &Bound<'py, PyType>,
    target_typename: Bound<'py, PyAny>,
    target_id: Bound<'py, PyAny>,
    encoded: Bound<'py, PyBytes>,
) -> PyResult<Bound<'py, PyAny>> {
    let held = Held::Encoded(encoded.unbind());
    addressed(message_class, target_typename, target_id, held)
}

/// A message with a value of the built-in string type.
#[pyfunction]
pub fn outgoing_text<'py>(
    message_class: &Bound<'py, PyType>,
    target_typename: Bound<'py, PyAny>,
    target_id: Bound<'py, PyAny>,
    text: Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    text.to_str()?;
    let held = Held::Given(Kind::Text, text.into_any().unbind());
    addressed(message_class, target_typename, target_id, held)
}

/// An egress message around a serialized `TypedValue`.
#[pyfunction]
pub fn outgoing_egress_message<'py>(
    message_class: &Bound<'py, PyType>,
    typename: Bound<'py, PyAny>,
    encoded: Bound<'py, PyBytes>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = message_class.py();
    let held = Held::Encoded(encoded.unbind());
    if message_class.is(py.get_type::<EgressCarrier>()) {
        return Ok(new_egress_message(py, typename.unbind(), held)?.into_any());
    }
    let object = made(message_class, held)?;
    set(py, &object.cast::<EgressCarrier>()?.get().typename, typename.unbind());
    Ok(object)
}

/// What is written for a typename that can be addressed; `None` for one that the reference has to
/// look at.
#[inline]
pub fn address_of(typename: &Bound<'_, PyAny>) -> Option<&'static Prefix> {
    prefix_of(typename).filter(|prefix| prefix.address.is_some())
}
