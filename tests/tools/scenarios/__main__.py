"""Render the scenarios into the page about the engine: `python -m tests.tools.scenarios`."""

from __future__ import annotations

from tests.tools.scenarios.page import PAGE, rendered

PAGE.write_text(rendered(PAGE.read_text()))
