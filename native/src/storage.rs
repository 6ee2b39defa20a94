//! Storage: the values of one address, decoded when they are touched, encoded once a batch.

use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};
use pyo3::PyTraverseError;

use crate::guarded::Guarded;
use crate::hooks::hook;
use crate::scalars::{put_typed, typed_size, Kind, Scalar};
use crate::wire::{
    field_size, put_field, put_head, put_varint, Span, Stored, Typed,
};

/// One value of a function, as it was declared.
pub struct Field {
    name: Py<PyString>,
    name_bytes: Vec<u8>,
    typename: Vec<u8>,
    present: Vec<u8>,
    kind: Option<Kind>,
    /// An assigned value → what a read gives (built-in types), or its bytes (all others).
    keep: Py<PyAny>,
    /// Bytes → the value.
    unpack: Py<PyAny>,
    /// The typename and the bytes of a value of a doubtful type → its bytes as the declared one.
    check: Py<PyAny>,
    /// What `keep` gave → its bytes.
    encode: Py<PyAny>,
    /// How the type's own serializer is called, if nothing but a call is needed.
    serialize: Option<Py<PyAny>>,
}

/// The values of one function.
#[pyclass(frozen, module = "statefun_core")]
pub struct Layout {
    pub fields: Vec<Field>,
    /// Raises the error for a name without a spec, a write of None, or one after the batch.
    unknown: Py<PyAny>,
    none: Py<PyAny>,
    refuse: Py<PyAny>,
    names: Py<PyList>,
    doc: Py<PyString>,
}

#[pymethods]
impl Layout {
    /// Args: for each value (name, typename, is built in, keep, encode, unpack, check,
    /// serialize or None).
    #[new]
    fn new(
        fields: Vec<(
            Bound<'_, PyString>,
            String,
            bool,
            Py<PyAny>,
            Py<PyAny>,
            Py<PyAny>,
            Py<PyAny>,
            Option<Py<PyAny>>,
        )>,
        unknown: Py<PyAny>,
        none: Py<PyAny>,
        refuse: Py<PyAny>,
        doc: Py<PyString>,
        py: Python<'_>,
    ) -> PyResult<Self> {
        let names = PyList::empty(py);
        let mut known = Vec::with_capacity(fields.len());
        for (name, typename, is_built_in, keep, encode, unpack, check, serialize) in fields {
            let name = PyString::intern(py, name.to_str()?);
            names.append(&name)?;
            known.push(Field {
                name_bytes: name.to_str()?.into(),
                name: name.unbind(),
                present: crate::wire::present_fields(typename.as_bytes()),
                kind: is_built_in.then(|| Kind::of(&typename)).flatten(),
                typename: typename.into(),
                keep,
                encode,
                unpack,
                check,
                serialize,
            });
        }
        Ok(Layout {
            fields: known,
            unknown,
            none,
            refuse,
            names: names.unbind(),
            doc,
        })
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        for field in &self.fields {
            visit.call(&field.keep)?;
            visit.call(&field.encode)?;
            visit.call(&field.unpack)?;
            visit.call(&field.check)?;
            visit.call(&field.serialize)?;
        }
        visit.call(&self.unknown)?;
        visit.call(&self.none)?;
        visit.call(&self.refuse)
    }
}

/// The content of one value.
enum Cell {
    /// The request did not carry it.
    Missing,
    /// There is no value.
    Absent,
    /// Bytes of the declared type, in the request.
    Raw(Span),
    /// Bytes of a type that was not compared with the declared one, in the request.
    Unchecked(Typed),
    /// Bytes.
    Bytes(Py<PyBytes>),
    /// A value of a built-in type.
    Value(Py<PyAny>),
}

/// The values of one address: `storage.name`, `storage.name = value`, `del storage.name`.
#[pyclass(frozen, module = "statefun.sdk.storage")]
pub struct Storage {
    layout: Py<Layout>,
    cells: Guarded<Cells>,
}

