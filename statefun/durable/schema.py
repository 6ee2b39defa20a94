"""Schemas: the message classes of a room, made from the `schema.bin` beside them.

A private pool cannot collide with the messages of others, and a serialized descriptor set has no
generated code whose version protobuf would check. `make protos` writes `schema.bin`.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

__all__ = ["DecodeError", "message_classes"]


def message_classes(package: str) -> dict[str, Any]:
    """The message classes and the numbers of the enums of a package, by their names.

    Args:
        package: The package that holds `schema.bin`.
    """
    schema = resources.files(package).joinpath("schema.bin").read_bytes()
    pool = descriptor_pool.DescriptorPool()
    classes: dict[str, Any] = {}
    for file in descriptor_pb2.FileDescriptorSet.FromString(schema).file:
        pool.AddSerializedFile(file.SerializeToString())
        for described in file.message_type:
            found = pool.FindMessageTypeByName(f"{file.package}.{described.name}")
            classes[described.name] = message_factory.GetMessageClass(found)
        for enum in file.enum_type:
            classes |= {value.name: value.number for value in enum.value}
    return classes
