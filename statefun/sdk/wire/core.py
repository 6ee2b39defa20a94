"""The choice of a core: pure Python, or native code where it is installed.

`STATEFUN_CORE=python` keeps to the reference, `STATEFUN_CORE=native` insists on native code.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

from statefun.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

__all__ = ["CORE", "accelerated", "accelerator", "adopted", "door"]

C = TypeVar("C")
F = TypeVar("F", bound="Callable[..., Any]")

VARIABLE = "STATEFUN_CORE"
PACKAGE = "statefun_core"


def _chosen() -> str:
    wanted = os.environ.get(VARIABLE, "")
    if wanted not in {"", "python", "native"}:
        raise ConfigurationError(
            f"{VARIABLE} is {wanted!r}: write python or native, or leave it out"
        )
    if wanted == "python":
        return "python"
    lacking = _lacking()
    if wanted == "native" and lacking:
        raise ConfigurationError(f"{VARIABLE} is native, and {lacking}")
    return "python" if lacking else "native"


def _lacking() -> str:
    """What the native core lacks; empty if it can be used."""
    if find_spec(PACKAGE) is None:
        return "there is no native core: pip install statefun-core, or 'make native'"
    from importlib.metadata import version  # noqa: PLC0415 - slow, and few installations need it

    ours = version("statefun")
    theirs = version("statefun-core")
    if theirs != ours:
        return f"the native core is {theirs} where statefun is {ours}: install the same version"
    return ""


CORE: str = _chosen()
"""The core in use: `python` or `native`."""

door: ModuleType = import_module(f"statefun.sdk.wire.{CORE}")
"""The module that offers the names of `python` in this core."""

accelerator: Any = import_module(PACKAGE) if CORE == "native" else None
"""The extension module, None in pure Python."""


def accelerated(function: F) -> F:
    """A function of the reference, or its native twin, which calls it for whatever is unusual."""
    if accelerator is None:
        return function
    accelerator.install(**{function.__name__: function})
    twin: F = getattr(accelerator, function.__name__)
    return twin


def adopted(carrier_class: type[C]) -> type[C]:
    """A class of messages, or the native class that it derives from, with the methods that it adds.

    An object of a native class is made faster than one of a Python class derived from it.

    Args:
        carrier_class: A class that adds nothing but methods.
    """
    if accelerator is None:
        return carrier_class
    [native] = carrier_class.__bases__
    kept = native.__dict__.keys() - {"__doc__", "__new__"} | {"__slots__", "__qualname__"}
    for name, member in vars(carrier_class).items():
        if name not in kept:
            setattr(native, name, member)
    return native
