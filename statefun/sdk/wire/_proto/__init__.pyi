from google.protobuf import descriptor_pool, message

from statefun.sdk.wire._proto.kafka_egress_pb2 import KafkaProducerRecord as KafkaProducerRecord
from statefun.sdk.wire._proto.kinesis_egress_pb2 import KinesisEgressRecord as KinesisEgressRecord
from statefun.sdk.wire._proto.request_reply_pb2 import Address as Address
from statefun.sdk.wire._proto.request_reply_pb2 import FromFunction as FromFunction
from statefun.sdk.wire._proto.request_reply_pb2 import ToFunction as ToFunction
from statefun.sdk.wire._proto.request_reply_pb2 import TypedValue as TypedValue
from statefun.sdk.wire._proto.types_pb2 import BooleanWrapper as BooleanWrapper
from statefun.sdk.wire._proto.types_pb2 import DoubleWrapper as DoubleWrapper
from statefun.sdk.wire._proto.types_pb2 import FloatWrapper as FloatWrapper
from statefun.sdk.wire._proto.types_pb2 import IntWrapper as IntWrapper
from statefun.sdk.wire._proto.types_pb2 import LongWrapper as LongWrapper
from statefun.sdk.wire._proto.types_pb2 import StringWrapper as StringWrapper

POOL: descriptor_pool.DescriptorPool

class ToFunctionInPieces(message.Message):
    class InvocationBatchRequest(message.Message):
        target: Address
        state: list[bytes]
        invocations: list[bytes]

    invocation: InvocationBatchRequest
