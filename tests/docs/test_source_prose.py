"""The prose of the source: docstrings, comments and the texts of errors, in plain English."""

from __future__ import annotations

import io
import re
import tokenize
from typing import TYPE_CHECKING

import pytest

from tests.docs.test_prose import ROOT, TURNS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = sorted((ROOT / "statefun").rglob("*.py"))
TEXT = {tokenize.STRING, tokenize.COMMENT}
TEXT |= {each for each, name in tokenize.tok_name.items() if name.startswith("FSTRING")}
SEAM = re.compile(r"[\"']\s+(?:[rbf]*[\"'])|\s*\n\s*(?:# ?)?|\s+")


def prose(source: str) -> Iterator[tuple[int, str]]:
    """Every string and every comment, with its line; neighbours are one text."""
    parts: list[str] = []
    line = 1
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in TEXT:
            line = line if parts else token.start[0]
            parts.append(token.string)
        elif token.type != tokenize.NL and parts:
            yield line, " ".join(SEAM.sub(" ", "\n".join(parts)).split())
            parts = []


def turns_in(source: str) -> Iterator[tuple[int, str]]:
    for line, text in prose(source):
        for pattern in TURNS:
            for turn in re.finditer(pattern, text, re.IGNORECASE):
                if not turn[0].endswith("None"):  # the constant, not the word
                    yield line, text[max(0, turn.start() - 30) : turn.end() + 30]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT / "statefun")))
def test_no_banned_turn_is_used_in_the_source(path: Path) -> None:
    """`tests/banned_turns.txt` says what to write instead."""
    assert [f"{path}:{line}: …{turn}…" for line, turn in turns_in(path.read_text())] == []


def test_a_turn_is_found_wherever_it_stands() -> None:
    """In a docstring, a comment and an error, also across lines."""
    source = '''
def f():
    """A body that is no
    request."""
    # it is none of
    # ours
    raise ValueError(
        "12 bytes are "
        "no ToFunction"
    )
'''
    assert [line for line, _ in turns_in(source)] == [3, 5, 8]
