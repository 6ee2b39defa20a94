from google.protobuf.message import DecodeError as DecodeError

from statefun.durable._proto.durable_pb2 import *
