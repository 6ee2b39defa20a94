"""The wire schema as message classes, made from `schema.bin` in a descriptor pool of our own.

A private pool cannot collide with anybody's `types.proto` nor with a second copy of this schema,
and a serialized descriptor set has no generated code whose version protobuf would check.
Regenerate with `make protos`.

Law: only the modules named in `tests/test_architecture.py` import this one.
"""

from importlib import resources

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

POOL = descriptor_pool.DescriptorPool()
for _file in descriptor_pb2.FileDescriptorSet.FromString(
    resources.files(__name__).joinpath("schema.bin").read_bytes()
).file:
    POOL.AddSerializedFile(_file.SerializeToString())


def _message_class(full_name):
    described = POOL.FindMessageTypeByName(full_name)
    message_class = message_factory.GetMessageClass(described)
    for nested in described.nested_types:  # where protobuf is not compiled, it leaves them out
        if not hasattr(message_class, nested.name):
            setattr(message_class, nested.name, _message_class(nested.full_name))
    return message_class


Address = _message_class("io.statefun.sdk.reqreply.Address")
TypedValue = _message_class("io.statefun.sdk.reqreply.TypedValue")
ToFunction = _message_class("io.statefun.sdk.reqreply.ToFunction")
FromFunction = _message_class("io.statefun.sdk.reqreply.FromFunction")
KafkaProducerRecord = _message_class("io.statefun.sdk.egress.KafkaProducerRecord")
KinesisEgressRecord = _message_class("io.statefun.sdk.egress.KinesisEgressRecord")
BooleanWrapper = _message_class("io.statefun.sdk.types.BooleanWrapper")
IntWrapper = _message_class("io.statefun.sdk.types.IntWrapper")
FloatWrapper = _message_class("io.statefun.sdk.types.FloatWrapper")
LongWrapper = _message_class("io.statefun.sdk.types.LongWrapper")
DoubleWrapper = _message_class("io.statefun.sdk.types.DoubleWrapper")
StringWrapper = _message_class("io.statefun.sdk.types.StringWrapper")