/// The contents of all values.
struct Cells {
    body: Option<Py<PyBytes>>,
    cells: Vec<Cell>,
    /// The values that were written or deleted, in the order of their first change.
    changed: Vec<u32>,
    /// The address, once the batch is over.
    ended: Option<Py<PyAny>>,
}

/// What a touch of a value found, before any Python code runs.
enum Found {
    Object(Py<PyAny>),
    Encoded(Py<PyBytes>),
    Unchecked(String, Py<PyBytes>),
}

impl Storage {
    /// The values of a request; None if it lacks one.
    pub fn resolve(
        layout: &Py<Layout>,
        body: &Bound<'_, PyBytes>,
        state: &[Stored],
    ) -> Option<Storage> {
        let fields = &layout.get().fields;
        let data = body.as_bytes();
        let mut cells: Vec<Cell> = Vec::with_capacity(fields.len());
        cells.resize_with(fields.len(), || Cell::Missing);
        for (position, stored) in state.iter().enumerate() {
            let name = stored.name.of(data);
            let index = match fields.get(position) {
                Some(field) if field.name_bytes == name => Some(position),
                _ => fields.iter().position(|field| field.name_bytes == name),
            };
            if let Some(index) = index {
                let typed = stored.typed;
                cells[index] = if !typed.has_value {
                    Cell::Absent
                } else if typed.typename.of(data) == fields[index].typename {
                    Cell::Raw(typed.value)
                } else {
                    Cell::Unchecked(typed)
                };
            }
        }
        if cells.iter().any(|cell| matches!(cell, Cell::Missing)) {
            return None;
        }
        Some(Storage {
            layout: layout.clone_ref(body.py()),
            cells: Guarded::new(Cells {
                body: Some(body.clone().unbind()),
                cells,
                changed: Vec::new(),
                ended: None,
            }),
        })
    }

    #[inline]
    fn index_of(&self, py: Python<'_>, name: &Bound<'_, PyString>) -> Option<usize> {
        let fields = &self.layout.get().fields;
        if let Some(index) = fields.iter().position(|field| field.name.is(name)) {
            return Some(index);
        }
        // Names in source code are interned; others are compared.
        let text = name.to_str().ok()?;
        let is_declared = |field: &Field| field.name.bind(py).to_str().is_ok_and(|it| it == text);
        fields.iter().position(is_declared)
    }

    #[inline]
    fn look(&self, py: Python<'_>, index: usize) -> Found {
        let field = &self.layout.get().fields[index];
        let mut cells = self.cells.open(py);
        match &cells.cells[index] {
            Cell::Missing | Cell::Absent => Found::Object(py.None()),
            Cell::Value(value) => Found::Object(value.clone_ref(py)),
            Cell::Bytes(bytes) => Found::Encoded(bytes.clone_ref(py)),
            Cell::Raw(span) => {
                let body = cells.body.as_ref().map_or(&[][..], |body| body.as_bytes(py));
                let data = span.of(body);
                let value = field.kind.and_then(|kind| kind.decode(py, data));
                match value {
                    Some(value) => {
                        let value = value.unbind();
                        let kept = value.clone_ref(py);
                        cells.cells[index] = Cell::Value(kept);
                        Found::Object(value)
                    }
                    None => Found::Encoded(PyBytes::new(py, data).unbind()),
                }
            }
            Cell::Unchecked(typed) => {
                let body = cells.body.as_ref().map_or(&[][..], |body| body.as_bytes(py));
                let typename = String::from_utf8_lossy(typed.typename.of(body)).into_owned();
                Found::Unchecked(typename, PyBytes::new(py, typed.value.of(body)).unbind())
            }
        }
    }

    /// The batch is over: later writes are refused.
    pub fn end(&self, py: Python<'_>, address: Py<PyAny>) {
        self.cells.open(py).ended = Some(address);
    }

