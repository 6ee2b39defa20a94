"""Identity: ids say where an invocation lives, and nonsense is refused."""

from __future__ import annotations

import pytest

from statefun.durable.exceptions import TerminalError
from statefun.durable.identity import Awakeable, InvocationId, Place, derived


@pytest.mark.parametrize("key", ["", "k", "a/b", "\N{SNOWMAN}", "x" * 500])
@pytest.mark.parametrize("place", Place)
def test_an_id_can_be_taken_apart(place: Place, key: str) -> None:
    """Service, key and kind of address are in it."""
    made = InvocationId(place, "Order", key, derived("a"))
    awakeable = Awakeable(str(made), 7)

    assert InvocationId.parse(str(made)) == made
    assert Awakeable.parse(str(awakeable)) == awakeable


@pytest.mark.parametrize(
    "text", ["", "inv_1", "inv_1!!!", "inv_1AAAA", "prom_1", "prom_1AAAAAA", "x", None, 5]
)
def test_nonsense_is_refused_with_400(text: str) -> None:
    """Whatever it is."""
    for kind in (InvocationId, Awakeable):
        with pytest.raises(TerminalError, match="bad format") as caught:
            kind.parse(text)
        assert caught.value.status_code == 400


def test_derived_bytes_depend_on_every_part_and_its_bounds() -> None:
    """So that no two commands ever start the same invocation."""
    made = [derived("a", "bc"), derived("ab", "c"), derived("a", 1), derived("a", 11)]

    assert len(set(made)) == len(made)
    assert derived("a", 1) == derived("a", 1)
