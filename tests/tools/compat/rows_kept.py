"""The facts on which both SDKs agree."""

from tests.tools.compat.rows import NOTHING, kept

REPLIES = (
    kept(
        "empty-reply",
        "A batch that asks for nothing is answered with an empty result.",
        "outcome = call(lambda context, message: None)",
        outcome=NOTHING,
    ),
    kept(
        "order-of-effects",
        "Messages, delayed messages with cancellations, and egress messages keep their order.",
        """
def f(context, message):
    for i in (3, 1, 2):
        context.send(message_builder("ns/f", str(i), int_value=i))
        context.send_after(timedelta(seconds=i), message_builder("ns/f", "1", int_value=i), f"t{i}")
        context.cancel_delayed_message(f"t{i}")
        context.send_egress(kafka_egress_message("ns/e", f"topic-{i}", i))
reply = call(f, ("a/b", b""), ("a/b", b""))
outcome = [
    [m["target"]["id"] for m in reply["messages"]],
    [d["cancellation_token"] + "-" * d.get("is_cancellation_request", 0) for d in reply["delayed"]],
    [e["argument"]["value"]["topic"][-1] for e in reply["egresses"]],
]
""",
        outcome=[
            ["3", "1", "2", "3", "1", "2"],
            ["t3", "t3-", "t1", "t1-", "t2", "t2-"] * 2,
            ["3", "1", "2", "3", "1", "2"],
        ],
    ),
    kept(
        "one-mutation-a-name",
        "However often a value changes in a batch, the reply has one mutation for it, the last.",
        """
def f(context, message):
    context.storage.a = 1
    context.storage.a = 2
    context.storage.b = 1
    del context.storage.b
    del context.storage.c
    context.storage.c = 3
specs = [ValueSpec(name, IntType) for name in "abcd"]
mutations = call(f, specs=specs, state=[(name, None) for name in "abcd"])["mutations"]
outcome = {name: m.get("state_value", {}).get("value") for name, m in sorted(mutations.items())}
""",
        outcome={"a": "0d02000000", "b": None, "c": "0d03000000"},
    ),
    kept(
        "batch-shares-state",
        "A message of a batch sees what earlier messages of the batch wrote.",
        """
def f(context, message):
    context.storage.n = (context.storage.n or 0) + 1
reply = call(f, *[("a/b", b"")] * 5, specs=[ValueSpec("n", IntType)], state=[("n", None)])
outcome = reply["mutations"]["n"]["state_value"]["value"]
""",
        outcome="0d05000000",
    ),
    kept(
        "failed-batch-has-no-effects",
        "If one message of a batch fails, the handler raises and nothing of the batch is answered.",
        """
def f(context, message):
    context.send(message_builder("ns/f", "1", int_value=1))
    if message.is_int():
        raise RuntimeError
outcome = fails_with(Exception, lambda: call(f, ("a/b", b""), ("io.statefun.types/int", b"")))
""",
        outcome=True,
    ),
    kept(
        "missing-values",
        "If the request lacks declared values, no function runs and all missing ones are "
        "listed, with type and expiration.",
        """
def f(context, message):
    raise AssertionError
specs = [
    ValueSpec("a", IntType),
    ValueSpec("b", make_json_type("my/json"), expire_after_call=timedelta(seconds=1)),
    ValueSpec("c", StringType, expire_after_write=timedelta(days=1)),
    ValueSpec("d", IntType),
]
missing = call(f, specs=specs, state=[("d", None)])["missing"]
outcome = [[name, spec["type_typename"], spec["expiration_spec"]] for name, spec in missing.items()]
""",
        outcome=[
            ["a", "io.statefun.types/int", {}],
            ["b", "my/json", {"mode": 2, "expire_after_millis": 1000}],
            ["c", "io.statefun.types/string", {"mode": 1, "expire_after_millis": 86400000}],
        ],
    ),
    kept(
        "missing-by-name",
        "A value that is sent without content counts as sent, an undeclared one is ignored, and"
        " of two with one name the last counts.",
        """
state = [("a", None), ("b", ("x/y", b"1")), ("a", ("io.statefun.types/int", b""))]
outcome = observe(lambda c, m: c.storage.a, specs=[ValueSpec("a", IntType)], state=state)
""",
        outcome=[0],
    ),
    kept(
        "body-types",
        "A request is `bytes`, `bytearray` or `memoryview`; the reply is `bytes`.",
        """
functions = StatefulFunctions()
functions.register("ns/f", lambda context, message: None)
handler = RequestReplyHandler(functions)
body = request(("a/b", b""))
replies = [handler.handle_sync(kind(body)) for kind in (bytes, bytearray, memoryview)]
replies.append(asyncio.run(handler.handle_async(body)))
outcome = [[type(reply).__name__, wire.meaning(reply)] for reply in replies]
""",
        outcome=[["bytes", NOTHING]] * 4,
    ),
    kept(
        "unknown-fields-survive",
        "Unknown fields of an argument survive forwarding, and building a message around "
        "`message.typed_value`.",
        """
argument = wire.typed_value("a/b", b"x") + wire.field(1000, b"from the future")
body = wire.to_function(wire.address("ns", "f", "1"), [], [(None, argument)])
functions = StatefulFunctions()

@functions.bind("ns/f")
def f(context, message):
    context.send(message)
    context.send(Message("ns/other", "2", message.typed_value))
    context.send_egress(EgressMessage("ns/egress", message.typed_value))

reply = answer(functions, body)
outcome = [sent["argument"].get("?") for sent in reply["messages"] + reply["egresses"]]
""",
        outcome=[[[1000, 2, b"from the future".hex()]]] * 3,
    ),
)

