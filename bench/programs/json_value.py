"""A value of 200 bytes of JSON, read and written."""

import json

from statefun import Context, Message, StatefulFunctions, ValueSpec, make_json_type

DOCUMENT = {
    "id": "order-1234567",
    "customer": {"name": "Ada Lovelace", "city": "London", "vip": True},
    "lines": [{"sku": "book", "amount": 2}, {"sku": "pen", "amount": 10}],
    "total": 149.5,
    "note": "please leave it at the door",
}
STORED = json.dumps(DOCUMENT, ensure_ascii=False).encode()
ORDER = make_json_type("bench/order")

functions = StatefulFunctions()


@functions.bind("bench/json", specs=[ValueSpec("order", ORDER)])
async def touch(context: Context, _: Message) -> None:
    """Read the value and write it."""
    context.storage.order = context.storage.order


def bare() -> None:
    """The codec alone."""
    json.dumps(json.loads(STORED), ensure_ascii=False).encode()
