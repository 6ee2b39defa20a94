"""Old name of `statefun.sdk.context`, and of what the old module imported."""

import abc
import typing
from datetime import timedelta

from statefun.sdk.address import SdkAddress
from statefun.sdk.context import Context
from statefun.sdk.messages import EgressMessage, Message

__all__ = ["Context", "EgressMessage", "Message", "SdkAddress", "abc", "timedelta", "typing"]
