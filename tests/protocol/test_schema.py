"""The schema is the engine's, and what was generated from it is not older than it."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import descriptor_pb2

import statefun
from statefun.sdk.wire import _proto
from tests.protocol.engine_schema import ENUMS, EXTENSIONS, HEADER_FIELDS, ONEOFS, PACKAGES
from tests.protocol.engine_schema import MESSAGES as ENGINE_MESSAGES
from tests.protocol.proto_text import Schema, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "protos"
GENERATED = Path(statefun.__file__).parent / "sdk" / "wire" / "_proto"
MESSAGES = {name: fields | EXTENSIONS.get(name, {}) for name, fields in ENGINE_MESSAGES.items()}
SCHEMA = Schema(MESSAGES, ENUMS, ONEOFS)


def descriptor_set() -> descriptor_pb2.FileDescriptorSet:
    return descriptor_pb2.FileDescriptorSet.FromString((GENERATED / "schema.bin").read_bytes())


def described() -> Schema:
    """What `schema.bin` declares."""
    schema = Schema()
    for file in descriptor_set().file:
        for message in file.message_type:
            _describe(message, file.package, schema)
    return schema


def _describe(message: Any, scope: str, schema: Schema) -> None:
    name = f"{scope}.{message.name}"
    schema.messages[name] = {each.name: (each.number, _kind(each)) for each in message.field}
    for enum in message.enum_type:
        members = {each.name: each.number for each in enum.value}
        schema.enums[f"{name}.{enum.name}"] = members
    for index, oneof in enumerate(message.oneof_decl):
        inside = (each for each in message.field if each.HasField("oneof_index"))
        names = [each.name for each in inside if each.oneof_index == index]
        schema.oneofs.setdefault(name, {})[oneof.name] = names
    for nested in message.nested_type:
        _describe(nested, name, schema)


def _kind(field: Any) -> str:
    kinds = descriptor_pb2.FieldDescriptorProto
    name = field.type_name.removeprefix(".")
    name = name or kinds.Type.Name(field.type).removeprefix("TYPE_").lower()
    return f"repeated {name}" if field.label == kinds.LABEL_REPEATED else name


def stubbed(tree: Any, scope: str = "") -> Iterator[tuple[str, set[str]]]:
    """The message classes of a stub file with the names of their fields."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and "Message" in ast.unparse(node.bases[0]):
            annotated = {each.target.id for each in node.body if isinstance(each, ast.AnnAssign)}  # type: ignore[union-attr]
            yield scope + node.name, {name for name in annotated if name.islower()}
            yield from stubbed(node, f"{scope}{node.name}.")


def test_the_schemas_say_what_the_engines_say() -> None:
    """Packages, names, numbers and types of `protos/` are the engines', besides our extensions."""
    texts = {name: (SOURCES / name).read_text(encoding="utf-8") for name in PACKAGES}

    packages, schema = parse(texts)

    assert packages == PACKAGES
    assert schema == SCHEMA


def test_the_generated_schema_says_what_the_engines_say() -> None:
    """`schema.bin` is not older than `protos/`; this needs no compiler."""
    packages = {file.name: file.package for file in descriptor_set().file}

    assert packages == PACKAGES
    assert described() == SCHEMA


def test_the_generated_stubs_name_every_field() -> None:
    """The `.pyi` files are not older than `protos/` either."""
    fields: dict[str, set[str]] = {}
    for path in GENERATED.glob("*_pb2.pyi"):
        fields |= dict(stubbed(ast.parse(path.read_text(encoding="utf-8"))))

    expected = {name.split(".", maxsplit=4)[4]: set(message) for name, message in MESSAGES.items()}
    assert fields == expected


def test_the_message_classes_are_made_of_the_schema() -> None:
    """Each class that `_proto` names is of the schema's message with its name, in its own pool."""
    top_level = {name for name in MESSAGES if name.count(".") == 4}

    for full_name in top_level:
        message_class = getattr(_proto, full_name.rpartition(".")[2])
        described_by = message_class.DESCRIPTOR

        assert described_by is _proto.POOL.FindMessageTypeByName(full_name)
        assert {each.name: each.number for each in described_by.fields} == {
            name: number for name, (number, _) in MESSAGES[full_name].items()
        }


@pytest.mark.parametrize(("message", "field"), HEADER_FIELDS.items())
def test_headers_take_the_next_free_number(message: str, field: str) -> None:
    """What only some engines know stands behind everything that all of them know."""
    numbers = {name: number for name, (number, _) in MESSAGES[message].items()}

    assert numbers.pop(field) == max(numbers.values()) + 1


def test_extensions_stay_clear_of_the_numbers_that_engines_may_come_to_use() -> None:
    """An engine that does not know a field skips it."""
    numbers = [number for fields in EXTENSIONS.values() for number, _ in fields.values()]

    assert min(numbers) >= 1000


@pytest.mark.skipif(
    importlib.util.find_spec("grpc_tools") is None,
    reason="no protobuf compiler: pip install 'statefun[protos]'",
)
def test_regenerating_changes_nothing() -> None:
    """`make protos` would write what is there."""
    command = [sys.executable, str(ROOT / "tools" / "generate_protos.py"), "--check"]

    outcome = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (outcome.returncode, outcome.stderr) == (0, "")
