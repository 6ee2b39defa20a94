"""Where ours differs from the old SDK on purpose."""

from tests.tools.compat.rows import NOTHING, Raises, Row, differs


def early(row_id: str, says: str, effect: str, builtin: str, *, late: str = "") -> Row:
    """A mistake that the old SDK met when it built the reply, and ours in the call that makes it.

    Args:
        row_id: The row.
        says: The fact.
        effect: The call with the mistake, inside a function.
        builtin: What ours raises there is one of these.
        late: What the old SDK raises in the end; the same unless given.
    """
    snippet = f"""
def f(context, message):
    sent = message_builder("ns/f", "1", int_value=1)
    in_the_call.append(fails_with({builtin}, lambda: {effect}))
in_the_call = []
in_the_end = fails_with({late or builtin}, lambda: call(f))
outcome = [in_the_call, in_the_end]
"""
    return differs(row_id, says, snippet, upstream=[[False], True], ours=[[True], False])


REFUSED_EARLIER = (
    early(
        "early-target",
        "A target that is not `namespace/name` failed the batch after the function had "
        "returned; ours refuses it where the message is built.",
        'context.send(message_builder("noslash", "1", int_value=1))',
        "ValueError",
    ),
    early(
        "early-token",
        "A token that is not text failed the batch after the function had returned; ours refuses"
        " it in `send_after`.",
        "context.send_after(timedelta(0), sent, 5)",
        "TypeError",
    ),
    early(
        "early-egress-typename",
        "An egress that is not `namespace/name` failed the batch after the function had "
        "returned; ours refuses it where the message is built.",
        'context.send_egress(kafka_egress_message("noslash", "topic", 1))',
        "ValueError",
    ),
    early(
        "early-message",
        "A body that is not a message, or an egress message sent as one, failed the batch after "
        "the function had returned (`AttributeError`); ours refuses it in the call, with a "
        "`TypeError`.",
        'context.send(egress_message_builder("ns/egress", 1, IntType))',
        "TypeError",
        late="AttributeError",
    ),
    differs(
        "message-look-alikes",
        "Any object with the three attributes of a message could be sent; ours takes messages "
        "and subclasses of `Message`.",
        """
class Mine(Message):
    pass
class LookAlike:
    target_typename, target_id = "a/b", "1"
    typed_value = message_builder("a/b", "1", int_value=1).typed_value
def f(context, message):
    context.send(Mine("a/b", "1", message.typed_value))
    seen.append(fails_with(TypeError, lambda: context.send(LookAlike())))
seen = []
outcome = [len(call(f)["messages"]), *seen]
""",
        upstream=[2, False],
        ours=[1, True],
    ),
    differs(
        "empty-token",
        "Cancelling with an empty token went through and made the job fail.",
        """
def f(context, message):
    seen.append(fails_with(ValueError, lambda: context.cancel_delayed_message("")))
seen = []
outcome = [len(call(f)["delayed"]), *seen]
""",
        upstream=[1, False],
        ours=[0, True],
    ),
    differs(
        "negative-delay",
        "A negative delay went through and made the job fail.",
        """
def f(context, message):
    sent = message_builder("ns/f", "1", int_value=1)
    seen.append(fails_with(ValueError, lambda: context.send_after(timedelta(seconds=-1), sent)))
seen = []
outcome = [len(call(f)["delayed"]), *seen]
""",
        upstream=[1, False],
        ours=[0, True],
    ),
    differs(
        "short-expirations",
        "An expiration of zero was dropped; one below zero, or under a millisecond, made the "
        "job fail. Ours refuses all three.",
        """
outcome = []
for after in (timedelta(0), timedelta(seconds=-1), timedelta(microseconds=999)):
    try:
        spec = ValueSpec("a", IntType, expire_after_call=after)
        outcome.append([spec.duration, spec.after_call])
    except ValueError:
        outcome.append("refused")
""",
        upstream=[[0, False], [-1000, True], [0, True]],
        ours=["refused"] * 3,
    ),
    differs(
        "function-typename",
        "A function could be registered under a typename that no message can reach.",
        """
register = StatefulFunctions().register
outcome = [
    fails_with(ValueError, lambda: register(typename, lambda context, message: None))
    for typename in ("noslash", "/name", "namespace/")
]
""",
        upstream=[False] * 3,
        ours=[True] * 3,
    ),
    differs(
        "registered-twice",
        "A second function under one typename silently replaced the first.",
        """
functions = StatefulFunctions()
functions.register("ns/f", lambda context, message: None)
outcome = fails_with(ValueError, lambda: functions.register("ns/f", lambda context, message: None))
""",
        upstream=False,
        ours=True,
    ),
    differs(
        "reserved-value-name",
        "A value could be named `batch`, under which the engine keeps state of its own; the job"
        " failed.",
        'outcome = fails_with(ValueError, lambda: ValueSpec("batch", IntType))',
        upstream=False,
        ours=True,
    ),
    differs(
        "dunder-value-name",
        "A value could be named `__class__`, `__dict__` and so on, and broke the storage or not.",
        'outcome = fails_with(ValueError, lambda: ValueSpec("__class__", IntType))',
        upstream=False,
        ours=True,
    ),
    differs(
        "ended-context",
        "A message sent, or a value written, after the batch had ended (by a task nobody "
        "awaited) vanished; ours raises a `RuntimeError`.",
        """
kept = []
specs = [ValueSpec("a", IntType)]
call(lambda context, message: kept.append((context, message)), specs=specs, state=[("a", None)])
[(context, message)] = kept
egress = egress_message_builder("a/b", 1, IntType)
outcome = [
    fails_with(RuntimeError, lambda: context.send(message)),
    fails_with(RuntimeError, lambda: context.send_after(timedelta(0), message)),
    fails_with(RuntimeError, lambda: context.cancel_delayed_message("t")),
    fails_with(RuntimeError, lambda: context.send_egress(egress)),
    fails_with(RuntimeError, lambda: setattr(context.storage, "a", 1)),
    fails_with(RuntimeError, lambda: delattr(context.storage, "a")),
]
""",
        upstream=[False] * 6,
        ours=[True] * 6,
    ),
    differs(
        "context-without-send",
        "A subclass of `Context` that does not override `send` lost its messages; ours raises "
        "`NotImplementedError`.",
        """
class Fake(Context):
    address = storage = caller = None
fake, sent = Fake(), message_builder("a/b", "1", int_value=1)
outcome = [
    fails_with(NotImplementedError, lambda: fake.send(sent)),
    fails_with(NotImplementedError, lambda: fake.send_after(timedelta(0), sent)),
    fails_with(NotImplementedError, lambda: fake.cancel_delayed_message("t")),
    fails_with(NotImplementedError, lambda: fake.send_egress(None)),
]
""",
        upstream=[False] * 4,
        ours=[True] * 4,
    ),
)

