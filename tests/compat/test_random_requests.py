"""Thousands of random requests, through ours and through the old SDK, mean the same."""

from typing import Any

import pytest

from tests.tools.compat import compare, differences, generate, wire, worker
from tests.tools.compat.peer import Peer
from tests.tools.compat.rows_different import DIFFERENT

CHUNKS, SIZE = 24, 250


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_replies_to_random_requests_mean_the_same(chunk: int, upstream: Peer) -> None:
    """What ours answers to a request means what the old SDK, playing the twins, answers to it."""
    requests = [generate.request(f"{chunk}/{number}") for number in range(SIZE)]

    orders = [request.order for request in requests]
    ours = worker.perform({"do": "handle", "requests": orders, "twins": False})
    theirs = upstream.perform({"do": "handle", "requests": orders, "twins": True})

    reports = [report(*case) for case in zip(requests, ours, theirs, strict=True)]
    unexplained = [text for text in reports if text]
    assert not unexplained, f"{len(unexplained)} of {SIZE} differ\n" + "\n".join(unexplained[:5])


def report(request: generate.Request, ours: dict[str, Any], theirs: dict[str, Any]) -> str | None:
    """One unexplained difference, with all it takes to look at it."""
    problem = compare.difference(ours, theirs)
    if problem is None:
        return None
    return (
        f"seed {request.seed!r}, differences on purpose: {sorted(request.rows) or 'none'}\n"
        f"  {problem}\n  request {request.body.hex()}\n"
    )


def test_every_deliberate_difference_is_met_and_is_one(upstream: Peer) -> None:
    """No entry of the table is stale: the old SDK answers each differently when it plays twins."""
    requests = [generate.request(f"{c}/{n}") for c in range(CHUNKS) for n in range(SIZE)]
    single = [r for r in requests if len(r.rows) == 1]

    orders = [request.order for request in single]
    as_sent = upstream.perform({"do": "handle", "requests": orders, "twins": False})
    as_twin = upstream.perform({"do": "handle", "requests": orders, "twins": True})

    pairs = zip(single, as_sent, as_twin, strict=True)
    met = {row for request, a, b in pairs if a != b for row in request.rows}
    assert met == set(differences.DIFFERENCES)


def test_the_deliberate_differences_are_rows_of_the_compatibility_page() -> None:
    """A random request may only differ where the page says so."""
    assert set(differences.DIFFERENCES) <= {row.id for row in DIFFERENT}


def test_a_seed_gives_the_same_request_in_every_run() -> None:
    """A failure can be repeated from its seed."""
    assert generate.request("again") == generate.request("again")
    assert generate.request("again").body != generate.request("another").body


SENT = wire.field(1, wire.address("ns", "f", "1")) + wire.field(2, wire.typed_value("a/b", b"x"))
REPLY = {"reply": wire.field(100, wire.field(2, SENT)).hex()}
VALUE_ERROR = {"raised": [["ValueError", "Exception"]], "says": ""}


def documented(*classes: str) -> dict[str, Any]:
    return {"raised": [["ours", *classes, "Exception", compare.STATEFUN_ERROR]], "says": ""}


@pytest.mark.parametrize(
    ("ours", "theirs", "seen"),
    [
        (REPLY, REPLY, "alike"),
        (REPLY, {"reply": ""}, "unlike"),
        ({"reply": "a20600"}, {"reply": ""}, "alike"),
        (REPLY, VALUE_ERROR, "unlike"),
        (VALUE_ERROR, REPLY, "unlike"),
        (documented("TypeError"), VALUE_ERROR, "unlike"),
        (documented("ValueError"), VALUE_ERROR, "alike"),
        (VALUE_ERROR, VALUE_ERROR, "alike"),
        ({"raised": [["KeyError", "Exception"]], "says": ""}, VALUE_ERROR, "unlike"),
    ],
)
def test_the_comparison_can_tell(ours: dict[str, Any], theirs: dict[str, Any], seen: str) -> None:
    """Other effects, another class, or only one side failing is a difference."""
    assert bool(compare.difference(ours, theirs)) is (seen == "unlike")