    /// Keep the values, and let go of the request.
    pub fn detach(&self, py: Python<'_>) {
        let mut cells = self.cells.open(py);
        let Some(body) = cells.body.take() else {
            return;
        };
        let data = body.as_bytes(py);
        for cell in &mut cells.cells {
            if let Cell::Raw(span) = cell {
                *cell = Cell::Bytes(PyBytes::new(py, span.of(data)).unbind());
            }
        }
        if cells.cells.iter().any(|cell| matches!(cell, Cell::Unchecked(_))) {
            cells.body = Some(body);
        }
    }

    /// Write the mutations.
    pub fn put_mutations(&self, py: Python<'_>, out: &mut Vec<u8>) -> PyResult<()> {
        let fields = &self.layout.get().fields;
        let changed = std::mem::take(&mut self.cells.open(py).changed);
        for index in changed {
            let field = &fields[index as usize];
            let value = match &self.cells.open(py).cells[index as usize] {
                Cell::Absent => {
                    put_head(out, 0x0A, field_size(field.name_bytes.len()));
                    put_field(out, 0x12, &field.name_bytes);
                    continue;
                }
                Cell::Value(value) => {
                    if let Some(kind) = field.kind {
                        if let Some(scalar) = Scalar::of(kind, value.bind(py)) {
                            put_mutation(out, field, typed_size(&field.present, scalar.size()));
                            put_typed(out, &field.present, &scalar);
                            continue;
                        }
                    }
                    value.clone_ref(py)
                }
                Cell::Bytes(bytes) => {
                    put_bytes(out, field, bytes.as_bytes(py));
                    continue;
                }
                Cell::Missing | Cell::Raw(_) | Cell::Unchecked(_) => continue, // never changed
            };
            let data = field.encode.bind(py).call1((value,))?;
            put_bytes(out, field, data.cast::<PyBytes>()?.as_bytes());
        }
        Ok(())
    }
}

/// Write a mutation with a value that is bytes.
fn put_bytes(out: &mut Vec<u8>, field: &Field, data: &[u8]) {
    put_mutation(out, field, typed_size(&field.present, data.len()));
    out.extend_from_slice(&field.present);
    put_varint(out, data.len() as u64);
    out.extend_from_slice(data);
}

/// Write a mutation up to the `TypedValue`.
fn put_mutation(out: &mut Vec<u8>, field: &Field, typed: usize) {
    let name = field_size(field.name_bytes.len());
    put_head(out, 0x0A, 2 + name + field_size(typed));
    out.extend_from_slice(&[0x08, 0x01]);
    put_field(out, 0x12, &field.name_bytes);
    out.push(0x1A);
    put_varint(out, typed as u64);
}

/// What an assigned value becomes, if no Python code is needed for it.
#[inline]
fn kept_as_it_is(kind: Kind, value: &Bound<'_, PyAny>) -> Option<Py<PyAny>> {
    Scalar::of(kind, value)?;
    match kind {
        Kind::Float => {
            let number: f64 = value.extract().ok()?;
            let rounded = f64::from(number as f32);
            Some(pyo3::types::PyFloat::new(value.py(), rounded).into_any().unbind())
        }
        _ => Some(value.clone().unbind()),
    }
}

