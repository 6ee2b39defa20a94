"""Old name of `statefun.sdk.functions`, and of what the old module imported."""

import inspect
import typing

from statefun.legacy.cells import StorageSpec, make_address_storage_spec
from statefun.sdk.context import Context
from statefun.sdk.functions import StatefulFunction, StatefulFunctions
from statefun.sdk.messages import Message
from statefun.sdk.specs import ValueSpec

__all__ = [
    "Context",
    "Message",
    "StatefulFunction",
    "StatefulFunctions",
    "StorageSpec",
    "ValueSpec",
    "inspect",
    "make_address_storage_spec",
    "typing",
]
