//! Typenames as they stand on the wire, kept because programs use few of them over and over.

use std::collections::HashMap;

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

/// So many are kept, for ever; the reference writes all others.
const MOST: usize = 4096;
const SLOTS: usize = 64;

/// Typename → what is written for it: by the identity of the `str`, else by its text.
struct Known {
    by_identity: [Option<(Py<PyString>, &'static Prefix)>; SLOTS],
    by_text: Option<HashMap<Box<str>, &'static Prefix>>,
}

static KNOWN: Guarded<Known> = Guarded::new(Known {
    by_identity: [const { None }; SLOTS],
    by_text: None,
});

/// What is written for a typename; `None` if the reference has to look at it.
#[inline]
pub fn prefix_of(typename: &Bound<'_, PyAny>) -> Option<&'static Prefix> {
    let py = typename.py();
    let slot = (typename.as_ptr() as usize >> 4) % SLOTS;
    if let Some((text, prefix)) = &KNOWN.open(py).by_identity[slot] {
        if text.is(typename) {
            return Some(prefix);
        }
    }
    let text = typename.cast_exact::<PyString>().ok()?;
    let prefix = prefix_of_text(py, text.to_str().ok()?)?;
    let kept = (text.clone().unbind(), prefix);
    let replaced = KNOWN.open(py).by_identity[slot].replace(kept);
    drop(replaced);
    Some(prefix)
}

/// What is written for a typename; `None` if too many are known.
fn prefix_of_text(py: Python<'_>, typename: &str) -> Option<&'static Prefix> {
    let mut known = KNOWN.open(py);
    let by_text = known.by_text.get_or_insert_with(HashMap::new);
    if let Some(prefix) = by_text.get(typename) {
        return Some(prefix);
    }
    if by_text.len() >= MOST {
        return None;
    }
    let address = match typename.rsplit_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Some(address_prefix(namespace.as_bytes(), name.as_bytes()))
        }
        _ => None,
    };
    let prefix = Box::leak(Box::new(Prefix {
        address,
        present: present_fields(typename.as_bytes()),
    }));
    by_text.insert(typename.into(), prefix);
    Some(prefix)
}
