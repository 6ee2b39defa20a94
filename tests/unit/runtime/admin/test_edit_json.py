"""Edits as they go over the control socket."""

from __future__ import annotations

import json
from typing import Any

import pytest

from statefun.errors import EditError
from statefun.runtime.admin import edits
from statefun.runtime.admin.edit_json import decode, encode
from statefun.sdk.address import Address
from statefun.sdk.wire import StoredValue

A = Address("t/a", "1")
SET = encode(edits.SetValue(A, "n", "t/t", b""))


@pytest.mark.parametrize(
    "edit",
    [
        edits.Replay(None),
        edits.Replay((1, 2)),
        edits.Drop(None),
        edits.Drop((7,)),
        edits.Release(None),
        edits.Release((A, Address("t/b", ""))),
        edits.CancelTimers(None),
        edits.CancelTimers(()),
        edits.SetValue(A, "n", "t/t", b"\x00\xff"),
        edits.DeleteValues(A, None),
        edits.DeleteValues(A, ("m", "n")),
        edits.ReplaceValues(((A, "n", StoredValue("t/t", b"\xff"), StoredValue("t/u", b"")),)),
        edits.Send(((A, b"\x00"), (A, b""))),
    ],
    ids=repr,
)
def test_an_edit_is_the_same_after_its_way_as_json(edit: edits.Edit) -> None:
    """Every kind, with everything in it."""
    assert decode(json.loads(json.dumps(encode(edit)))) == edit


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([], "an edit is a JSON object, got"),
        ({"edit": 1}, "there is no edit 1; known: replay, drop, release,"),
        ({"edit": "replay"}, "has no 'ids'"),
        ({"edit": "replay", "ids": "all"}, "'all' is not ids"),
        ({"edit": "cancel-timers", "ids": [[1]]}, r"\[\[1\]\] is not ids"),
        ({"edit": "release", "addresses": [[1, 2]]}, "1 is not text"),
        ({**SET, "address": ["t/a", None]}, "None is not text"),
        ({**SET, "address": "t/a 1"}, "'t/a 1' is not an address"),
        ({**SET, "name": None}, "None is not text"),
        ({**SET, "data": "?"}, "'\\?' is not base64"),
        ({"edit": "send", "messages": [["t/a", "1"]]}, "is not a message"),
    ],
)
def test_anything_else_is_refused_with_the_part_that_is_wrong(given: Any, sentence: str) -> None:
    """Before any of it is done."""
    with pytest.raises(EditError, match=sentence):
        decode(given)