MESSAGES = (
    kept(
        "message-attributes",
        "A message has its target, its typename, its bytes, and a protobuf object inside.",
        """
def look(context, message):
    typed = message.typed_value
    return [
        message.target_typename, message.target_id,
        message.value_typename(), message.raw_value().hex(),
        [typed.typename, typed.has_value, typed.value.hex()],
        wire.decode("TypedValue", typed.SerializeToString()),
    ]
outcome = observe(look, ("a/b", b"x"))
""",
        outcome=[
            [
                *("ns/f", "1", "a/b", "78", ["a/b", True, "78"]),
                {"typename": "a/b", "has_value": 1, "value": "78"},
            ]
        ],
    ),
    kept(
        "typed-value-is-shared",
        "Changing `typed_value` or the target of a message, even after it was sent, changes it.",
        """
def f(context, message):
    sent = message_builder("ns/f", "1", int_value=1)
    context.send(sent)
    sent.target_id = "2"
    sent.typed_value.value = b"changed"
[sent] = call(f)["messages"]
outcome = [sent["target"]["id"], bytes.fromhex(sent["argument"]["value"]).decode()]
""",
        outcome=["2", "changed"],
    ),
    kept(
        "valueless-message",
        "A message without a value gives `None` for every type and for `raw_value()`; a missing"
        " argument is such a message, with an empty typename.",
        """
def look(context, message):
    kinds = ("bool", "int", "long", "float", "double", "string")
    seen = [getattr(message, f"as_{kind}")() for kind in kinds]
    seen += [message.as_type(make_json_type("my/json")), message.raw_value()]
    return [message.value_typename(), *seen]
outcome = observe(look, ("a/b", None), None)
""",
        outcome=[["a/b", *[None] * 8], ["", *[None] * 8]],
    ),
    kept(
        "own-type-is-lenient",
        "`as_type` of a type of one's own never checks the typename.",
        """
JSON = make_json_type("my/json")
outcome = observe(lambda c, m: [m.is_type(JSON), m.as_type(JSON)], ("other/type", b"[1]"))
""",
        outcome=[[False, [1]]],
    ),
    kept(
        "built-in-encoding",
        "Built-in values are one-field protobuf messages in canonical form; zero, false and the"
        " empty string are present values of no bytes.",
        """
pairs = {
    "bool_value": [False, True], "int_value": [0, -1], "long_value": [0, 1],
    "float_value": [0.0, 1.5], "double_value": [0.0, 1.5], "str_value": ["", "größe"],
}
built = [message_builder("a/b", "1", **{k: v}) for k, values in pairs.items() for v in values]
outcome = [[m.value_typename().split("/")[1], m.raw_value().hex()] for m in built]
""",
        outcome=[
            *(["bool", ""], ["bool", "0801"], ["int", ""], ["int", "0dffffffff"]),
            *(["long", ""], ["long", "090100000000000000"]),
            *(["float", ""], ["float", "0d0000c03f"]),
            *(["double", ""], ["double", "09000000000000f83f"]),
            *(["string", ""], ["string", "0a07" + "größe".encode().hex()]),
        ],
    ),
    kept(
        "lenient-decoding",
        "Reading a built-in value accepts whatever protobuf accepts: unknown fields, repeats, "
        "longer encodings.",
        """
values = [
    ("io.statefun.types/bool", bytes.fromhex("088002")),
    ("io.statefun.types/int", bytes.fromhex("0d01000000" "0d02000000" "d03e01")),
    ("io.statefun.types/string", bytes.fromhex("0a8100" "61")),
]
outcome = [
    *observe(lambda c, m: m.as_bool(), values[0]),
    *observe(lambda c, m: m.as_int(), values[1]),
    *observe(lambda c, m: m.as_string(), values[2]),
]
""",
        outcome=[True, 2, "a"],
    ),
    kept(
        "builder-keywords",
        "`message_builder` takes one of six `*_value` keywords, or `value` with `value_type`; "
        "the type is never guessed from the value.",
        """
JSON = make_json_type("my/json")
built = [
    message_builder(target_typename="a/b", target_id="1", long_value=1),
    message_builder("a/b", "1", float_value=1),
    message_builder("a/b", "1", value=1, value_type=IntType),
    message_builder("a/b", "1", value_type=JSON, value=1),
]
outcome = [message.value_typename() for message in built]
""",
        outcome=[
            "io.statefun.types/long",
            "io.statefun.types/float",
            "io.statefun.types/int",
            "my/json",
        ],
    ),
    kept(
        "no-null-messages",
        "`None` is no value: `ValueError`. Two values or none: `TypeError`. A keyword nobody "
        "knows: `ValueError`.",
        """
outcome = [
    fails_with(ValueError, lambda: message_builder("a/b", "1", int_value=None)),
    fails_with(ValueError, lambda: message_builder("a/b", "1", value=None, value_type=IntType)),
    fails_with(ValueError, lambda: egress_message_builder("a/b", None, IntType)),
    fails_with(TypeError, lambda: message_builder("a/b", "1")),
    fails_with(TypeError, lambda: message_builder("a/b", "1", int_value=1, long_value=1, value=1)),
    fails_with(ValueError, lambda: message_builder("a/b", "1", number=1)),
    fails_with(ValueError, lambda: message_builder("a/b", "1", value=1, value_type=None)),
]
""",
        outcome=[True] * 7,
    ),
    kept(
        "message-needs-target",
        "A message without a target typename, a target id or a value is a `ValueError`, and so "
        "is an egress message without a typename.",
        """
typed = message_builder("a/b", "1", int_value=1).typed_value
outcome = [
    fails_with(ValueError, lambda: message_builder("", "1", int_value=1)),
    fails_with(ValueError, lambda: message_builder(None, "1", int_value=1)),
    fails_with(ValueError, lambda: message_builder("a/b", "", int_value=1)),
    fails_with(ValueError, lambda: message_builder("a/b", None, int_value=1)),
    fails_with(ValueError, lambda: Message("a/b", "1", None)),
    fails_with(ValueError, lambda: EgressMessage("", typed)),
    fails_with(ValueError, lambda: EgressMessage("a/b", None)),
    fails_with(ValueError, lambda: egress_message_builder("", 1, IntType)),
]
""",
        outcome=[True] * 8,
    ),
    kept(
        "typename-split",
        "A typename is split at its last `/`: `a/b/c` has the namespace `a/b` and the name `c`.",
        """
def f(context, message):
    context.send(message_builder("a/b/c", "1", int_value=1))
    context.send_egress(egress_message_builder("d/e/f", 1, IntType))
reply = call(f, typename="x/y/z", target=("x/y", "z", "1"))
[sent], [egress] = reply["messages"], reply["egresses"]
outcome = [sent["target"], egress["egress_namespace"], egress["egress_type"]]
""",
        outcome=[{"namespace": "a/b", "type": "c", "id": "1"}, "d/e", "f"],
    ),
    kept(
        "text-takes-utf-8-bytes",
        "`StringType` and the key of a Kafka record take `str` and valid UTF-8 `bytes`; a "
        "`bytearray` is a `TypeError`; invalid UTF-8 and lone surrogates are `ValueError`s.",
        """
def string(value):
    return message_builder("a/b", "1", str_value=value).as_string()

def key(value):
    record = kafka_egress_message("a/b", "topic", "", key=value)
    return wire.decode("KafkaProducerRecord", record.raw_value())["key"]

outcome = [
    [way("größe"), way("größe".encode()), fails_with(TypeError, lambda: way(bytearray(b"x"))),
     fails_with(ValueError, lambda: way(b"\\xff")), fails_with(ValueError, lambda: way("\\ud800"))]
    for way in (string, key)
]
""",
        outcome=[["größe", "größe", True, True, True]] * 2,
    ),
    kept(
        "float-takes-anything-floating",
        "Float and double take anything with `__float__` (`Decimal`, `Fraction`, integers too),"
        " and no text.",
        """
from decimal import Decimal
from fractions import Fraction
class Ours:
    def __float__(self):
        return 2.5
def read(value):
    return message_builder("a/b", "1", double_value=value).as_double()
outcome = [
    [read(value) for value in (Decimal("1.5"), Fraction(1, 4), 3, True, Ours())],
    fails_with(TypeError, lambda: read("1.5")),
]
""",
        outcome=[[1.5, 0.25, 3.0, 1.0, 2.5], True],
    ),
    kept(
        "float-overflows-to-infinity",
        "`float_value` rounds to single precision, and to infinity beyond its range.",
        """
outcome = [
    repr(message_builder("a/b", "1", float_value=value).as_float())
    for value in (0.1, 1e300, -1e300, 1e-300, float("nan"))
]
""",
        outcome=["0.10000000149011612", "inf", "-inf", "0.0", "nan"],
    ),
    kept(
        "integer-takes-anything-indexing",
        "Int and long take anything with `__index__`, and neither floats nor text.",
        """
class Ours:
    def __index__(self):
        return 7
def read(value):
    return message_builder("a/b", "1", int_value=value).as_int()
outcome = [read(Ours()), *(fails_with(TypeError, lambda: read(value)) for value in (1.0, "1"))]
""",
        outcome=[7, True, True],
    ),
    kept(
        "integer-range",
        "An integer that does not fit 32 bits (int) or 64 bits (long) is a `ValueError`.",
        """
outcome = [
    [message_builder("a/b", "1", **{keyword: n}).as_type(kind) for n in (-(2**bits), 2**bits - 1)]
    + [fails_with(ValueError, lambda: message_builder("a/b", "1", **{keyword: n}))
       for n in (-(2**bits) - 1, 2**bits)]
    for keyword, kind, bits in (("int_value", IntType, 31), ("long_value", LongType, 63))
]
""",
        outcome=[[-(2**31), 2**31 - 1, True, True], [-(2**63), 2**63 - 1, True, True]],
    ),
    kept(
        "json-type",
        "`make_json_type` writes UTF-8 without escapes.",
        """
JSON = make_json_type("my/json")
message = message_builder("a/b", "1", value={"größe": [1, None]}, value_type=JSON)
outcome = [message.raw_value().decode(), message.as_type(JSON)]
""",
        outcome=['{"größe": [1, null]}', {"größe": [1, None]}],
    ),
    kept(
        "protobuf-type",
        "`make_protobuf_type` names the type after the message, under `type.googleapis.com` "
        "unless told otherwise.",
        """
from google.protobuf.wrappers_pb2 import StringValue
kinds = [make_protobuf_type(StringValue), make_protobuf_type(StringValue, namespace="my")]
value = StringValue(value="x")
built = [message_builder("a/b", "1", value=value, value_type=kind) for kind in kinds]
outcome = [
    [message.value_typename(), message.raw_value().hex(), message.as_type(kind).value]
    for message, kind in zip(built, kinds)
] + [fails_with(ValueError, lambda: make_protobuf_type(None))]
""",
        outcome=[
            ["type.googleapis.com/google.protobuf.StringValue", "0a0178", "x"],
            ["my/google.protobuf.StringValue", "0a0178", "x"],
            True,
        ],
    ),
    kept(
        "own-types",
        "A type can be made of two functions, or by subclassing `Type` and `TypeSerializer`; a "
        "type without a typename or a function is a `ValueError`.",
        """
class Upper(TypeSerializer):
    def serialize(self, value):
        return value.upper().encode()
    def deserialize(self, byte):
        return byte.decode() + "!"
class UpperType(Type):
    def __init__(self):
        super().__init__("my/upper")
    def serializer(self):
        return Upper()
simple = simple_type(typename="my/simple", serialize_fn=str.encode, deserialize_fn=bytes.decode)
built = [message_builder("a/b", "1", value="x", value_type=kind) for kind in (UpperType(), simple)]
outcome = [
    [built[0].raw_value().decode(), built[0].as_type(UpperType()), built[1].as_type(simple)],
    [kind.typename for kind in (UpperType(), simple, IntType)],
    fails_with(ValueError, lambda: simple_type("", str.encode, bytes.decode)),
    fails_with(ValueError, lambda: simple_type("a/b", None, bytes.decode)),
    fails_with(ValueError, lambda: simple_type("a/b", str.encode)),
    IntType.serializer().deserialize(IntType.serializer().serialize(5)),
]
""",
        outcome=[
            ["X", "X!", "x"],
            ["my/upper", "my/simple", "io.statefun.types/int"],
            True,
            True,
            True,
            5,
        ],
    ),
    kept(
        "serializer-errors",
        "What a serializer of one's own raises reaches the function as it is.",
        """
class Odd(Exception):
    pass
def odd(_):
    raise Odd
TYPE = simple_type("my/odd", odd, odd)
def f(context, message):
    storage = context.storage
    return [
        fails_with(Odd, lambda: message_builder("a/b", "1", value=1, value_type=TYPE)),
        fails_with(Odd, lambda: message.as_type(TYPE)),
        fails_with(Odd, lambda: setattr(storage, "odd", 1)),
        fails_with(Odd, lambda: storage.odd),
        fails_with(Odd, lambda: kafka_egress_message("a/b", "t", 1, TYPE)),
    ]
value = ("my/odd", b"")
outcome = observe(f, value, specs=[ValueSpec("odd", TYPE)], state=[("odd", value)])
""",
        outcome=[[True] * 5],
    ),
)

