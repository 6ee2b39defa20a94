"""Old name of `statefun.sdk.address`, `statefun.sdk.specs` and `statefun.sdk.types`."""

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
    "parse_typename",
    "simple_type",
]

__getattr__ = attribute_of_core
