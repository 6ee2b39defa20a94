"""Old name of `statefun.sdk.address`, `statefun.sdk.specs` and `statefun.sdk.types`."""

import abc
from dataclasses import dataclass
from datetime import timedelta
from keyword import iskeyword, kwlist

from statefun.legacy import attribute_of_core
from statefun.sdk.address import SdkAddress, parse_typename
from statefun.sdk.specs import ValueSpec
from statefun.sdk.types import SimpleType, Type, TypeSerializer, UserTypeSerializer, simple_type

__all__ = [
    "SdkAddress",
    "SimpleType",
    "Type",
    "TypeSerializer",
    "UserTypeSerializer",
    "ValueSpec",
    "abc",
    "dataclass",
    "iskeyword",
    "kwlist",
    "parse_typename",
    "simple_type",
    "timedelta",
]

__getattr__ = attribute_of_core
