"""Old name of `statefun.sdk.handler`."""

from statefun.sdk.handler import RequestReplyHandler

__all__ = ["RequestReplyHandler"]
