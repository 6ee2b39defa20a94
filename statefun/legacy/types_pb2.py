"""The messages of types.proto, in a private descriptor pool."""

from statefun.sdk.wire._proto import (
    BooleanWrapper,
    DoubleWrapper,
    FloatWrapper,
    IntWrapper,
    LongWrapper,
    StringWrapper,
)

DESCRIPTOR = IntWrapper.DESCRIPTOR.file

__all__ = [
    "DESCRIPTOR",
    "BooleanWrapper",
    "DoubleWrapper",
    "FloatWrapper",
    "IntWrapper",
    "LongWrapper",
    "StringWrapper",
]
