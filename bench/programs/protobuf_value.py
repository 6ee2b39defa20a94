"""A value of 200 bytes of protobuf, read and written."""

from google.protobuf.struct_pb2 import Struct

from statefun import Context, Message, StatefulFunctions, ValueSpec, make_protobuf_type

DOCUMENT = Struct()
DOCUMENT.update(
    {"id": "order-1234567", "name": "Ada Lovelace", "city": "London", "vip": True, "total": 149.5}
)
DOCUMENT["note"] = "please leave it at the door, and ring the bell two times if you can"
STORED = DOCUMENT.SerializeToString()
ORDER = make_protobuf_type(Struct)

functions = StatefulFunctions()


@functions.bind("bench/protobuf", specs=[ValueSpec("order", ORDER)])
async def touch(context: Context, _: Message) -> None:
    """Read the value and write it."""
    context.storage.order = context.storage.order


def bare() -> None:
    """The codec alone."""
    order = Struct()
    order.ParseFromString(STORED)
    order.SerializeToString()
