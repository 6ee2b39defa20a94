"""The envelope and the state; what the messages mean stands in `protos/durable.proto`."""

from statefun.durable.schema import DecodeError as DecodeError
from statefun.durable.schema import message_classes

globals().update(message_classes(__name__))
