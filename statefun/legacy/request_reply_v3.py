"""Old name of `statefun.sdk.handler` and `statefun.legacy.collecting`, and of their imports."""

import asyncio
import typing
from dataclasses import dataclass
from datetime import timedelta

from statefun.legacy.cells import Cell, resolve
from statefun.legacy.collecting import (
    DelayedMessage,
    UserFacingContext,
    collect_delayed,
    collect_egress,
    collect_failure,
    collect_messages,
    collect_mutations,
    collect_success,
    sdk_address_from_pb,
)
from statefun.sdk.address import SdkAddress, parse_typename
from statefun.sdk.functions import StatefulFunction, StatefulFunctions
from statefun.sdk.handler import RequestReplyHandler
from statefun.sdk.messages import EgressMessage, Message
from statefun.sdk.specs import ValueSpec
from statefun.sdk.wire._proto import Address, FromFunction, ToFunction, TypedValue

__all__ = [
    "Address",
    "Cell",
    "DelayedMessage",
    "EgressMessage",
    "FromFunction",
    "Message",
    "RequestReplyHandler",
    "SdkAddress",
    "StatefulFunction",
    "StatefulFunctions",
    "ToFunction",
    "TypedValue",
    "UserFacingContext",
    "ValueSpec",
    "asyncio",
    "collect_delayed",
    "collect_egress",
    "collect_failure",
    "collect_messages",
    "collect_mutations",
    "collect_success",
    "dataclass",
    "parse_typename",
    "resolve",
    "sdk_address_from_pb",
    "timedelta",
    "typing",
]
