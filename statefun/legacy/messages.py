"""Old name of `statefun.sdk.messages` and `statefun.sdk.builders`."""

from statefun.sdk.builders import SHORTHAND as PRIMITIVE_GETTERS
from statefun.sdk.builders import egress_message_builder, message_builder
from statefun.sdk.messages import EgressMessage, Message

__all__ = [
    "PRIMITIVE_GETTERS",
    "EgressMessage",
    "Message",
    "egress_message_builder",
    "message_builder",
]
