from google.protobuf.message import DecodeError as DecodeError

from statefun.workflows._proto.workflows_pb2 import *
