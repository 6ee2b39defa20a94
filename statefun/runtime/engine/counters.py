"""Counters: what an engine has done."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Counters"]


@dataclass(slots=True)
class Counters:
    """The work of an engine since it was made; every figure only grows.

    Attributes:
        ingress_messages: Messages taken in from outside.
        invocations: Messages whose batch was applied.
        batches: Batches that were applied.
        messages_sent: Messages from function to function, without delayed ones.
        timers_set: Delayed messages sent.
        timers_fired: Delayed messages delivered.
        timers_cancelled: Delayed messages cancelled.
        egress_records: Messages to egresses.
        incomplete_replies: Replies that asked for more values.
        failed_attempts: Attempts that failed, for whatever reason.
        dead_letters: Messages that were given up and kept.
        expired_dead_letters: Dead letters forgotten because they were too old or too many.
        late_replies: Replies that nobody waited for, each kept as a dead letter.
        dropped_messages: Messages that were given up and forgotten.
        pauses: How often an address was paused.
        refused_messages: Messages from outside that were refused because too much waited.
        repeats: Messages from outside that repeated one by its idempotency key.
        stray_replies: Replies to attempts that are over.
    """

    ingress_messages: int = 0
    invocations: int = 0
    batches: int = 0
    messages_sent: int = 0
    timers_set: int = 0
    timers_fired: int = 0
    timers_cancelled: int = 0
    egress_records: int = 0
    incomplete_replies: int = 0
    failed_attempts: int = 0
    dead_letters: int = 0
    expired_dead_letters: int = 0
    late_replies: int = 0
    dropped_messages: int = 0
    pauses: int = 0
    refused_messages: int = 0
    repeats: int = 0
    stray_replies: int = 0
