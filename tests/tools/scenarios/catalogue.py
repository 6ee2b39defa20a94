"""All scenarios."""

from __future__ import annotations

from tests.tools.scenarios import (
    about_failures,
    about_messages,
    about_state,
    about_time,
    about_turns,
)

CATALOGUE = (
    *about_state.SCENARIOS,
    *about_messages.SCENARIOS,
    *about_turns.SCENARIOS,
    *about_time.SCENARIOS,
    *about_failures.SCENARIOS,
)