EGRESS = (
    kept(
        "kafka-values",
        "A Kafka record's value is text as UTF-8, bytes as they are, an integer as 4 bytes and "
        "a float as 8 bytes, big-endian; or what `value_type` makes of it.",
        """
def record(value, value_type=None, key=None):
    message = kafka_egress_message("my/egress", "t", value, value_type=value_type, key=key)
    return wire.decode("KafkaProducerRecord", message.raw_value()).get("value_bytes")
outcome = [
    *map(record, ("größe", b"x", bytearray(b"x"), 258, -1, True, 1.0)), record(258, IntType),
    fails_with(TypeError, lambda: record([1])),
    fails_with(TypeError, lambda: record(memoryview(b""))),
]
""",
        outcome=[
            *("größe".encode().hex(), "78", "78", "00000102", "ffffffff", "00000001"),
            *("3ff0000000000000", "0d02010000", True, True),
        ],
    ),
    kept(
        "kafka-record",
        "A Kafka record carries topic, key and value; without a key, or with an empty one, it "
        "has none. Without a topic or a value: `ValueError`.",
        """
def record(**parts):
    message = kafka_egress_message("my/egress", **{"topic": "t", "value": "v", **parts})
    return [message.typename, message.value_typename(),
            wire.decode("KafkaProducerRecord", message.raw_value())]
outcome = [
    record(key="k"), record()[2], record(key="")[2],
    fails_with(ValueError, lambda: record(topic="")),
    fails_with(ValueError, lambda: record(value=None)),
]
""",
        outcome=[
            [
                "my/egress",
                "type.googleapis.com/io.statefun.sdk.egress.KafkaProducerRecord",
                {"key": "k", "value_bytes": "76", "topic": "t"},
            ],
            {"value_bytes": "76", "topic": "t"},
            {"value_bytes": "76", "topic": "t"},
            True,
            True,
        ],
    ),
    kept(
        "kinesis-record",
        "A Kinesis record carries stream, partition key, value and explicit hash key; numbers "
        "need a `value_type`.",
        """
def record(**parts):
    parts = {"stream": "s", "value": "v", "partition_key": "k", **parts}
    message = kinesis_egress_message("my/egress", **parts)
    return [message.value_typename(), wire.decode("KinesisEgressRecord", message.raw_value())]
outcome = [
    record(),
    record(explicit_hash_key="1", value=5, value_type=IntType)[1],
    record(partition_key="")[1],
    fails_with(ValueError, lambda: record(stream="")),
    fails_with(ValueError, lambda: record(value=None)),
    fails_with(ValueError, lambda: record(partition_key=None)),
    fails_with(TypeError, lambda: record(value=5)),
]
""",
        outcome=[
            [
                "type.googleapis.com/io.statefun.sdk.egress.KinesisEgressRecord",
                {"partition_key": "k", "value_bytes": "76", "stream": "s"},
            ],
            {
                "partition_key": "k",
                "value_bytes": "0d05000000",
                "stream": "s",
                "explicit_hash_key": "1",
            },
            {"value_bytes": "76", "stream": "s"},
            *[True] * 4,
        ],
    ),
    kept(
        "generic-egress",
        "`egress_message_builder` needs the type of its value.",
        """
message = egress_message_builder(target_typename="my/egress", value=5, value_type=IntType)
outcome = [
    [message.typename, message.value_typename(), message.raw_value().hex()],
    fails_with(TypeError, lambda: egress_message_builder("my/egress", 5)),
]
""",
        outcome=[["my/egress", "io.statefun.types/int", "0d05000000"], True],
    ),
)

