"""The request/reply protocol written and read by hand, so that neither SDK is its own judge.

Only the standard library: both interpreters import this module.
"""

from typing import Any

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
SCALARS = {"string": LENGTH, "bytes": LENGTH, "int": VARINT, "bool": VARINT, "enum": VARINT}

# message -> field number -> (name, kind of the field, whether it repeats)
SCHEMA: dict[str, dict[int, tuple[str, str, bool]]] = {
    "Address": {
        1: ("namespace", "string", False),
        2: ("type", "string", False),
        3: ("id", "string", False),
    },
    "TypedValue": {
        1: ("typename", "string", False),
        2: ("has_value", "bool", False),
        3: ("value", "bytes", False),
    },
    "FromFunction": {
        100: ("invocation_result", "InvocationResponse", False),
        101: ("incomplete_invocation_context", "IncompleteInvocationContext", False),
    },
    "InvocationResponse": {
        1: ("state_mutations", "PersistedValueMutation", True),
        2: ("outgoing_messages", "Invocation", True),
        3: ("delayed_invocations", "DelayedInvocation", True),
        4: ("outgoing_egresses", "EgressMessage", True),
    },
    "PersistedValueMutation": {
        1: ("mutation_type", "enum", False),
        2: ("state_name", "string", False),
        3: ("state_value", "TypedValue", False),
    },
    "Invocation": {
        1: ("target", "Address", False),
        2: ("argument", "TypedValue", False),
    },
    "DelayedInvocation": {
        1: ("delay_in_ms", "int", False),
        2: ("target", "Address", False),
        3: ("argument", "TypedValue", False),
        10: ("is_cancellation_request", "bool", False),
        11: ("cancellation_token", "string", False),
    },
    "EgressMessage": {
        1: ("egress_namespace", "string", False),
        2: ("egress_type", "string", False),
        3: ("argument", "TypedValue", False),
    },
    "IncompleteInvocationContext": {1: ("missing_values", "PersistedValueSpec", True)},
    "PersistedValueSpec": {
        1: ("state_name", "string", False),
        2: ("expiration_spec", "ExpirationSpec", False),
        3: ("type_typename", "string", False),
    },
    "ExpirationSpec": {
        1: ("mode", "enum", False),
        2: ("expire_after_millis", "int", False),
    },
    "KafkaProducerRecord": {
        1: ("key", "string", False),
        2: ("value_bytes", "bytes", False),
        3: ("topic", "string", False),
    },
    "KinesisEgressRecord": {
        1: ("partition_key", "string", False),
        2: ("value_bytes", "bytes", False),
        3: ("stream", "string", False),
        4: ("explicit_hash_key", "string", False),
    },
}
RECORDS = {
    "type.googleapis.com/io.statefun.sdk.egress." + name: name
    for name in ("KafkaProducerRecord", "KinesisEgressRecord")
}


# -- writing ----------------------------------------------------------------------------------


def varint(number: int) -> bytes:
    """An unsigned number, seven bits a byte, the lowest first; negative ones as 64 bits."""
    number &= 2**64 - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number: int, value: int | bytes | str) -> bytes:
    """One field: a number as a varint, text and bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3 | VARINT) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | LENGTH) + varint(len(data)) + data


def address(namespace: str, name: str, target_id: str) -> bytes:
    parts = ((1, namespace), (2, name), (3, target_id))
    return b"".join(field(number, text) for number, text in parts if text)


def typed_value(typename: str, value: bytes | None) -> bytes:
    """A TypedValue; `None` leaves it without a value."""
    name = field(1, typename) if typename else b""
    if value is None:
        return name
    return name + field(2, 1) + (field(3, value) if value else b"")


def to_function(
    target: bytes,
    state: list[tuple[str, bytes | None]],
    invocations: list[tuple[bytes | None, bytes | None]],
    *,
    unknown: bytes = b"",
) -> bytes:
    """A request; `state` pairs names with values, `invocations` callers with arguments."""
    batch = field(1, target)
    for name, value in state:
        batch += field(2, field(1, name) + (b"" if value is None else field(2, value)))
    for caller, argument in invocations:
        head = b"" if caller is None else field(1, caller)
        batch += field(3, head + (b"" if argument is None else field(2, argument)))
    return field(100, batch + unknown) + unknown


# -- reading ----------------------------------------------------------------------------------


def fields(data: bytes) -> list[tuple[int, int, Any]]:
    """The fields of one message as (number, wire type, value), in order."""
    found: list[tuple[int, int, Any]] = []
    at = 0
    while at < len(data):
        key, at = _varint_at(data, at)
        number, wire = key >> 3, key & 7
        value: Any
        if wire == VARINT:
            value, at = _varint_at(data, at)
        elif wire == LENGTH:
            size, at = _varint_at(data, at)
            value, at = _slice_at(data, at, size)
        elif wire in (FIXED32, FIXED64):
            value, at = _slice_at(data, at, 4 if wire == FIXED32 else 8)
        else:
            raise ValueError(f"wire type {wire} of field {number} is not used by this protocol")
        found.append((number, wire, value))
    return found


def _varint_at(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return number, at


def _slice_at(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    if at + size > len(data):
        raise ValueError(f"{size} bytes wanted at {at}, {len(data) - at} there")
    return data[at : at + size], at + size


def decode(kind: str, data: bytes) -> dict[str, Any]:
    """A message as a dictionary: without defaults, unknown fields under `?`."""
    out: dict[str, Any] = {}
    for number, wire, value in fields(data):
        known = SCHEMA[kind].get(number)
        if known is None:
            out.setdefault("?", []).append([number, wire, _plain(value)])
            continue
        name, field_kind, repeats = known
        if wire != SCALARS.get(field_kind, LENGTH):
            raise ValueError(f"{kind}.{name} has wire type {wire}")
        if repeats:
            out.setdefault(name, []).append(decode(field_kind, value))
        elif field_kind not in SCALARS:
            out[name] = {**out.get(name, {}), **decode(field_kind, value)}
        elif value:
            out[name] = _scalar(field_kind, value)
    if "?" in out:
        out["?"].sort(key=lambda item: item[0])
    return out


def _scalar(kind: str, value: Any) -> Any:
    if kind == "string":
        return value.decode()
    if kind == "int":
        return value - 2**64 if value >= 2**63 else value
    return _plain(value)


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def meaning(reply: bytes) -> dict[str, Any]:
    """What an engine makes of a reply: order kept where it matters, dropped where it does not."""
    decoded = decode("FromFunction", reply)
    if "incomplete_invocation_context" in decoded:
        missing = decoded.pop("incomplete_invocation_context").get("missing_values", [])
        return {"missing": _by_name(missing), **decoded}
    result = decoded.pop("invocation_result", {})
    for egress in result.get("outgoing_egresses", []):
        _open_record(egress["argument"])
    return {
        "messages": result.pop("outgoing_messages", []),
        "delayed": result.pop("delayed_invocations", []),
        "egresses": result.pop("outgoing_egresses", []),
        "mutations": _by_name(result.pop("state_mutations", [])),
        **result,
        **decoded,
    }


def _by_name(items: list[dict[str, Any]]) -> dict[str, Any]:
    named = {item.get("state_name", ""): item for item in items}
    if len(named) != len(items):
        raise ValueError(f"a name repeats in {items!r}")
    return named


def _open_record(argument: dict[str, Any]) -> None:
    """Kafka and Kinesis records are messages themselves: compare their fields, not their bytes."""
    kind = RECORDS.get(argument.get("typename", ""))
    if kind is not None:
        argument["value"] = decode(kind, bytes.fromhex(argument.get("value", "")))
