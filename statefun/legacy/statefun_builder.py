"""Old name of `statefun.sdk.functions`."""

from statefun.sdk.functions import StatefulFunction, StatefulFunctions

__all__ = ["StatefulFunction", "StatefulFunctions"]
