"""Old name of `statefun.sdk.messages`."""

from statefun.sdk.messages import (
    SHORTHAND as PRIMITIVE_GETTERS,
)
from statefun.sdk.messages import (
    EgressMessage,
    Message,
    egress_message_builder,
    message_builder,
)

__all__ = [
    "PRIMITIVE_GETTERS",
    "EgressMessage",
    "Message",
    "egress_message_builder",
    "message_builder",
]
