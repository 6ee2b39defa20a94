"""Messages that workflows send and keep; what they mean stands in `protos/workflows.proto`."""

from statefun.durable.schema import DecodeError as DecodeError
from statefun.durable.schema import message_classes

globals().update(message_classes(__name__))
