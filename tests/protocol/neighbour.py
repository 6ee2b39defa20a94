"""A program that shares its process with other users of protobuf; the tests run it as one.

    python -m tests.protocol.neighbour SCENARIO FIRST

`FIRST` says who is imported first, `statefun` or the `neighbour`. It prints `ok` when all went
well. What is then done with both of them stands in `sharing`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2, descriptor_pool

if TYPE_CHECKING:
    from collections.abc import Callable

HEADER_FIELDS = {"TypedValue": "metadata", "KafkaProducerRecord": "headers"}


def register(file: Any) -> None:
    """What importing somebody's generated code does: a file in the default pool."""
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())


def own_types_proto() -> None:
    """Another library's schema, in a file that has the name of one of ours."""
    file = descriptor_pb2.FileDescriptorProto(
        name="types.proto", package="com.example.paint", syntax="proto3"
    )
    colour = file.message_type.add(name="Colour")
    kinds = descriptor_pb2.FieldDescriptorProto
    colour.field.add(name="name", number=1, type=kinds.TYPE_STRING, label=kinds.LABEL_OPTIONAL)
    register(file)


def second_copy(*, with_headers: bool) -> None:
    """The schema of the protocol again: same files, same packages, perhaps of an older age."""
    spec = importlib.util.find_spec("statefun")
    assert spec is not None
    assert spec.origin is not None
    schema = Path(spec.origin).parent / "sdk" / "wire" / "_proto" / "schema.bin"
    for file in descriptor_pb2.FileDescriptorSet.FromString(schema.read_bytes()).file:
        for message in [] if with_headers else file.message_type:
            if message.name in HEADER_FIELDS:
                del message.field[-1]
                del message.nested_type[:]
        register(file)


NEIGHBOURS: dict[str, Callable[[], None]] = {
    "own-types-proto": own_types_proto,
    "second-copy": lambda: second_copy(with_headers=True),
    "older-copy": lambda: second_copy(with_headers=False),
    "nobody": lambda: None,
}


SCENARIOS = {
    "own-types-proto": ("own-types-proto", ["greet", "use_colours"]),
    "second-copy": ("second-copy", ["greet", "find_nested_classes", "mix_copies"]),
    "older-copy": ("older-copy", ["greet", "find_nested_classes", "mix_copies"]),
    "greeter": ("nobody", ["greet", "find_nested_classes"]),
    "malformed": ("nobody", ["survive_mutations"]),
}


def main() -> None:
    scenario, first = sys.argv[1:]
    neighbour, uses = SCENARIOS[scenario]
    if first == "statefun":
        importlib.import_module("statefun")
    assert ("statefun" in sys.modules) is (first == "statefun")
    NEIGHBOURS[neighbour]()
    sharing = importlib.import_module("tests.protocol.sharing")
    for use in uses:
        getattr(sharing, use)()
    sys.stdout.write("ok\n")


if __name__ == "__main__":
    main()