READ_RIGHT = (
    differs(
        "wider-type-read",
        "A stored int could not be read as a long or a double, nor a float as a double: a "
        "`TypeError`; ours reads it, since every value of the one is one of the other.",
        """
def look(context, message):
    try:
        return context.storage.a
    except TypeError:
        return "refused"
three = ("io.statefun.types/int", bytes.fromhex("0d03000000"))
half = ("io.statefun.types/float", bytes.fromhex("0d0000003f"))
outcome = []
for wide, stored in ((LongType, three), (DoubleType, three), (DoubleType, half)):
    outcome += observe(look, specs=[ValueSpec("a", wide)], state=[("a", stored)])
""",
        upstream=["refused"] * 3,
        ours=[3, 3.0, 0.5],
    ),
    differs(
        "wrong-primitive-read",
        "`as_int()` and its like, and `as_type` of a built-in type, gave garbage for a value of"
        " another type; ours raises a `TypeError`.",
        """
def look(context, message):
    outcome = []
    as_long = lambda: message.as_type(LongType)
    for read in (message.as_int, message.as_bool, message.as_double, as_long):
        try:
            outcome.append(read())
        except TypeError:
            outcome.append("refused")
    return outcome
[outcome] = observe(look, ("io.statefun.types/string", bytes.fromhex("0a0131")))
""",
        upstream=[0, False, 0.0, 0],
        ours=["refused"] * 4,
    ),
    differs(
        "undecodable-value",
        "Bytes that are not a value of their built-in type raised protobuf's `DecodeError`; ours "
        "is a `ValueError`.",
        """
broken = ("io.statefun.types/int", b"\\x0d\\x01")
specs = [ValueSpec("a", IntType)]
def look(context, message):
    read = lambda: context.storage.a
    return [fails_with(ValueError, message.as_int), fails_with(ValueError, read)]
[outcome] = observe(look, broken, specs=specs, state=[("a", broken)])
""",
        upstream=["DecodeError"] * 2,
        ours=[True] * 2,
    ),
    differs(
        "whole-milliseconds",
        "1001 ms became 1000, by float arithmetic; ours is exact, and rounds down what is finer.",
        """
millis = [1001, 1005, 2002, 2003]
delays = [timedelta(milliseconds=ms) for ms in millis] + [timedelta(milliseconds=1.999)]
def f(context, message):
    for delay in delays:
        context.send_after(delay, message_builder("ns/f", "1", int_value=1))
specs = [ValueSpec("a", IntType, expire_after_write=delay) for delay in delays]
outcome = [[d["delay_in_ms"] for d in call(f)["delayed"]], [spec.duration for spec in specs]]
""",
        upstream=[[1000, 1004, 2001, 2003, 1]] * 2,
        ours=[[1001, 1005, 2002, 2003, 1]] * 2,
    ),
    differs(
        "bool-as-int",
        "`int_value=True` was 1 or a `TypeError`; with ours it is 1.",
        """
outcome = []
for keyword in ("int_value", "long_value"):
    try:
        outcome.append(message_builder("a/b", "1", **{keyword: True}).raw_value().hex())
    except TypeError:
        outcome.append("refused")
""",
        upstream=["refused"] * 2,
        ours=["0d01000000", "090100000000000000"],
        protobuf="1 with 3.20 and 6.31, a `TypeError` with 7.36",
    ),
    differs(
        "huge-bool",
        "An integer beyond 64 bits for a bool was true or an `OverflowError`; with ours it is a"
        " `ValueError`, and a smaller one is what Python says.",
        """
def read(value):
    try:
        return message_builder("a/b", "1", bool_value=value).as_bool()
    except ValueError:
        return "refused"
    except OverflowError:
        return "overflow"
outcome = [read(value) for value in (0, 2, -1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1)]
""",
        upstream=[False, True, True, True, "overflow", "overflow", "overflow"],
        ours=[False, True, True, True, "refused", "refused", "refused"],
        protobuf="true with 3.20, an `OverflowError` with 6.31 and 7.36",
    ),
    differs(
        "negative-zero",
        "`-0.0` was written or dropped; ours keeps it.",
        """
built = [message_builder("a/b", "1", **{kind: -0.0}) for kind in ("float_value", "double_value")]
outcome = [[message.raw_value().hex() for message in built], repr(built[1].as_double())]
""",
        upstream=[["0d00000080", "090000000000000080"], "-0.0"],
        ours=[["0d00000080", "090000000000000080"], "-0.0"],
        protobuf="dropped with 3.20, written with 6.31 and 7.36",
    ),
    differs(
        "beyond-double",
        "An integer too large for a double was an `OverflowError`; ours is a `ValueError`, as "
        "for every number that does not fit.",
        """
huge = 10**400
outcome = fails_with(ValueError, lambda: message_builder("a/b", "1", float_value=huge))
""",
        upstream="OverflowError",
        ours=True,
    ),
)

