"""The wire schema as the engines have it: the yardstick that nothing generates.

One entry a message: field name → (number, type), a type in the words of a `.proto` file. The
fields of `HEADER_FIELDS` are those that only some engines know, and those of `EXTENSIONS` only the
embedded runtime; the others skip them.
"""

from __future__ import annotations

__all__ = ["ENUMS", "EXTENSIONS", "HEADER_FIELDS", "MESSAGES", "ONEOFS", "PACKAGES", "Fields"]

Fields = dict[str, tuple[int, str]]

PACKAGES = {
    "kafka-egress.proto": "io.statefun.sdk.egress",
    "kinesis-egress.proto": "io.statefun.sdk.egress",
    "request-reply.proto": "io.statefun.sdk.reqreply",
    "types.proto": "io.statefun.sdk.types",
}

REQREPLY = "io.statefun.sdk.reqreply"
EGRESS = "io.statefun.sdk.egress"
TYPES = "io.statefun.sdk.types"

HEADER: Fields = {"key": (1, "string"), "value": (2, "bytes"), "has_value": (3, "bool")}

MESSAGES: dict[str, Fields] = {
    f"{REQREPLY}.Address": {
        "namespace": (1, "string"),
        "type": (2, "string"),
        "id": (3, "string"),
    },
    f"{REQREPLY}.TypedValue": {
        "typename": (1, "string"),
        "has_value": (2, "bool"),
        "value": (3, "bytes"),
        "metadata": (4, f"repeated {REQREPLY}.TypedValue.Metadata"),
    },
    f"{REQREPLY}.TypedValue.Metadata": HEADER,
    f"{REQREPLY}.ToFunction": {
        "invocation": (100, f"{REQREPLY}.ToFunction.InvocationBatchRequest"),
    },
    f"{REQREPLY}.ToFunction.PersistedValue": {
        "state_name": (1, "string"),
        "state_value": (2, f"{REQREPLY}.TypedValue"),
    },
    f"{REQREPLY}.ToFunction.Invocation": {
        "caller": (1, f"{REQREPLY}.Address"),
        "argument": (2, f"{REQREPLY}.TypedValue"),
    },
    f"{REQREPLY}.ToFunction.InvocationBatchRequest": {
        "target": (1, f"{REQREPLY}.Address"),
        "state": (2, f"repeated {REQREPLY}.ToFunction.PersistedValue"),
        "invocations": (3, f"repeated {REQREPLY}.ToFunction.Invocation"),
    },
    f"{REQREPLY}.FromFunction": {
        "invocation_result": (100, f"{REQREPLY}.FromFunction.InvocationResponse"),
        "incomplete_invocation_context": (
            101,
            f"{REQREPLY}.FromFunction.IncompleteInvocationContext",
        ),
    },
    f"{REQREPLY}.FromFunction.PersistedValueMutation": {
        "mutation_type": (1, f"{REQREPLY}.FromFunction.PersistedValueMutation.MutationType"),
        "state_name": (2, "string"),
        "state_value": (3, f"{REQREPLY}.TypedValue"),
    },
    f"{REQREPLY}.FromFunction.Invocation": {
        "target": (1, f"{REQREPLY}.Address"),
        "argument": (2, f"{REQREPLY}.TypedValue"),
    },
    f"{REQREPLY}.FromFunction.DelayedInvocation": {
        "delay_in_ms": (1, "int64"),
        "target": (2, f"{REQREPLY}.Address"),
        "argument": (3, f"{REQREPLY}.TypedValue"),
        "is_cancellation_request": (10, "bool"),
        "cancellation_token": (11, "string"),
    },
    f"{REQREPLY}.FromFunction.EgressMessage": {
        "egress_namespace": (1, "string"),
        "egress_type": (2, "string"),
        "argument": (3, f"{REQREPLY}.TypedValue"),
    },
    f"{REQREPLY}.FromFunction.InvocationResponse": {
        "state_mutations": (1, f"repeated {REQREPLY}.FromFunction.PersistedValueMutation"),
        "outgoing_messages": (2, f"repeated {REQREPLY}.FromFunction.Invocation"),
        "delayed_invocations": (3, f"repeated {REQREPLY}.FromFunction.DelayedInvocation"),
        "outgoing_egresses": (4, f"repeated {REQREPLY}.FromFunction.EgressMessage"),
    },
    f"{REQREPLY}.FromFunction.ExpirationSpec": {
        "mode": (1, f"{REQREPLY}.FromFunction.ExpirationSpec.ExpireMode"),
        "expire_after_millis": (2, "int64"),
    },
    f"{REQREPLY}.FromFunction.PersistedValueSpec": {
        "state_name": (1, "string"),
        "expiration_spec": (2, f"{REQREPLY}.FromFunction.ExpirationSpec"),
        "type_typename": (3, "string"),
    },
    f"{REQREPLY}.FromFunction.IncompleteInvocationContext": {
        "missing_values": (1, f"repeated {REQREPLY}.FromFunction.PersistedValueSpec"),
    },
    f"{EGRESS}.KafkaProducerRecord": {
        "key": (1, "string"),
        "value_bytes": (2, "bytes"),
        "topic": (3, "string"),
        "headers": (4, f"repeated {EGRESS}.KafkaProducerRecord.Header"),
    },
    f"{EGRESS}.KafkaProducerRecord.Header": HEADER,
    f"{EGRESS}.KinesisEgressRecord": {
        "partition_key": (1, "string"),
        "value_bytes": (2, "bytes"),
        "stream": (3, "string"),
        "explicit_hash_key": (4, "string"),
    },
    f"{TYPES}.BooleanWrapper": {"value": (1, "bool")},
    f"{TYPES}.IntWrapper": {"value": (1, "sfixed32")},
    f"{TYPES}.FloatWrapper": {"value": (1, "float")},
    f"{TYPES}.LongWrapper": {"value": (1, "sfixed64")},
    f"{TYPES}.DoubleWrapper": {"value": (1, "double")},
    f"{TYPES}.StringWrapper": {"value": (1, "string")},
}

ENUMS: dict[str, dict[str, int]] = {
    f"{REQREPLY}.FromFunction.PersistedValueMutation.MutationType": {"DELETE": 0, "MODIFY": 1},
    f"{REQREPLY}.FromFunction.ExpirationSpec.ExpireMode": {
        "NONE": 0,
        "AFTER_WRITE": 1,
        "AFTER_INVOKE": 2,
    },
}

ONEOFS: dict[str, dict[str, list[str]]] = {
    f"{REQREPLY}.ToFunction": {"request": ["invocation"]},
    f"{REQREPLY}.FromFunction": {
        "response": ["invocation_result", "incomplete_invocation_context"]
    },
}

EXTENSIONS: dict[str, Fields] = {
    f"{REQREPLY}.FromFunction.PersistedValueSpec": {
        "upgraded_typenames": (1000, "repeated string"),
    },
}

HEADER_FIELDS = {
    f"{REQREPLY}.TypedValue": "metadata",
    f"{EGRESS}.KafkaProducerRecord": "headers",
}
