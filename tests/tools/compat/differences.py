"""The steps on which the two SDKs differ on purpose, each with its twin.

A twin says in words the old SDK understands what ours does with the step: so nothing is excused,
and what ours must do instead is written down. The keys are rows of `rows_different.py`, which
gives the reasons.
"""

from itertools import product
from typing import Any

Step = list[Any]

PRIMITIVES = ("bool", "int", "long", "float", "double", "string")
WRONG_VALUE: Step = ["fail", "ValueError"]
WRONG_TYPE: Step = ["fail", "TypeError"]
ONE = {"int_value": 1}
NO_TYPENAMES = ("noslash", "/f", "ns/", "/", "ns/\ud800")
NO_MESSAGES = (None, 5, "text", {"bytes": "00"}, {"object": None})
NO_TOKENS = (("\ud800", WRONG_VALUE), (5, WRONG_TYPE))
SENDS = (["send"], ["send_twice"], ["send_after", 0, []])
TEXTS: tuple[Any, ...] = ({"a": 1}, [], "x", 1.5)


def _after(micros: int, token: list[Any]) -> Step:
    return ["send_after", micros, token, "ns/f", "1", ONE]


def _send(keywords: dict[str, Any]) -> Step:
    return ["send", "ns/f", "1", keywords]


def _kafka(parts: dict[str, Any], typename: str = "ns/egress") -> Step:
    return ["kafka", typename, {"topic": "topic", **parts}]


DIFFERENCES: dict[str, list[tuple[Step, Step]]] = {
    "wrong-primitive-read": [
        ([how, kind], WRONG_TYPE) for how in ("as_primitive", "as_type") for kind in PRIMITIVES
    ],
    "early-target": [
        ([*how, *target, ONE], WRONG_VALUE)
        for how in SENDS
        for target in [*product(NO_TYPENAMES, ["1"]), ("ns/f", "\ud800")]
    ],
    "early-token": [
        *((_after(0, [token]), twin) for token, twin in NO_TOKENS),
        *((["cancel", token], twin) for token, twin in NO_TOKENS),
    ],
    "early-egress-typename": [
        *((["egress", typename, 1, "int"], WRONG_VALUE) for typename in NO_TYPENAMES),
        *((_kafka({"value": 1}, typename), WRONG_VALUE) for typename in NO_TYPENAMES),
    ],
    "early-message": [
        (["send_egress_message_as_message"], WRONG_TYPE),
        *(
            (["send_nonsense", method, value], WRONG_TYPE)
            for method in ("send", "send_after", "send_egress")
            for value in NO_MESSAGES
        ),
    ],
    "empty-token": [(["cancel", ""], WRONG_VALUE)],
    "negative-delay": [(_after(micros, []), WRONG_VALUE) for micros in (-1000, -1001, -(10**12))],
    "whole-milliseconds": [
        # Half a millisecond more, and the old SDK rounds down to the right one.
        (_after(millis * 1000, token), _after(millis * 1000 + 500, token))
        for millis in (1001, 1005, 2002, 2006, 2030)
        for token in ([], ["t"])
    ],
    "bool-as-int": [
        (_send({keyword: flag}), _send({keyword: int(flag)}))
        for keyword in ("int_value", "long_value")
        for flag in (True, False)
    ],
    "huge-bool": [
        (_send({"bool_value": number}), WRONG_VALUE)
        for number in (2**63, 2**64, -(2**63) - 1, 10**400)
    ],
    "beyond-double": [
        (_send({keyword: number}), WRONG_VALUE)
        for keyword in ("float_value", "double_value")
        for number in (10**400, -(10**400))
    ],
    "text-serializer": [
        (make({"value": text, "value_type": "text"}), make({"value": text, "value_type": "json"}))
        for make in (_send, _kafka)
        for text in TEXTS
    ],
    "bytes-like-serializer": [
        (make({"value": {kind: "00ff"}, "value_type": "raw"}), make(as_bytes))
        for as_bytes in [{"value": {"bytes": "00ff"}, "value_type": "raw"}]
        for make in (_send, _kafka)
        for kind in ("bytearray", "memoryview")
    ],
}


def without_differences(kind: str, value: Any) -> Any:
    """The value, or a harmless one where the two differ on purpose about values of this kind."""
    if isinstance(value, int):
        if kind in ("int", "long"):
            return int(value)
        if kind == "bool" and not -(2**63) <= value < 2**63:
            return True
        if kind in ("float", "double") and abs(value) > 2**1000:
            return 2**1000
    if kind == "raw" and isinstance(value, str):
        return {"bytes": value.encode("utf-8", "replace").hex()}
    if kind == "raw" and isinstance(value, dict) and value.keys() <= {"bytearray", "memoryview"}:
        return {"bytes": "00"}
    return value
