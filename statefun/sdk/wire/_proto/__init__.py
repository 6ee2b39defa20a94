"""The wire schema as message classes, made from `schema.bin` in a descriptor pool of our own.

A private pool cannot collide with anybody's `types.proto` nor with a second copy of this schema,
and a serialized descriptor set has no generated code whose version protobuf would check.
Regenerate with `make protos`.

Law: only the modules named in `tests/test_architecture.py` import this one.
"""

from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

POOL = descriptor_pool.DescriptorPool()
_files = descriptor_pb2.FileDescriptorSet.FromString(
    Path(__file__).with_name("schema.bin").read_bytes()
).file
for _file in _files:
    POOL.AddSerializedFile(_file.SerializeToString())


def _message_class(full_name: str) -> Any:
    described = POOL.FindMessageTypeByName(full_name)
    message_class = message_factory.GetMessageClass(described)
    for nested in described.nested_types:  # where protobuf is not compiled, it leaves them out
        if not hasattr(message_class, nested.name):
            setattr(message_class, nested.name, _message_class(nested.full_name))
    return message_class


def _request_in_pieces() -> Any:
    """A second reading of a ToFunction, in which the repeated fields of the batch are bytes.

    On the wire a message is a field of bytes, so protobuf itself cuts a batch into its pieces,
    however they are encoded, and gives each as `bytes` where it would make an object. It does not
    look into them: whether they are well-formed only the first reading tells.
    """
    [schema] = [each for each in _files if each.package == "io.statefun.sdk.reqreply"]
    pieces = descriptor_pb2.FileDescriptorProto(
        name="pieces.proto", package="statefun.pieces", syntax="proto3", dependency=[schema.name]
    )
    [request] = [each for each in schema.message_type if each.name == "ToFunction"]
    [batch] = [each for each in request.nested_type if each.name == "InvocationBatchRequest"]
    for field in batch.field:
        if field.label == field.LABEL_REPEATED:
            field.type = field.TYPE_BYTES
            field.ClearField("type_name")
    request.field[0].type_name = f".{pieces.package}.{request.name}.{batch.name}"
    pieces.message_type.append(request)
    POOL.AddSerializedFile(pieces.SerializeToString())
    return _message_class(f"{pieces.package}.{request.name}")


Address = _message_class("io.statefun.sdk.reqreply.Address")
TypedValue = _message_class("io.statefun.sdk.reqreply.TypedValue")
ToFunction = _message_class("io.statefun.sdk.reqreply.ToFunction")
FromFunction = _message_class("io.statefun.sdk.reqreply.FromFunction")
ToFunctionInPieces = _request_in_pieces()
KafkaProducerRecord = _message_class("io.statefun.sdk.egress.KafkaProducerRecord")
KinesisEgressRecord = _message_class("io.statefun.sdk.egress.KinesisEgressRecord")
BooleanWrapper = _message_class("io.statefun.sdk.types.BooleanWrapper")
IntWrapper = _message_class("io.statefun.sdk.types.IntWrapper")
FloatWrapper = _message_class("io.statefun.sdk.types.FloatWrapper")
LongWrapper = _message_class("io.statefun.sdk.types.LongWrapper")
DoubleWrapper = _message_class("io.statefun.sdk.types.DoubleWrapper")
StringWrapper = _message_class("io.statefun.sdk.types.StringWrapper")