#[pymethods]
impl Storage {
    fn __getattribute__<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let storage = slf.get();
        let Some(index) = storage.index_of(py, name) else {
            return other_attribute(slf, name);
        };
        match storage.look(py, index) {
            Found::Object(value) => Ok(value.into_bound(py)),
            Found::Encoded(data) => unpacked(slf, index, data),
            Found::Unchecked(typename, data) => {
                let data = storage.layout.get().fields[index].check.bind(py).call1((typename, data))?;
                let data = data.cast_into::<PyBytes>()?.unbind();
                let checked = Cell::Bytes(data.clone_ref(py));
                storage.put(py, index, checked);
                unpacked(slf, index, data)
            }
        }
    }

    /// Called for what `__getattribute__` did not find.
    fn __getattr__<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        slf.get().layout.get().unknown.bind(py).call1((slf, name))
    }

    fn __setattr__(
        slf: &Bound<'_, Self>,
        name: &Bound<'_, PyString>,
        value: Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = slf.py();
        let layout = slf.get().layout.get();
        let Some(index) = slf.get().index_of(py, name) else {
            layout.unknown.call1(py, (slf, name))?;
            return Ok(());
        };
        if value.is_none() {
            layout.none.call1(py, (name,))?;
        }
        let field = &layout.fields[index];
        let cell = match field.kind.map(|kind| kept_as_it_is(kind, &value)) {
            Some(Some(kept)) => Cell::Value(kept),
            Some(None) => Cell::Value(field.keep.call1(py, (value,))?),
            None => match &field.serialize {
                Some(serialize) => {
                    let data = serialize.call1(py, (&value,))?;
                    match data.into_bound(py).cast_into_exact::<PyBytes>() {
                        Ok(bytes) => Cell::Bytes(bytes.unbind()),
                        Err(other) => {
                            let arguments = (other.into_inner(), "serialize_fn");
                            let data = hook(py, "as_bytes")?.call1(arguments)?;
                            Cell::Bytes(data.cast_into::<PyBytes>()?.unbind())
                        }
                    }
                }
                None => {
                    let data = field.keep.call1(py, (value,))?.into_bound(py);
                    Cell::Bytes(data.cast_into::<PyBytes>()?.unbind())
                }
            },
        };
        Storage::change(slf, index, cell)
    }

    fn __delattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyString>) -> PyResult<()> {
        let py = slf.py();
        match slf.get().index_of(py, name) {
            Some(index) => Storage::change(slf, index, Cell::Absent),
            None => slf.get().layout.get().unknown.call1(py, (slf, name)).map(drop),
        }
    }

    fn __dir__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let names = slf.get().layout.get().names.bind(py);
        hook(py, "names_of")?.call1((slf.get_type(), names))
    }
}

impl Storage {
    /// Put something into a cell; what it held is let go afterwards, which may run Python code.
    fn put(&self, py: Python<'_>, index: usize, cell: Cell) {
        let before = std::mem::replace(&mut self.cells.open(py).cells[index], cell);
        drop(before);
    }

    #[inline]
    fn change(slf: &Bound<'_, Self>, index: usize, cell: Cell) -> PyResult<()> {
        let py = slf.py();
        let storage = slf.get();
        let before = {
            let mut cells = storage.cells.open(py);
            match &cells.ended {
                None => {
                    let changed = index as u32;
                    if !cells.changed.contains(&changed) {
                        cells.changed.push(changed);
                    }
                    Ok(std::mem::replace(&mut cells.cells[index], cell))
                }
                Some(address) => Err(address.clone_ref(py)),
            }
        };
        match before {
            Ok(cell) => {
                drop(cell); // which may run Python code
                Ok(())
            }
            Err(address) => storage.layout.get().refuse.call1(py, (address,)).map(drop),
        }
    }
}

/// The value of these bytes; kept if it is of a built-in type.
fn unpacked<'py>(
    slf: &Bound<'py, Storage>,
    index: usize,
    data: Py<PyBytes>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    let field = &slf.get().layout.get().fields[index];
    let value = field.unpack.bind(py).call1((data,))?;
    if field.kind.is_some() {
        slf.get().put(py, index, Cell::Value(value.clone().unbind()));
    }
    Ok(value)
}

/// An attribute that is no value: one that every object has.
fn other_attribute<'py>(
    slf: &Bound<'py, Storage>,
    name: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    if name == "__doc__" {
        return Ok(slf.get().layout.get().doc.bind(py).clone().into_any());
    }
    let object = py.get_type::<PyAny>();
    object.call_method1(pyo3::intern!(py, "__getattribute__"), (slf, name))
}

