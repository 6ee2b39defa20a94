"""Old name of `statefun.legacy.cells`, and of what the old module imported."""

import typing
from dataclasses import dataclass

from statefun.legacy.cells import (
    Cell,
    Resolution,
    StorageSpec,
    make_address_storage_spec,
    resolve,
)
from statefun.legacy.utils import from_typed_value, to_typed_value
from statefun.sdk.specs import ValueSpec
from statefun.sdk.storage import Storage
from statefun.sdk.types import Type
from statefun.sdk.wire._proto import ToFunction, TypedValue

__all__ = [
    "Cell",
    "Resolution",
    "Storage",
    "StorageSpec",
    "ToFunction",
    "Type",
    "TypedValue",
    "ValueSpec",
    "dataclass",
    "from_typed_value",
    "make_address_storage_spec",
    "resolve",
    "to_typed_value",
    "typing",
]
