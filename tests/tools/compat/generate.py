"""Random requests for `program.py`, from a seed.

Some steps of the scripts meet a deliberate difference, and carry their twin (`differences.py`). The
law the tests check is

    what ours answers to a request means what the old SDK, playing the twins, answers to it
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from tests.tools.compat import wire
from tests.tools.compat.differences import DIFFERENCES, PRIMITIVES, without_differences

FUNCTIONS = {
    ("fuzz", "sync"): "everything",
    ("fuzz", "async"): "everything",
    ("fuzz", "stateless"): "nothing",
    ("fuzz/name/with", "slashes"): "some",
    ("fuzz", "name/with/slashes"): "some",
    ("fuzz", "partial"): "one",
}
VALUES = {
    "everything": {
        **{name + "_value": name for name in (*PRIMITIVES, "json", "raw", "proto")},
        "get": "int",
        "items": "json",
        "_values": "string",
        "größe": "string",
    },
    "nothing": {},
    "some": {"int_value": "int", "json_value": "json", "string_value": "string"},
    "one": {"long_value": "long"},
}
TYPENAMES = {
    **{name: "io.statefun.types/" + name for name in PRIMITIVES},
    "json": "fuzz/json",
    "raw": "fuzz/raw",
    "boom": "fuzz/boom",
    "proto": "type.googleapis.com/google.protobuf.StringValue",
    "proto-elsewhere": "else.where/google.protobuf.StringValue",
}
NARROWER = {"long": ("int",), "double": ("int", "float")}
IDS = ("1", "user", "größe", "日本", "😀", "a/b", "with space", "\x00", "é" * 100, "\n\t", "%2F")
WHOLE = (
    *(0, 1, -1, 2, 127, 128, 255, 256, 2**15, 2**16, 2**24 + 1),
    *(2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**32 - 1, 2**32, 2**53 + 1),
    *(2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64 - 1, 2**64, 10**400, -(10**400)),
)
REAL = (
    *(0.0, -0.0, 1.0, -1.5, 0.1, 3.14, 1e-45, 1.4e-45, 1e-46, 1.17e-38, 3.4028234663852886e38),
    *(3.4028235677973366e38, 1e39, -1e39, 1e300, 1.7976931348623157e308, 5e-324, 16777217.0),
    *(float("inf"), float("-inf"), float("nan")),
)
TEXT = (
    "",
    "x",
    "größe",
    "日本語",
    "😀",
    "\x00",
    "\ud800",
    "a\udfffb",
    "long " * 60,
    "\ufeff",
    "{}",
)
BLOB = ("", "00", "ff", "616263", "c3a4", "c328", "80" * 40, "0a0161")
JSONS: tuple[Any, ...] = (
    *(True, False, 0, 1.5, "text", "größe", [], {}, [1, [2, [3]]], {"a": {"b": [None, ""]}}),
    *({"count": 3}, {"größe": "日本"}, 2**70, float("nan"), "\ud800"),
)
ODD = (
    *({"decimal": "1.5"}, {"decimal": "1e400"}, {"fraction": "1/3"}, {"fraction": "3"}),
    *({"index": 7}, {"index": 2**31}, {"index": -(2**63)}, {"floating": 2.5}, {"complex": "1+2j"}),
    *({"bytes": "616263"}, {"bytes": "c328"}, {"bytearray": "616263"}, {"memoryview": "616263"}),
    *({"proto": "hello"}, {"object": None}, [1], {"a": 1}, None, "7", "1.5"),
)
FITTING: dict[str, tuple[Any, ...]] = {
    "bool": (True, False, True, False, 0, 1, 2, -1, 2**31),
    "int": (*(number for number in WHOLE if -(2**31) <= number < 2**31), *WHOLE[10:16]),
    "long": WHOLE,
    "float": (*REAL, *REAL, *WHOLE),
    "double": (*REAL, *REAL, *WHOLE),
    "string": TEXT,
    "json": JSONS,
    "raw": tuple({"bytes": blob} for blob in BLOB),
    "boom": JSONS,
    "proto": ({"proto": ""}, {"proto": "x"}, {"proto": "größe"}),
    "proto-elsewhere": ({"proto": ""}, {"proto": "x"}, {"proto": "größe"}),
}


@dataclass(frozen=True)
class Request:
    """One request as bytes, with the deliberate differences it meets."""

    seed: str
    body: bytes
    rows: frozenset[str]
    body_type: str
    sync: bool

    @property
    def order(self) -> dict[str, Any]:
        """What `worker.handle` wants to know."""
        return {"body": self.body.hex(), "as": self.body_type, "sync": self.sync}


def request(seed: str) -> Request:
    """The request of a seed; the same in every run and on every Python."""
    return Generator(Random(seed)).request(seed)


class Generator:
    """One random request; every choice comes from the given source."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.pick = random.choice
        self.rows: set[str] = set()

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    # -- requests -----------------------------------------------------------------------------

    def request(self, seed: str) -> Request:
        body_type = self.pick(("bytes", "bytes", "bytes", "bytearray", "memoryview"))
        sync = self.chance(0.1)
        if self.chance(0.03):
            body = self.nonsense()
        elif self.chance(0.12):
            body = self.damaged(self.batch(scripted=False))
        else:
            body = self.batch(scripted=True)
        return Request(seed, body, frozenset(self.rows), body_type, sync)

    def nonsense(self) -> bytes:
        """Bodies that are no request at all, or one without a batch or a target."""
        target = wire.address("fuzz", "stateless", "1")
        return self.pick(
            (
                b"",
                wire.field(100, b""),
                wire.field(7, b"unknown"),
                wire.to_function(b"", [], [(None, wire.typed_value("a/b", b""))]),
                wire.field(100, wire.field(1, target) + b"\xff"),
                wire.field(100, wire.field(1, wire.field(1, b"\xff\xfe"))),
                wire.varint(100 << 3 | wire.LENGTH) + wire.varint(2**31 - 1),
                wire.varint(100 << 3 | wire.VARINT) + wire.varint(1),
                b"\x00",
                self.random.randbytes(self.random.randrange(1, 40)),
            )
        )

    def damaged(self, body: bytes) -> bytes:
        """A request with bytes changed, cut off, doubled or added; it keeps a target id."""
        while True:
            data = bytearray(body)
            for _ in range(self.random.randrange(1, 4)):
                at = self.random.randrange(len(data))
                match self.random.randrange(5):
                    case 0:
                        data[at] = self.random.randrange(256)
                    case 1:
                        data[at] ^= 1 << self.random.randrange(8)
                    case 2:
                        del data[at:]
                        data += b"\x00" * (not data)
                    case 3:
                        data[at:at] = data[at : at + 8]
                    case 4:
                        data[at:at] = self.random.randbytes(self.random.randrange(1, 4))
            if _has_target_id(bytes(data)):
                return bytes(data)

    def batch(self, *, scripted: bool) -> bytes:
        namespace, name = self.pick(tuple(FUNCTIONS))
        declared = VALUES[FUNCTIONS[namespace, name]]
        if self.chance(0.03):
            namespace, name = self.pick(
                (("fuzz", "nobody"), ("", "sync"), ("fuzz", ""), ("x", "y"))
            )
        target = wire.address(namespace, name, self.pick(IDS))
        state = self.state(declared)
        count = self.pick((0, 1, 1, 1, 1, 2, 2, 3, 5, 20)) if scripted else self.pick((1, 2))
        invocations = []
        for _ in range(count):
            script = self.script(tuple(declared)) if scripted and self.chance(0.85) else None
            invocations.append((self.caller(), script or self.argument()))
        unknown = self.unknown() if self.chance(0.1) else b""
        return wire.to_function(target, state, invocations, unknown=unknown)

    def unknown(self) -> bytes:
        """A field no schema knows."""
        return wire.field(self.random.randrange(1000, 1100), self.pick((1, b"", b"text", 2**40)))

    def caller(self) -> bytes | None:
        if self.chance(0.4):
            return None
        if self.chance(0.1):
            return self.pick((b"", wire.address("", "only", ""), wire.address("ns", "f", "")))
        return wire.address(self.pick(("ns", "a/b", "größe")), "caller", self.pick(IDS))

    # -- values on the wire -------------------------------------------------------------------

    def state(self, declared: dict[str, str]) -> list[tuple[str, bytes | None]]:
        incomplete = self.chance(0.1)
        state = [
            (name, self.stored(kind))
            for name, kind in declared.items()
            if not (incomplete and self.chance(0.5))
        ]
        if self.chance(0.2):
            state.append((self.pick(("unknown", "", "Größe", "batch")), self.stored("int")))
        if state and self.chance(0.1):
            name = self.pick(state)[0]
            state.append((name, self.stored(self.any_but_narrower(declared.get(name, "")))))
        self.random.shuffle(state)
        return state

    def stored(self, kind: str) -> bytes | None:
        if self.chance(0.25):
            return None
        if self.chance(0.08):
            kind = self.any_but_narrower(kind)
        value = self.typed(kind)
        return value + self.unknown() if self.chance(0.03) else value

    def any_but_narrower(self, kind: str) -> str:
        """Any kind but those that only ours reads as this one: the row `wider-type-read`."""
        return self.pick(tuple(each for each in TYPENAMES if each not in NARROWER.get(kind, ())))

    def typed(self, kind: str) -> bytes:
        """A TypedValue of a kind, now and then without a value, with garbage, or oddly written."""
        typename, value = TYPENAMES[kind], self.serialized(kind)
        if self.chance(0.86):
            return wire.typed_value(typename, value)
        name, data = wire.field(1, typename), wire.field(3, value)
        return self.pick(
            (
                wire.typed_value(typename, None),
                wire.typed_value(typename, self.random.randbytes(self.random.randrange(9))),
                wire.typed_value(typename, value + self.unknown()),
                wire.typed_value("", value),
                name + data,  # a value that is said not to be there
                wire.field(3, b"older") + wire.field(2, 7) + data + name,
            )
        )

    def serialized(self, kind: str) -> bytes:
        fixed = {"int": (b"\x0d", 4), "float": (b"\x0d", 4), "long": (b"\x09", 8)}
        match kind:
            case "bool":
                return self.pick((b"\x08\x01", b"", b"\x08\x00", b"\x08\x02", b"\x08\xff\xff\x01"))
            case "int" | "float" | "long" | "double":
                tag, size = fixed.get(kind, (b"\x09", 8))
                edge = self.pick((b"\x00", b"\xff", b"\x7f", b"\x80", b"\x01")) * size
                return self.pick((b"", tag + edge, tag + self.random.randbytes(size)))
            case "string" | "proto" | "proto-elsewhere":
                text = self.pick(TEXT).encode("utf-8", "ignore")
                return self.pick((b"", wire.field(1, text), wire.field(1, text)))
            case "json":
                return json.dumps(self.pick(JSONS)).encode()
            case _:
                return bytes.fromhex(self.pick(BLOB))

    def argument(self) -> bytes | None:
        """What is no script: none, an empty one, an unknown type, a broken script, any value."""
        unknown_type = self.pick(("", "a/b", "odd", "größe/日本"))
        broken_script = self.pick((b"", b"[", b"7", b"[{}]", b"\xff", None))
        odd = (
            *(None, None, b"", b""),
            wire.typed_value(unknown_type, self.pick((None, b"x"))),
            wire.typed_value("fuzz/script", broken_script),
        )
        if self.chance(0.35):
            return self.pick(odd)
        value = self.typed(self.pick(tuple(TYPENAMES)))
        return value + self.unknown() if self.chance(0.2) else value

    # -- Python values ------------------------------------------------------------------------

    def value_for(self, kind: str) -> Any:
        """A value for a type: mostly one that fits, now and then any at all."""
        anything = (*WHOLE, *REAL, *TEXT, *ODD)
        value = self.pick(anything if self.chance(0.12) else FITTING[kind])
        return without_differences(kind, value)

    # -- scripts ------------------------------------------------------------------------------

    def script(self, names: tuple[str, ...]) -> bytes:
        steps = []
        for _ in range(self.pick((0, 1, 2, 3, 5, 8, 13))):
            step: dict[str, Any] = {"caught": self.chance(0.93)}
            if self.chance(0.06):
                row = self.pick(tuple(DIFFERENCES))
                self.rows.add(row)
                step["do"], step["twin"] = self.pick(DIFFERENCES[row])
            else:
                step["do"] = self.step(names)
            steps.append(step)
        return wire.typed_value("fuzz/script", json.dumps(steps).encode())

    def step(self, names: tuple[str, ...]) -> list[Any]:
        """One step that means the same to both."""
        choices = [
            *(self.message_step, self.message_step, self.delayed_step, self.egress_step),
            *(self.sight_step, self.odd_step),
        ]
        if names or self.chance(0.1):
            choices += [self.state_step] * 5
        self.names = names
        return self.pick(choices)()

    def state_step(self) -> list[Any]:
        name = self.pick(self.names) if self.names and self.chance(0.96) else "unheard_of"
        kind = next((v[name] for v in VALUES.values() if name in v), "int")
        value = self.value_for(kind)
        json_names = [n for n in self.names if n in ("json_value", "items")]
        match self.random.randrange(9):
            case 0 | 1 | 2:
                return ["read", name]
            case 3 | 4 | 5:
                return ["write", name, value]
            case 6:
                return ["delete", name]
            case 7 if json_names:
                return ["write_then_change", self.pick(json_names), {"before": 1}]
            case _:
                return ["change_what_was_read", name]

    def keywords(self) -> dict[str, Any]:
        if self.chance(0.7):
            kind = self.pick(PRIMITIVES)
            keyword = {"string": "str"}.get(kind, kind) + "_value"
            return {keyword: self.value_for(kind)}
        if self.chance(0.06):
            return self.pick(
                (
                    {},
                    {"value": 1},
                    {"value_type": "int"},
                    {"number": 1},
                    {"int_value": 1, "str_value": "x"},
                    {"int_value": 1, "long_value": 1, "bool_value": True},
                    {"int_value": None},
                    {"value": None, "value_type": "int"},
                    {"value": 1, "value_type": None},
                )
            )
        kind = self.pick((*TYPENAMES,))
        return {"value": self.value_for(kind), "value_type": kind}

    def typename(self) -> Any:
        if self.chance(0.04):
            return self.pick(("", None))
        return self.pick(("ns/f", "a/b/c", "größe/日本", "a b/c d", "fuzz/sync", "x/y"))

    def token(self) -> list[Any]:
        return [self.pick(("", "t", "größe", "t" * 300))] if self.chance(0.6) else []

    def message_step(self) -> list[Any]:
        parts = self.parts(self.typename())
        return self.pick(
            (
                *(["send", *parts], ["send", *parts], ["send", *parts], ["send_twice", *parts]),
                ["send_then_change", "ns/f", {"before": 1}],
                ["look_at_built", *parts],
                ["forward", *parts[:2]],
                ["reply", self.pick(WHOLE)],
            )
        )

    def parts(self, typename: Any) -> list[Any]:
        """Target and value; at most one of them is a mistake, for which comes first is nobody's."""
        target_id = self.pick(("", None)) if self.chance(0.03) else self.pick(IDS)
        is_mistake = not typename or not target_id
        return [typename, target_id, {"int_value": 1} if is_mistake else self.keywords()]

    def delayed_step(self) -> list[Any]:
        if self.chance(0.25):
            return ["cancel", self.pick(("t", "größe", " ", "t" * 300))]
        micros = self.pick(
            (0, 1, 999, 1000, 1999, 60_000_000, 86_400_000_000, self.random.randrange(10**9))
        )
        if _old_millis(micros) != micros // 1000:
            micros = 5_000_000
        return ["send_after", micros, self.token(), *self.parts("ns/f")]

    def egress_step(self) -> list[Any]:
        typename = self.typename()
        if not typename:
            return self.pick(
                (
                    ["egress", typename, 1, "int"],
                    ["forward_to_egress", typename],
                    ["kafka", typename, {"topic": "topic", "value": 1}],
                )
            )
        kind = self.pick(tuple(TYPENAMES))
        fitting = self.value_for(kind)
        if self.chance(0.4):
            return ["egress", typename, fitting, kind]
        if self.chance(0.1):
            return ["forward_to_egress", typename]
        if self.chance(0.3):
            record = {"value": fitting, "value_type": kind}
        else:
            plain = (*WHOLE, *REAL, *TEXT, *ODD, True, {"bytes": "00ff"}, {"bytearray": "00"})
            record = {"value": self.pick(plain)}
        return self.pick((self.kafka_step, self.kinesis_step))(typename, record)

    def kafka_step(self, typename: str, record: dict[str, Any]) -> list[Any]:
        if self.chance(0.7):
            record["key"] = self.key()
        return ["kafka", typename, {"topic": self.pick(("topic", "t", "", None)), **record}]

    def kinesis_step(self, typename: str, record: dict[str, Any]) -> list[Any]:
        record["partition_key"] = self.key()
        if self.chance(0.3):
            record["explicit_hash_key"] = self.pick(("", "0", "340282366920938463463", None))
        return ["kinesis", typename, {"stream": self.pick(("stream", "s", "", None)), **record}]

    def key(self) -> Any:
        return self.pick((*IDS, *IDS, "", {"bytes": "6b"}, None, 5))

    def sight_step(self) -> list[Any]:
        return self.pick(
            (["look"], ["as_its_type"], ["as_type", self.pick(("json", "raw", "boom", "proto"))])
        )

    def odd_step(self) -> list[Any]:
        failure = ["fail", self.pick(("Boom", "KeyError", "RuntimeError", "TypeError"))]
        return failure if self.chance(0.3) else ["look"]


def _old_millis(micros: int) -> int:
    """How the old SDK turns a delay into milliseconds."""
    return int(timedelta(microseconds=micros).total_seconds() * 1000.0)


def _has_target_id(body: bytes) -> bool:
    """Whether a request, if it can be read at all, names an id: the empty one is a difference."""
    try:
        batches = [value for number, _, value in wire.fields(body) if number == 100]
        targets = [v for batch in batches for n, _, v in wire.fields(batch) if n == 1]
        return any(number == 3 and value for t in targets for number, _, value in wire.fields(t))
    except (ValueError, IndexError, TypeError):
        return True