ACCEPTED = (
    differs(
        "empty-target-id",
        'A message for the id `""` (a Kafka record with an empty key) was refused for ever, '
        'which stopped the job; ours serves it. Sending to the id `""` is a `ValueError` still.',
        """
def f(context, message):
    context.storage.a = message.target_id + "!" + context.address.id
specs, state = [ValueSpec("a", StringType)], [("a", None)]
try:
    reply = call(f, target=("ns", "f", ""), specs=specs, state=state)
    outcome = len(reply["mutations"])
except ValueError:
    outcome = "refused"
outcome = [outcome, fails_with(ValueError, lambda: message_builder("a/b", "", int_value=1))]
""",
        upstream=["refused", True],
        ours=[1, True],
    ),
    differs(
        "sync-inside-a-loop",
        "`handle_sync` inside a running event loop raised a `RuntimeError`; ours works.",
        """
functions = StatefulFunctions()
@functions.bind("ns/f")
async def f(context, message):
    await asyncio.sleep(0)
async def main():
    return wire.meaning(RequestReplyHandler(functions).handle_sync(request(("a/b", b""))))
outcome = asyncio.run(main())
""",
        upstream=Raises(("RuntimeError",), "running event loop"),
        ours=NOTHING,
    ),
    differs(
        "returned-coroutine",
        "A coroutine returned by a plain function was never awaited, so nothing happened.",
        """
async def later(context, message):
    context.send(message_builder("ns/f", "1", int_value=1))
outcome = len(call(lambda context, message: later(context, message))["messages"])
""",
        upstream=0,
        ours=1,
    ),
    differs(
        "generator-functions",
        "A generator could be registered, and nothing ever ran it, so its messages were lost; "
        "ours refuses it at registration.",
        """
def generator(context, message):
    yield
outcome = fails_with(ValueError, lambda: StatefulFunctions().register("ns/f", generator))
""",
        upstream=False,
        ours=True,
    ),
    differs(
        "returned-generator",
        "A generator that a decorator hides was never run, so its messages were lost; ours fails "
        "the call.",
        """
def generator(context, message):
    yield
outcome = fails_with(ValueError, lambda: call(lambda context, message: generator(context, message)))
""",
        upstream=False,
        ours=True,
    ),
    differs(
        "value-typename",
        "A value whose type has a typename that is not `namespace/name` was accepted, though no "
        "engine can read it; ours is refused where it is declared.",
        'outcome = ValueSpec("order", simple_type("order", bytes, bytes)).name',
        upstream="order",
        ours=Raises(("ValueError", "TypeError", "statefun.errors.InvalidSpecError"), "namespace"),
    ),
    differs(
        "more-callables",
        "Bound methods, callable objects, wrappers with `*args` and functions with more, "
        "defaulted parameters were refused; ours takes whatever can be called with a context "
        "and a message.",
        """
class Greeter:
    def greet(self, context, message):
        seen.append("method")
    async def __call__(self, context, message):
        seen.append("object")
def with_default(context, message, more="default"):
    seen.append(more)
def wrapper(*args):
    seen.append("wrapper")
seen, outcome = [], []
for fun in (Greeter().greet, Greeter(), with_default, wrapper):
    try:
        call(fun)
    except (ValueError, TypeError):
        outcome.append("refused")
outcome += seen
""",
        upstream=["refused"] * 4,
        ours=["method", "object", "default", "wrapper"],
    ),
    differs(
        "text-serializer",
        "A `simple_type` whose serializer returns `str`, such as `json.dumps`, failed; ours "
        "encodes the text as UTF-8. The deserializer gets bytes.",
        """
import json
TEXT = simple_type("my/json", serialize_fn=json.dumps, deserialize_fn=json.loads)
def f(context, message):
    context.storage.a = {"a": 1}
    context.send(message_builder("a/b", "1", value=context.storage.a, value_type=TEXT))
try:
    reply = call(f, specs=[ValueSpec("a", TEXT)], state=[("a", None)])
    outcome = bytes.fromhex(reply["messages"][0]["argument"]["value"]).decode()
except TypeError:
    outcome = "refused"
""",
        upstream="refused",
        ours='{"a": 1}',
    ),
    differs(
        "bytes-like-serializer",
        "A serializer that returns a `bytearray` or a `memoryview` failed; ours takes it.",
        """
TYPE = simple_type("my/raw", lambda value: value, bytes)
outcome = []
for value in (bytearray(b"x"), memoryview(b"x")):
    try:
        message = message_builder("a/b", "1", value=value, value_type=TYPE)
        outcome.append(message.raw_value().decode())
    except TypeError:
        outcome.append("refused")
""",
        upstream=["refused"] * 2,
        ours=["x", "x"],
    ),
    differs(
        "underscore-value-names",
        "Values named `_cells` and `_typename` clashed with the storage's own attributes.",
        """
names = ["_cells", "_typename"]
def f(context, message):
    for name in names:
        setattr(context.storage, name, 5)
    return [getattr(context.storage, name) for name in names]
try:
    specs = [ValueSpec(name, IntType) for name in names]
    outcome = observe(f, specs=specs, state=[(name, None) for name in names])
except ValueError:
    outcome = "refused"
""",
        upstream="refused",
        ours=[[5, 5]],
    ),
)

