"""What workflows send and keep, as message classes, made from `schema.bin` in a private pool.

Regenerate with `make protos`; what the messages mean stands in `protos/workflows.proto`.
"""

from importlib import resources

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError as DecodeError

POOL = descriptor_pool.DescriptorPool()
for _file in descriptor_pb2.FileDescriptorSet.FromString(
    resources.files(__name__).joinpath("schema.bin").read_bytes()
).file:
    POOL.AddSerializedFile(_file.SerializeToString())
    for _described in _file.message_type:
        globals()[_described.name] = message_factory.GetMessageClass(
            POOL.FindMessageTypeByName(f"{_file.package}.{_described.name}")
        )
    for _enum in _file.enum_type:
        globals().update({_value.name: _value.number for _value in _enum.value})
