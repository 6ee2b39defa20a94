"""Errors over the control socket keep their class, their text and their facts."""

from __future__ import annotations

import json

import pytest

from statefun import errors
from statefun.errors import StatefunError
from statefun.runtime.admin import error_json
from statefun.sdk.address import Address
from tests.test_errors import EXAMPLES, example_of, facts_of

OF_FUNCTIONS = {
    "InvocationError",
    "TurnEndedError",
}  # with addresses of the SDK; no edit meets them


@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - OF_FUNCTIONS))
def test_an_error_is_the_same_on_the_other_side_of_the_socket(name: str) -> None:
    """Whoever makes an edit through another process catches what they would catch in it."""
    error = example_of(name)

    copy = error_json.decode(json.loads(json.dumps(error_json.encode(error))))

    assert (type(copy), str(copy)) == (type(error), str(error))
    assert facts_of(copy) == facts_of(error)
    assert (copy.is_retryable, copy.blame, copy.http_status) == (
        error.is_retryable,
        error.blame,
        error.http_status,
    )


def test_an_address_comes_back_as_an_address() -> None:
    """Not as a list of two texts."""
    error = errors.AddressBusyError("too much waits", address=Address("t/a", "1"))

    copy = error_json.decode(error_json.encode(error))

    assert vars(copy)["address"] == Address("t/a", "1")


@pytest.mark.parametrize(
    "given",
    [
        {"error": "gone"},
        {"error": "gone", "class": "StatefunError"},
        {"error": "gone", "class": "Blame"},
        {"error": "gone", "class": "OSError"},
        {"error": "gone", "class": "UnknownFunctionError", "facts": {"typename": "t/f"}},
    ],
)
def test_an_error_of_another_version_keeps_its_sentence(given: dict[str, object]) -> None:
    """A runtime may know errors, or facts of them, that this process does not."""
    error = error_json.decode(given)

    assert (type(error), str(error)) == (StatefunError, "gone")
