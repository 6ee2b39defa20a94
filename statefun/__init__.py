"""Stateful Functions for Python: functions with state that survives failure.

The names here are those of the SDK that this package replaces, and no others, so that
`from statefun import *` means what it always meant. What is new is reached by its module:
`statefun.runtime`, `statefun.serve`, `statefun.testing`, `statefun.errors`.
"""

from __future__ import annotations

__distribution__ = "statefun"  # first of all, so that what is imported below can see it

import importlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

from statefun.installation import warn_of_leftovers
from statefun.sdk.address import SdkAddress
from statefun.sdk.builders import egress_message_builder, message_builder
from statefun.sdk.context import Context
from statefun.sdk.egress import kafka_egress_message, kinesis_egress_message
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.handler import RequestReplyHandler
from statefun.sdk.messages import EgressMessage, Message
from statefun.sdk.primitives import BoolType, DoubleType, FloatType, IntType, LongType, StringType
from statefun.sdk.specs import ValueSpec
from statefun.sdk.types import Type, TypeSerializer, make_json_type, make_protobuf_type, simple_type

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

__version__ = version("statefun")

# The modules of the old SDK (`statefun.core`, `statefun.utils`, …) stand in a folder of their own.
_root = Path(__file__).parent
__path__.insert(0, str(_root / "legacy"))  # before the root, where files of the old SDK may lie
warn_of_leftovers(_root)


def __getattr__(name: str) -> Any:
    """Old submodules that nobody imported, and a hint for names of version 2."""
    return importlib.import_module("statefun.legacy").attribute_of_root(name)
