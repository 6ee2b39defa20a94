"""Random programs: what they did in memory, they do from their journals."""

from __future__ import annotations

import pytest

from tests.tools.durable.random_programs import play

SEEDS = range(1, 41)


@pytest.mark.parametrize("faults", [0.0, 0.3], ids=["calm", "with faults"])
def test_a_random_program_does_the_same_in_every_replay(faults: float) -> None:
    """Whatever asyncio offers, with state, calls, failures and cancellation in between."""
    told = {seed: play(seed, faults=faults) for seed in SEEDS}

    assert {seed: text for seed, text in told.items() if text} == {}