CLEARER_ERRORS = (
    differs(
        "function-error",
        "Nothing said where a function raised; ours adds one note to the exception that names the "
        "address, the message's position in the batch and its typename.",
        """
outcome = []
def f(context, message):
    if message.value_typename() == "my/second":
        raise LookupError("not there")
try:
    call(f, ("my/first", b""), ("my/second", b""), target=("ns", "f", "größe"))
except LookupError as error:
    outcome = getattr(error, "__notes__", [])
""",
        upstream=[],
        ours=["raised by ns/f 'größe' on message 2 of 2 (type 'my/second')"],
    ),
    differs(
        "builder-wrong-keywords",
        "Two keywords other than `value` and `value_type` were a bare `KeyError`; ours is a "
        "`KeyError`, a `ValueError` and a `TypeError`, and names the right ones.",
        'message_builder("a/b", "1", valeu=1, value_type=IntType)',
        upstream=Raises(("KeyError",)),
        ours=Raises(
            ("KeyError", "ValueError", "TypeError", "statefun.errors.StatefunError"), "int_value"
        ),
    ),
    differs(
        "kafka-integer-range",
        "An integer of more than 32 bits in a Kafka record was a `struct.error`; ours is also a"
        " `ValueError`.",
        'kafka_egress_message("a/b", "topic", 2**31)',
        upstream=Raises(("struct.error",)),
        ours=Raises(("struct.error", "ValueError", "statefun.errors.StatefunError"), "2147483648"),
    ),
    differs(
        "unknown-function",
        "A request for a function nobody registered was a bare `KeyError`; ours is a `KeyError`"
        " and a `ValueError`, and names the functions there are.",
        """
functions = StatefulFunctions()
functions.register("ns/greeter", lambda context, message: None)
answer(functions, request(("a/b", b""), target=("ns", "greter", "1")))
""",
        upstream=Raises(("KeyError",), "ns/greter"),
        ours=Raises(
            ("KeyError", "ValueError", "statefun.errors.UnknownFunctionError"), "ns/greeter"
        ),
    ),
    differs(
        "request-without-target",
        "An empty request, or one without invocation or target, was an `AttributeError` about "
        "`None`; ours is also a `RemoteProtocolError`.",
        """
handle = RequestReplyHandler(StatefulFunctions()).handle_sync
outcome = []
for body in (b"", wire.field(100, b""), wire.to_function(b"", [], [(None, b"")])):
    try:
        handle(body)
    except AttributeError as error:
        outcome.append("RemoteProtocolError" in [c.__name__ for c in type(error).__mro__])
""",
        upstream=[False] * 3,
        ours=[True] * 3,
    ),
    differs(
        "malformed-request",
        "Bytes that are not a request raised protobuf's bare `DecodeError`; ours is a "
        "`RemoteProtocolError`.",
        'RequestReplyHandler(StatefulFunctions()).handle_sync(b"\\xa2\\x06\\xff")',
        upstream=Raises(("google.protobuf.message.DecodeError",)),
        ours=Raises(("statefun.errors.RemoteProtocolError",), "3 bytes"),
    ),
    differs(
        "version-2-names",
        "Names of version 2 are gone in both; ours says what to use in their place.",
        """
old_names = {
    "statefun": ["kafka_egress_record", "kinesis_egress_record", "AsyncRequestReplyHandler"],
    "statefun.core": ["AnyStateHandle"],
}
outcome = []
for module, names in old_names.items():
    for name in names:
        try:
            exec(f"from {module} import {name}")
        except ImportError as error:
            outcome.append("use" in str(error))
""",
        upstream=[False] * 4,
        ours=[True] * 4,
    ),
)

