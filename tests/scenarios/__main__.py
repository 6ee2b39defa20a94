"""Render the scenarios into the page about the engine: `python -m tests.scenarios`."""

from __future__ import annotations

from tests.scenarios.page import PAGE, rendered

PAGE.write_text(rendered(PAGE.read_text()))
