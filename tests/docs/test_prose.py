"""What a reader meets in the README and in docs/: short sentences, in plain English."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/**/*.md")),
]
LONGEST = 30
BREAKS = re.compile(r"(?<=[.!?])[\"')*_]*\s+")
TURNS = [
    line
    for line in (ROOT / "tests/banned_turns.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


def sentences(text: str) -> Iterator[tuple[int, str]]:
    """Each sentence outside code blocks, with the line that its paragraph begins in.

    A cell of a table and an item of a list end a sentence. A piece of code counts as one word.
    """
    for token in MarkdownIt().enable("table").parse(text):
        if token.type == "inline" and token.map:
            plain = "".join(_plain(child.type, child.content) for child in token.children or [])
            for sentence in BREAKS.split(plain):
                yield token.map[0] + 1, sentence


def _plain(kind: str, content: str) -> str:
    if kind in {"softbreak", "hardbreak"}:
        return " "
    return "`code`" if kind == "code_inline" else content


def words(sentence: str) -> list[str]:
    return [each for each in sentence.split() if re.search(r"\w", each)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_sentence_has_more_than_thirty_words(page: Path) -> None:
    """A longer one is two sentences, or a list."""
    long = [
        f"{page.name}:{line}: {len(words(sentence))} words: {sentence}"
        for line, sentence in sentences(page.read_text())
        if len(words(sentence)) > LONGEST
    ]

    assert long == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_banned_turn_is_used(page: Path) -> None:
    """Subject, verb, object: `tests/banned_turns.txt` says what to write instead."""
    found = [
        f"{page.name}:{line}: {turn[0]!r} in: {sentence}"
        for line, sentence in sentences(page.read_text())
        for pattern in TURNS
        if (turn := re.search(pattern, sentence, re.IGNORECASE))
        if not turn[0].endswith("None")  # the constant, not the word
    ]

    assert found == []


def test_sentences_are_told_apart() -> None:
    """Else a long one could hide: in a table, in a list, behind code, or over several lines."""
    text = "One `a b c` is\none. **Two** 1.5 is two!\n\n- Three\n\n| Four | Five. Six |\n|-|-|\n"

    assert [each for _, each in sentences(text)] == [
        "One `code` is one.",
        "Two 1.5 is two!",
        "Three",
        "Four",
        "Five.",
        "Six",
    ]
