"""A value of 200 bytes of protobuf, read and written."""

from google.protobuf.struct_pb2 import ListValue

from statefun import Context, Message, StatefulFunctions, ValueSpec, make_protobuf_type

DOCUMENT = ListValue()  # no map: the order in which one is written differs between processes
DOCUMENT.extend(["order-1234567", "Ada Lovelace", "London", True, 149.5, 10.0, 20.0, "book", "pen"])
DOCUMENT.append("please leave it at the door, and ring the bell two times if you can hear it")
STORED = DOCUMENT.SerializeToString()
ORDER = make_protobuf_type(ListValue)

functions = StatefulFunctions()


@functions.bind("bench/protobuf", specs=[ValueSpec("order", ORDER)])
async def touch(context: Context, _: Message) -> None:
    """Read the value and write it."""
    context.storage.order = context.storage.order


def bare() -> None:
    """The codec alone."""
    order = ListValue()
    order.ParseFromString(STORED)
    order.SerializeToString()
