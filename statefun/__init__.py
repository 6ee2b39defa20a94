"""Stateful Functions for Python: functions with state that survives failure.

The names here are those of the SDK that this package replaces, and no others, so that
`from statefun import *` means what it always meant. What is new is reached by its module:
`statefun.runtime`, `statefun.serve`, `statefun.testing`, `statefun.errors`.
"""

from __future__ import annotations

__distribution__ = "statefun"  # first of all, so that what is imported below can see it

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from statefun.installation import warn_of_leftovers

if TYPE_CHECKING:
    from statefun.sdk.address import SdkAddress
    from statefun.sdk.builders import egress_message_builder, message_builder
    from statefun.sdk.context import Context
    from statefun.sdk.egress import kafka_egress_message, kinesis_egress_message
    from statefun.sdk.functions import StatefulFunctions
    from statefun.sdk.handler import RequestReplyHandler
    from statefun.sdk.messages import EgressMessage, Message
    from statefun.sdk.primitives import (
        BoolType,
        DoubleType,
        FloatType,
        IntType,
        LongType,
        StringType,
    )
    from statefun.sdk.specs import ValueSpec
    from statefun.sdk.types import (
        Type,
        TypeSerializer,
        make_json_type,
        make_protobuf_type,
        simple_type,
    )

__all__ = [
    "BoolType",
    "Context",
    "DoubleType",
    "EgressMessage",
    "FloatType",
    "IntType",
    "LongType",
    "Message",
    "RequestReplyHandler",
    "SdkAddress",
    "StatefulFunctions",
    "StringType",
    "Type",
    "TypeSerializer",
    "ValueSpec",
    "egress_message_builder",
    "kafka_egress_message",
    "kinesis_egress_message",
    "make_json_type",
    "make_protobuf_type",
    "message_builder",
    "simple_type",
]

_PLACES = {
    "BoolType": "statefun.sdk.primitives",
    "Context": "statefun.sdk.context",
    "DoubleType": "statefun.sdk.primitives",
    "EgressMessage": "statefun.sdk.messages",
    "FloatType": "statefun.sdk.primitives",
    "IntType": "statefun.sdk.primitives",
    "LongType": "statefun.sdk.primitives",
    "Message": "statefun.sdk.messages",
    "RequestReplyHandler": "statefun.sdk.handler",
    "SdkAddress": "statefun.sdk.address",
    "StatefulFunctions": "statefun.sdk.functions",
    "StringType": "statefun.sdk.primitives",
    "Type": "statefun.sdk.types",
    "TypeSerializer": "statefun.sdk.types",
    "ValueSpec": "statefun.sdk.specs",
    "egress_message_builder": "statefun.sdk.builders",
    "kafka_egress_message": "statefun.sdk.egress",
    "kinesis_egress_message": "statefun.sdk.egress",
    "make_json_type": "statefun.sdk.types",
    "make_protobuf_type": "statefun.sdk.types",
    "message_builder": "statefun.sdk.builders",
    "simple_type": "statefun.sdk.types",
}
"""Name → the module that has it; it is imported when it is used, for the command line needs few."""

# The modules of the old SDK (`statefun.core`, `statefun.utils`, …) stand in a folder of their own.
_root = Path(__file__).parent
__path__.insert(0, str(_root / "legacy"))  # before the root, where files of the old SDK may lie
warn_of_leftovers(_root)


def __getattr__(name: str) -> Any:
    """The public names, the version, old submodules, and a hint for names of version 2."""
    if name in _PLACES:
        found = getattr(importlib.import_module(_PLACES[name]), name)
    elif name == "__version__":
        found = importlib.import_module("importlib.metadata").version("statefun")
    else:
        return importlib.import_module("statefun.legacy").attribute_of_root(name)
    globals()[name] = found
    return found
