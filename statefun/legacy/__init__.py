"""The module names of the old SDK, as thin modules over `statefun.sdk`.

They are found through the path of the package, so `statefun.core` is `statefun/legacy/core.py` and
the root stays clean. New code imports from `statefun`.
"""

from __future__ import annotations

import importlib
from typing import Any, NoReturn

__all__ = ["OLD_MODULES", "REPLACEMENTS", "attribute_of_root", "refuse"]

OLD_MODULES = frozenset(
    {
        "context",
        "core",
        "egress_io",
        "kafka_egress_pb2",
        "kinesis_egress_pb2",
        "messages",
        "request_reply_pb2",
        "request_reply_v3",
        "statefun_builder",
        "storage",
        "types_pb2",
        "utils",
        "wrapper_types",
    }
)
"""Submodules of version 3 that `import statefun` alone used to bring along."""

REPLACEMENTS = {
    "AnyStateHandle": "declare values with ValueSpec and use context.storage",
    "AsyncRequestReplyHandler": "use RequestReplyHandler and await handler.handle_async(body)",
    "BatchContext": "use Context",
    "Expiration": "pass expire_after_call or expire_after_write to ValueSpec",
    "FunctionInvocationException": "catch the exception that the function raises",
    "StateRegistrationError": "catch statefun.errors.InvalidSpecError",
    "deduce_protobuf_types": "read a message with message.as_type(make_protobuf_type(cls))",
    "kafka_egress_builder": "use kafka_egress_message",
    "kafka_egress_record": "use kafka_egress_message",
    "kinesis_egress_builder": "use kinesis_egress_message",
    "kinesis_egress_record": "use kinesis_egress_message",
}
"""Names of version 2 that version 3 does not have → what to do now."""

_REFUSED_IN_CORE = {
    "StatefulFunction": "from statefun.statefun_builder import StatefulFunction",
    "StatefulFunctions": "from statefun import StatefulFunctions",
}


def refuse(name: str, advice: str | None = None) -> NoReturn:
    """Raise the ImportError for a name of version 2."""
    raise ImportError(
        f"{name!r} is of version 2 of the Python SDK and was removed in version 3: "
        f"{advice or REPLACEMENTS[name]}. docs/compatibility.md has the whole list",
        name=name,
    )


def attribute_of_root(name: str) -> Any:
    """What `statefun.<name>` is, for a name that the package itself does not define.

    Raises:
        ImportError: For a name of version 2; it says what to use now.
        AttributeError: For any other name.
    """
    if name in OLD_MODULES:
        return importlib.import_module(f"statefun.{name}")
    if name in REPLACEMENTS:
        refuse(name)
    raise AttributeError(f"module 'statefun' has no attribute {name!r}")


def attribute_of_core(name: str) -> NoReturn:
    """Refuse `statefun.core.<name>`, with advice where the name is of version 2."""
    if name in _REFUSED_IN_CORE:
        refuse(name, _REFUSED_IN_CORE[name])
    if name in REPLACEMENTS:
        refuse(name)
    raise AttributeError(f"module 'statefun.core' has no attribute {name!r}")