STATE = (
    kept(
        "state-by-attribute",
        "`ctx.storage.name` reads, assignment writes, `del` deletes; what is not there is `None`.",
        """
def f(context, message):
    seen.append([context.storage.a, context.storage.b])
    context.storage.a = 5
    seen.append(context.storage.a)
    del context.storage.a
    seen.append(context.storage.a)
seen = []
specs = [ValueSpec("a", IntType), ValueSpec("b", StringType)]
call(f, specs=specs, state=[("a", None), ("b", ("io.statefun.types/string", b""))])
outcome = seen
""",
        outcome=[[None, ""], 5, None],
    ),
    kept(
        "read-back-normalised",
        "What was assigned reads back as what a later batch would read.",
        """
def f(context, message):
    context.storage.i, context.storage.x, context.storage.s = True + 1, 0.1, b"bytes"
    context.storage.d, context.storage.j = 1, (1, 2)
    return [repr(getattr(context.storage, name)) for name in "ixsdj"]
kinds = {"i": IntType, "x": FloatType, "s": StringType, "d": DoubleType}
kinds["j"] = make_json_type("my/json")
specs = [ValueSpec(name, kind) for name, kind in kinds.items()]
outcome = observe(f, specs=specs, state=[(name, None) for name in kinds])
""",
        outcome=[["2", "0.10000000149011612", "'bytes'", "1.0", "[1, 2]"]],
    ),
    kept(
        "none-is-no-state",
        'Assigning `None` is a `ValueError` that says "use del".',
        """
def f(context, message):
    try:
        context.storage.a = None
    except ValueError as error:
        return "del" in str(error)
outcome = observe(f, specs=[ValueSpec("a", IntType)], state=[("a", None)])
""",
        outcome=[True],
    ),
    kept(
        "unregistered-value",
        "Reading, writing or deleting a value that is not declared is an `AttributeError`.",
        """
def f(context, message):
    storage = context.storage
    return [
        fails_with(AttributeError, lambda: storage.nope),
        fails_with(AttributeError, lambda: setattr(storage, "nope", 1)),
        fails_with(AttributeError, lambda: delattr(storage, "nope")),
        getattr(storage, "nope", "default"), hasattr(storage, "nope"),
    ]
outcome = observe(f) + observe(f, specs=[ValueSpec("a", IntType)], state=[("a", None)])
""",
        outcome=[[True, True, True, "default", False]] * 2,
    ),
    kept(
        "wrong-type-when-read",
        "A stored value of another type is a `TypeError`, but only when it is read; it can be "
        "overwritten and deleted.",
        """
def f(context, message):
    failed = fails_with(TypeError, lambda: context.storage.a)
    context.storage.b = 1
    del context.storage.c
    return [failed, context.storage.b, context.storage.c]
text = ("io.statefun.types/string", b"")
specs = [ValueSpec(name, IntType) for name in "abc"]
outcome = observe(f, specs=specs, state=[(name, text) for name in "abc"])
""",
        outcome=[[True, 1, None]],
    ),
    kept(
        "fresh-object-a-read",
        "Every read gives a fresh object; changing it changes nothing.",
        """
def f(context, message):
    context.storage.a["changed"] = True
    return [context.storage.a, context.storage.a is context.storage.a]
state = [("a", ("my/json", b"{}"))]
outcome = observe(f, specs=[ValueSpec("a", make_json_type("my/json"))], state=state)
""",
        outcome=[[{}, False]],
    ),
    kept(
        "serialized-when-assigned",
        "A value is serialized when it is assigned; later changes to the object are not stored.",
        """
def f(context, message):
    value = {"a": 1}
    context.storage.a = value
    value["b"] = 2
    return context.storage.a
specs = [ValueSpec("a", make_json_type("my/json"))]
outcome = observe(f, specs=specs, state=[("a", None)])
""",
        outcome=[{"a": 1}],
    ),
    kept(
        "storage-has-no-names",
        "Value names such as `get`, `keys`, `items` and `_values` are free: the storage has no "
        "public attributes of its own.",
        """
names = ["get", "keys", "items", "values", "_values", "update", "pop", "specs", "größe"]
def f(context, message):
    for name in names:
        setattr(context.storage, name, 1)
    return [[getattr(context.storage, name) for name in names],
            sorted(name for name in dir(context.storage) if not name.startswith("_"))]
specs = [ValueSpec(name, IntType) for name in names]
outcome = observe(f, specs=specs, state=[(name, None) for name in names])
""",
        outcome=[[[1] * 9, ["get", "größe", "items", "keys", "pop", "specs", "update", "values"]]],
    ),
    kept(
        "spec-names",
        "A value's name is a lower-case identifier and no keyword, else `ValueError`; its type "
        "is a `Type`, else `TypeError`.",
        """
bad = ["", None, "Upper", "camelCase", "with space", "a-b", "1a", "class", "_"]
outcome = [
    [fails_with(ValueError, lambda: ValueSpec(name, IntType)) for name in bad],
    fails_with(ValueError, lambda: ValueSpec("a", None)),
    fails_with(TypeError, lambda: ValueSpec("a", int)),
    [ValueSpec(name, IntType).name for name in ("a", "_a", "a1", "größe", "match")],
]
""",
        outcome=[[True] * 9, True, True, ["a", "_a", "a1", "größe", "match"]],
    ),
    kept(
        "spec-attributes",
        "A spec has `name`, `type`, `duration` in milliseconds, `after_call` and `after_write`;"
        " both expirations at once are a `ValueError`.",
        """
second = timedelta(seconds=1)
specs = [
    ValueSpec(name="a", type=IntType),
    ValueSpec("b", IntType, expire_after_call=second),
    ValueSpec("c", IntType, expire_after_write=second),
    ValueSpec("d", IntType, second),
]
outcome = [[s.name, s.type is IntType, s.duration, s.after_call, s.after_write] for s in specs] + [
    fails_with(ValueError, lambda: ValueSpec("e", IntType, second, second))
]
""",
        outcome=[
            ["a", True, 0, False, False],
            ["b", True, 1000, True, False],
            ["c", True, 1000, False, True],
            ["d", True, 1000, True, False],
            True,
        ],
    ),
    kept(
        "duplicate-value-name",
        "Two values of one name in one function are a `ValueError`.",
        """
specs = [ValueSpec("a", IntType), ValueSpec("a", StringType)]
register = StatefulFunctions().register
outcome = fails_with(ValueError, lambda: register("a/b", lambda c, m: None, specs))
""",
        outcome=True,
    ),
)

