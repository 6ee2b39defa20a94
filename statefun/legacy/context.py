"""Old name of `statefun.sdk.context`."""

from statefun.sdk.context import Context

__all__ = ["Context"]
