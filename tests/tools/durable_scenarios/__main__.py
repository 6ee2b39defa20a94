"""Render the durable scenarios into their page: `python -m tests.tools.durable_scenarios`."""

from __future__ import annotations

from tests.tools.durable_scenarios.page import PAGE, rendered

PAGE.write_text(rendered(PAGE.read_text()))