CONTEXT = (
    kept(
        "address-and-caller",
        "`ctx.address` and `ctx.caller` are `SdkAddress`es with four fields.",
        """
def look(context, message):
    return [[a.namespace, a.name, a.id, a.typename] for a in (context.address, context.caller)]
outcome = observe(look, ("a/b", b""), target=("ns/deep", "f", "größe"), typename="ns/deep/f",
                  callers=[("x", "y", "")])
""",
        outcome=[[["ns/deep", "f", "größe", "ns/deep/f"], ["x", "y", "", "x/y"]]],
    ),
    kept(
        "no-caller",
        "A message from an ingress has no caller (`None`), and an address with nothing in it is"
        " none.",
        """
outcome = observe(lambda c, m: c.caller is None, ("a/b", b""), ("a/b", b""), ("a/b", b""),
                  callers=[None, ("", "", ""), ("x", "y", "z")])
""",
        outcome=[True, True, False],
    ),
    kept(
        "sdk-address",
        "`SdkAddress` is a frozen dataclass: made by keyword, compared by value, hashable.",
        """
a, b = (SdkAddress(namespace="ns", name="f", id="1", typename="ns/f") for _ in range(2))
outcome = [a == b, len({a, b}), repr(a), fails_with(AttributeError, lambda: setattr(a, "id", "2"))]
""",
        outcome=[True, 1, "SdkAddress(namespace='ns', name='f', id='1', typename='ns/f')", True],
    ),
    kept(
        "context-is-a-class",
        "`Context` can be subclassed for tests of one's own: three abstract properties, four "
        "methods.",
        """
class Fake(Context):
    address = storage = caller = None
    def __init__(self):
        self.sent = []
    def send(self, message):
        self.sent.append(message)
fake = Fake()
fake.send(message_builder("a/b", "1", int_value=1))
outcome = [
    len(fake.sent), fails_with(TypeError, Context), sorted(Context.__abstractmethods__),
    observe(lambda context, message: isinstance(context, Context)),
]
""",
        outcome=[1, True, ["address", "caller", "storage"], [True]],
    ),
    kept(
        "delayed-messages",
        "`send_after` takes a `timedelta` (zero too), a message and a token; no token, `None` "
        'and `""` are the same.',
        """
def f(context, message):
    sent = message_builder("ns/f", "1", int_value=1)
    context.send_after(timedelta(0), sent)
    context.send_after(timedelta(days=1, microseconds=1999), sent, None)
    context.send_after(duration=timedelta(hours=1), message=sent, cancellation_token="t")
    context.cancel_delayed_message(cancellation_token="t")
outcome = [
    [d.get("delay_in_ms", 0), d.get("cancellation_token", ""), d.get("is_cancellation_request", 0),
     "target" in d, "argument" in d]
    for d in call(f)["delayed"]
]
""",
        outcome=[
            [0, "", 0, True, True],
            [86400001, "", 0, True, True],
            [3600000, "t", 0, True, True],
            [0, "t", 1, False, False],
        ],
    ),
    kept(
        "sent-twice",
        "One message object may be sent any number of times.",
        """
def f(context, message):
    sent = message_builder("ns/f", "1", int_value=1)
    context.send(sent)
    context.send(sent)
    context.send(message)
outcome = len(call(f)["messages"])
""",
        outcome=3,
    ),
)

