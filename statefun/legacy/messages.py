"""Old name of `statefun.sdk.messages` and `statefun.sdk.builders`, and of what it imported."""

import importlib
import typing

from statefun.legacy.utils import to_typed_value
from statefun.sdk.builders import SHORTHAND as PRIMITIVE_GETTERS
from statefun.sdk.builders import egress_message_builder, message_builder
from statefun.sdk.messages import EgressMessage, Message
from statefun.sdk.types import Type
from statefun.sdk.wire._proto import TypedValue

wrapper_types = importlib.import_module("statefun.wrapper_types")

__all__ = [
    "PRIMITIVE_GETTERS",
    "EgressMessage",
    "Message",
    "Type",
    "TypedValue",
    "egress_message_builder",
    "message_builder",
    "to_typed_value",
    "typing",
    "wrapper_types",
]
