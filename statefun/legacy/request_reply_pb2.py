"""The messages of request-reply.proto, in a private descriptor pool."""

from statefun.sdk.wire._proto import Address, FromFunction, ToFunction, TypedValue

DESCRIPTOR = ToFunction.DESCRIPTOR.file

__all__ = ["DESCRIPTOR", "Address", "FromFunction", "ToFunction", "TypedValue"]