FUNCTIONS = (
    kept(
        "bind-and-register",
        "`bind` returns the function itself; `register` takes typename, function and specs.",
        """
functions = StatefulFunctions()
def f(context, message):
    context.storage.a = 1
specs = [ValueSpec("a", IntType)]
same = functions.bind("ns/f", specs=specs)(f) is f
functions.register(typename="ns/g", fun=f, specs=specs)
functions.bind(typename="ns/h")(lambda context, message: None)
handler = RequestReplyHandler(functions=functions)
body = request(("a/b", b""), target=("ns", "g", "1"), state=[("a", None)])
outcome = [same, len(answer(functions, body)["mutations"])]
""",
        outcome=[True, 1],
    ),
    kept(
        "registration-errors",
        "Registering no function, under no typename, or one that does not take a context and a "
        "message is a `ValueError`; so is a handler without functions.",
        """
register = StatefulFunctions().register
outcome = [
    fails_with(ValueError, lambda: register("a/b", None)),
    fails_with(ValueError, lambda: register("", lambda context, message: None)),
    fails_with(ValueError, lambda: register(None, lambda context, message: None)),
    fails_with(ValueError, lambda: register("a/b", lambda: None)),
    fails_with(ValueError, lambda: register("a/b", lambda context: None)),
    fails_with(ValueError, lambda: register("a/b", lambda context, message, more: None)),
    fails_with(ValueError, lambda: RequestReplyHandler(None)),
]
""",
        outcome=[True] * 7,
    ),
    kept(
        "registered-later",
        "A handler finds functions that are registered after it was made.",
        """
functions = StatefulFunctions()
handler = RequestReplyHandler(functions)
functions.register("ns/f", lambda context, message: None)
outcome = wire.meaning(handler.handle_sync(request(("a/b", b""))))
""",
        outcome=NOTHING,
    ),
    kept(
        "async-functions",
        "Async functions are awaited, one message after another; a `functools.partial` of one "
        "counts as async.",
        """
from functools import partial
seen = []
async def f(prefix, context, message):
    seen.append(prefix + "starts")
    await asyncio.sleep(0)
    seen.append(prefix + "ends")
call(partial(f, "it "), ("a/b", b""), ("a/b", b""))
outcome = seen
""",
        outcome=["it starts", "it ends"] * 2,
    ),
    kept(
        "runs-on-the-loop",
        "A function runs in the thread and on the event loop of `handle_async`, with its "
        "context variables.",
        """
import contextvars, threading
variable = contextvars.ContextVar("variable")
functions = StatefulFunctions()
@functions.bind("ns/f")
def f(context, message):
    seen.append([threading.get_ident(), id(asyncio.get_running_loop()), variable.get()])
seen = []
async def main():
    variable.set("here")
    await RequestReplyHandler(functions).handle_async(request(("a/b", b"")))
    return [threading.get_ident(), id(asyncio.get_running_loop()), "here"]
outcome = asyncio.run(main()) == seen[0]
""",
        outcome=True,
    ),
    kept(
        "user-exception",
        "The exception of a function comes out of the handler as the very object that was "
        "raised, whatever its class.",
        """
class Mine(Exception):
    pass
outcome = []
for raised in (Mine("text"), ValueError("text"), SystemExit(3)):
    def f(context, message):
        raise raised
    try:
        call(f)
    except BaseException as error:
        outcome.append(error is raised)
""",
        outcome=[True] * 3,
    ),
    kept(
        "cancellation-passes",
        "A `KeyboardInterrupt`, and the cancellation of the task that handles the request, come "
        "out as they are.",
        """
outcome = []
async def cancelled(context, message):
    asyncio.current_task().cancel()
    await asyncio.sleep(9)
def interrupted(context, message):
    raise KeyboardInterrupt
for f, kind in ((cancelled, asyncio.CancelledError), (interrupted, KeyboardInterrupt)):
    try:
        call(f)
    except BaseException as error:
        outcome.append(type(error) is kind)
""",
        outcome=[True] * 2,
    ),
)