SIDE_BY_SIDE = """
import subprocess, sys
foreign = '''
from google.protobuf import descriptor_pb2, descriptor_pool
file = descriptor_pb2.FileDescriptorProto(name="{file}", package="{package}", syntax="proto3")
message = file.message_type.add(name="{message}")
message.field.add(name="other", number=7, type=9, label=1)
descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
'''
copies = [
    dict(file="types.proto", package="my.app", message="Mine"),
    dict(file="request-reply.proto", package="io.statefun.sdk.reqreply", message="TypedValue"),
    dict(file="my/copy.proto", package="io.statefun.sdk.reqreply", message="TypedValue"),
]
outcome = []
for copy in copies:
    theirs = foreign.format(**copy)
    for code in (theirs + "import statefun", "import statefun" + theirs):
        run = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
        error = "" if run.returncode == 0 else run.stderr.strip().split("\\n")[-1].split(":")[0]
        outcome.append(error or "works")
"""

PACKAGE = (
    differs(
        "star-import",
        "`from statefun import *` also brought the names of the submodules (`core`, `messages`,"
        " `utils` and so on); with ours it brings exactly the 22 names.",
        """
names = {}
exec("from statefun import *", names)
others = {"core", "context", "messages", "storage", "utils"} & names.keys()
outcome = [len([name for name in names if not name.startswith("_")]) > 22, sorted(others)]
""",
        upstream=[True, ["context", "core", "messages", "storage", "utils"]],
        ours=[False, []],
    ),
    differs(
        "schema-side-by-side",
        "Another library's `types.proto`, or a second copy of the StateFun schema, in one "
        "process was an import error for whichever came second; ours works in both orders.",
        SIDE_BY_SIDE,
        upstream=["TypeError"] * 6,
        ours=["works"] * 6,
        protobuf="with 3.20 in pure Python some of it works by chance",
    ),
)

DIFFERENT = (*REFUSED_EARLIER, *READ_RIGHT, *ACCEPTED, *CLEARER_ERRORS, *PACKAGE)
