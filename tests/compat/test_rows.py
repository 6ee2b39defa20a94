"""Every row of the compatibility page, run against the old SDK and against ours."""

import re

import pytest

from statefun import legacy
from tests.tools.compat.peer import ROOT, Peer
from tests.tools.compat.rows import Row
from tests.tools.compat.rows_different import DIFFERENT
from tests.tools.compat.rows_kept import KEPT

ROWS = {row.id: row for row in (*KEPT, *DIFFERENT)}
every_row = pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))


@every_row
def test_the_old_sdk_does_what_the_row_says(row: Row, upstream: Peer) -> None:
    """The page describes the old SDK as it is."""
    result = upstream.perform({"do": "run", "snippet": row.snippet})

    problem = row.upstream.problem(result)
    assert problem is None, f"{row.says}\n{problem}"


@every_row
def test_ours_does_what_the_row_says(row: Row, ours: Peer) -> None:
    """The page describes ours as it is."""
    result = ours.perform({"do": "run", "snippet": row.snippet})

    problem = row.ours.problem(result)
    assert problem is None, f"{row.says}\n{problem}"


def test_every_row_has_an_id_of_its_own() -> None:
    """An id names one row, in words."""
    assert len(ROWS) == len(KEPT) + len(DIFFERENT)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row_id) for row_id in ROWS)


def test_a_row_that_differs_says_how() -> None:
    """What is the same with every protobuf is no difference."""
    same = [row.id for row in DIFFERENT if row.upstream == row.ours and not row.protobuf]
    assert same == []


def test_the_page_names_exactly_these_rows() -> None:
    """docs/compatibility.md and the rows say the same things, in the same order."""
    page = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
    named = {
        part.splitlines()[0]: re.findall(r"\| `([a-z0-9-]+)` \|$", part, re.MULTILINE)
        for part in page.split("\n## ")
    }

    assert [row for rows in named.values() for row in rows] == list(ROWS)
    assert named["Different on purpose"] == [row.id for row in DIFFERENT]


def test_the_page_names_everything_that_version_2_had() -> None:
    """What an ImportError advises, and more of it, stands on the page."""
    page = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
    version_2 = page.partition("\n## Names of version 2")[2]

    assert [name for name in legacy.REPLACEMENTS if f"`{name}`" not in version_2] == []


def test_the_page_names_every_old_module() -> None:
    """Who imports an old module finds the new one."""
    page = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
    paths = page.partition("\n## Import paths")[2]

    assert [name for name in legacy.OLD_MODULES if f"`statefun.{name}`" not in paths] == []