IMPORTS = (
    kept(
        "names-of-statefun",
        "All 22 names are in `statefun`, and `from statefun import *` brings them.",
        """
import statefun
names = '''BoolType IntType FloatType DoubleType LongType StringType Context EgressMessage Message
RequestReplyHandler SdkAddress StatefulFunctions Type TypeSerializer ValueSpec
egress_message_builder kafka_egress_message kinesis_egress_message make_json_type
make_protobuf_type message_builder simple_type'''.split()
lacking = [name for name in names if name not in globals() or not hasattr(statefun, name)]
outcome = [len(names), lacking]
""",
        outcome=[22, []],
    ),
    kept(
        "old-modules",
        "The old import paths go on working.",
        """
import importlib
paths = '''
statefun.context Context
statefun.core Type TypeSerializer simple_type ValueSpec SdkAddress parse_typename
statefun.egress_io kafka_egress_message kinesis_egress_message
statefun.kafka_egress_pb2 KafkaProducerRecord
statefun.kinesis_egress_pb2 KinesisEgressRecord
statefun.messages Message EgressMessage message_builder egress_message_builder
statefun.request_reply_pb2 ToFunction FromFunction Address TypedValue
statefun.request_reply_v3 RequestReplyHandler
statefun.statefun_builder StatefulFunctions StatefulFunction
statefun.storage
statefun.types_pb2 BooleanWrapper IntWrapper FloatWrapper LongWrapper DoubleWrapper StringWrapper
statefun.utils to_typed_value from_typed_value make_json_type make_protobuf_type
statefun.wrapper_types PY_TYPE_TO_WRAPPER_TYPE WRAPPER_TYPE_TO_PY_TYPE ProtobufWrappingType
statefun.wrapper_types BoolType IntType FloatType DoubleType LongType StringType
'''
outcome = []
for module, *names in map(str.split, paths.strip().splitlines()):
    loaded = importlib.import_module(module)
    outcome += [f"{module}.{name}" for name in names if not hasattr(loaded, name)]
""",
        outcome=[],
    ),
    kept(
        "submodules-without-import",
        "`import statefun` alone makes `statefun.utils` and the other submodules reachable.",
        """
import subprocess, sys
code = '''
import statefun
value = statefun.utils.to_typed_value(statefun.wrapper_types.IntType, 5)
print(statefun.context.Context is statefun.Context, value.typename, value.value.hex())
print(statefun.request_reply_pb2.TypedValue.DESCRIPTOR.full_name)
'''
run = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
outcome = run.stdout.split("\\n")[:2] if not run.returncode else run.stderr
""",
        outcome=[
            "True io.statefun.types/int 0d05000000",
            "io.statefun.sdk.reqreply.TypedValue",
        ],
    ),
    kept(
        "old-helpers",
        "`statefun.utils`, `.core` and `.wrapper_types` do what they did.",
        """
from statefun.core import parse_typename
from statefun.utils import from_typed_value, to_typed_value
from statefun.wrapper_types import *
from statefun.wrapper_types import PY_TYPE_TO_WRAPPER_TYPE, WRAPPER_TYPE_TO_PY_TYPE
mine = ProtobufWrappingType("my/int", IntWrapper)
none, five = to_typed_value(IntType, None), to_typed_value(IntType, 5)
outcome = [
    *(from_typed_value(IntType, value) for value in (five, none, None)),
    fails_with(TypeError, lambda: from_typed_value(StringType, five)),
    [none.typename, none.has_value],
    parse_typename("a/b/c"), fails_with(ValueError, lambda: parse_typename("a")),
    {kind.__name__: PY_TYPE_TO_WRAPPER_TYPE[kind].typename for kind in (int, bool, float, str)},
    {kind.typename: WRAPPER_TYPE_TO_PY_TYPE[kind].__name__ for kind in (IntType, StringType)},
    message_builder("a/b", "1", value=5, value_type=mine).as_type(mine),
    [isinstance(kind, ProtobufWrappingType) for kind in (mine, IntType, make_json_type("my/json"))],
]
""",
        outcome=[
            *(5, None, None, True, ["io.statefun.types/int", False], ["a/b", "c"], True),
            {
                "int": "io.statefun.types/int",
                "bool": "io.statefun.types/bool",
                "float": "io.statefun.types/float",
                "str": "io.statefun.types/string",
            },
            {"io.statefun.types/int": "int", "io.statefun.types/string": "str"},
            *(5, [True, True, False]),
        ],
    ),
    kept(
        "old-unit-tests",
        "The storage and the context that unit tests of functions were given go on working.",
        """
from statefun.request_reply_v3 import UserFacingContext, collect_failure, collect_success
from statefun.storage import *
class Received:
    def __init__(self, name, tpe, value):
        self.state_name, self.state_value = name, to_typed_value(tpe, value)
spec = make_address_storage_spec(
    [ValueSpec("a", IntType), ValueSpec("b", StringType, expire_after_call=timedelta(seconds=1))]
)
lacking = resolve(spec, "e/f", [Received("a", IntType, 1)])
found = resolve(spec, "e/f", [Received("a", IntType, 1), Received("b", StringType, "x")])
found.storage.a += 1
del found.storage.b
context = UserFacingContext(SdkAddress("e", "f", "1", "e/f"), found.storage)
context.send(message_builder("e/g", "2", str_value="hi"))
context.send_after(timedelta(seconds=2), message_builder("e/g", "2", int_value=1), "token")
context.cancel_delayed_message("token")
context.send_egress(kafka_egress_message(typename="e/k", topic="t", value="v"))
functions = StatefulFunctions()
functions.register("e/f", lambda context, message: None, [ValueSpec("a", IntType)])
outcome = [
    collect_failure(lacking.missing_specs).SerializeToString().hex(),
    collect_success(context).SerializeToString().hex(),
    [found.storage.a, found.storage.b, found.storage._cells["a"].dirty],
    [each.name for each in functions.for_typename("e/f").storage_spec.specs],
    type(functions.for_typename("e/f").storage_spec.specs) is list,
]
""",
        outcome=[
            "aa06260a240a01621205080210e8071a18696f2e737461746566756e2e74797065732f737472696e67",
            (
                "a206f7010a2708011201611a200a15696f2e737461746566756e2e74797065732f696e7410011a05"
                "0d020000000a03120162122f0a090a01651201671a013212220a18696f2e737461746566756e2e74"
                "797065732f737472696e6710011a040a0268691a3708d00f12090a01651201671a01321a200a1569"
                "6f2e737461746566756e2e74797065732f696e7410011a050d010000005a05746f6b656e1a095001"
                "5a05746f6b656e22520a016512016b1a4a0a3e747970652e676f6f676c65617069732e636f6d2f69"
                "6f2e737461746566756e2e73646b2e6567726573732e4b61666b6150726f64756365725265636f72"
                "6410011a061201761a0174"
            ),
            [2, None, True],
            ["a"],
            True,
        ],
    ),
    kept(
        "protocol-classes",
        "Requests and replies can be built and parsed with `statefun.request_reply_pb2`, and "
        "its `TypedValue` fits into `Message`.",
        """
from statefun.request_reply_pb2 import Address, FromFunction, ToFunction, TypedValue
call_ = ToFunction()
call_.invocation.target.CopyFrom(Address(namespace="ns", type="f", id="1"))
value = TypedValue(typename="io.statefun.types/int", has_value=True, value=b"")
call_.invocation.invocations.add().argument.CopyFrom(value)
functions = StatefulFunctions()
@functions.bind("ns/f")
def f(context, message):
    context.storage
    context.send(Message("ns/g", "2", TypedValue(typename="a/b", has_value=True, value=b"x")))
    context.send(Message("ns/g", str(message.as_int()), message.typed_value))
reply = FromFunction()
reply.ParseFromString(RequestReplyHandler(functions).handle_sync(call_.SerializeToString()))
sent = reply.invocation_result.outgoing_messages
outcome = [[m.target.type, m.target.id, m.argument.typename, m.argument.has_value] for m in sent]
""",
        outcome=[["g", "2", "a/b", True], ["g", "0", "io.statefun.types/int", True]],
    ),
)

KEPT = (*REPLIES, *MESSAGES, *EGRESS, *STATE, *CONTEXT, *FUNCTIONS, *IMPORTS)
