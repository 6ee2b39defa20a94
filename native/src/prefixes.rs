//! Typenames as they stand on the wire, kept because programs use few of them over and over.

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::guarded::Guarded;
use crate::wire::{address_prefix, present_fields};

/// What is written for one typename.
#[derive(Debug)]
pub struct Prefix {
    /// Namespace and name of an address, and the tag of its id; `None` for a malformed typename.
    pub address: Option<Vec<u8>>,
    /// The fields of a present `TypedValue`, up to the length of its value.
    pub present: Vec<u8>,
}

const MOST: usize = 4096;
const SLOTS: usize = 64;

/// Typename → what is written for it: by the identity of the `str`, else by its text.
struct Known {
    by_identity: [Option<(Py<PyString>, Arc<Prefix>)>; SLOTS],
    by_text: Option<HashMap<Box<str>, Arc<Prefix>>>,
}

static KNOWN: Guarded<Known> = Guarded::new(Known {
    by_identity: [const { None }; SLOTS],
    by_text: None,
});

/// What is written for a typename; `None` if it is not text.
#[inline]
pub fn prefix_of(typename: &Bound<'_, PyAny>) -> Option<Arc<Prefix>> {
    let py = typename.py();
    let slot = (typename.as_ptr() as usize >> 4) % SLOTS;
    if let Some((text, prefix)) = &KNOWN.open(py).by_identity[slot] {
        if text.is(typename) {
            return Some(prefix.clone());
        }
    }
    let text = typename.cast_exact::<PyString>().ok()?;
    let prefix = prefix_of_text(py, text.to_str().ok()?);
    let kept = (text.clone().unbind(), prefix.clone());
    let replaced = KNOWN.open(py).by_identity[slot].replace(kept);
    drop(replaced);
    Some(prefix)
}

/// What is written for a typename.
pub fn prefix_of_text(py: Python<'_>, typename: &str) -> Arc<Prefix> {
    let mut known = KNOWN.open(py);
    let by_text = known.by_text.get_or_insert_with(HashMap::new);
    if let Some(prefix) = by_text.get(typename) {
        return prefix.clone();
    }
    if by_text.len() >= MOST {
        by_text.clear();
    }
    let address = match typename.rsplit_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Some(address_prefix(namespace.as_bytes(), name.as_bytes()))
        }
        _ => None,
    };
    let prefix = Arc::new(Prefix {
        address,
        present: present_fields(typename.as_bytes()),
    });
    by_text.insert(typename.into(), prefix.clone());
    prefix
}
