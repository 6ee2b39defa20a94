"""The programs of the pages as type checkers see them; `make check` runs the checkers."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

TOOL = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "type_pages.py"))


def test_each_line_of_a_block_keeps_its_number() -> None:
    """So that a checker's error names the line of the page."""
    page = "# Page\n\n```python\na = 1\n```\n\n```yaml\nb: 2\n```\n\n```python\nc = 3\n```\n"

    module = TOOL["module_of"](page).splitlines()

    assert {number: line for number, line in enumerate(module, 1) if line} == {
        number: line
        for number, line in enumerate(page.splitlines(), 1)
        if line in {"a = 1", "c = 3"}
    }


def test_every_page_with_code_and_every_example_is_checked(tmp_path: Path) -> None:
    """No program that a reader may copy is left out, and none silences a checker."""
    written = TOOL["write_modules"](tmp_path)

    names = {str(each.relative_to(tmp_path)) for each in written}
    assert {
        "readme.py",
        "tutorial.py",
        "patterns.py",
        "greeter/functions.py",
        "new/functions.py",
    } <= names
    assert [each.name for each in written if TOOL["SUPPRESSION"].search(each.read_text())] == []


@pytest.mark.parametrize("line", ["x = 1  # type: ignore[x]", "x = cast(int, 1)", "y = 2  # noqa"])
def test_a_suppression_is_seen(line: str) -> None:
    """A program that silences its checker does not show that its types are right."""
    assert TOOL["SUPPRESSION"].search(line)
