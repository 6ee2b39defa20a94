"""A figure: what is compared with which peer; its rows; and how two sides are measured in turns."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Figure", "Row", "Sample", "compared", "in_turns"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        figure: The figure's name.
        case: What was done.
        ours: The median of our side, with its unit.
        peer: The median of the peer, with its unit, and who it is.
        ratio: The median of the ratios of all rounds; more is better for us.
        lowest: The lowest ratio of a round.
        highest: The highest ratio of a round.
        goal: What the ratio should reach; None if it is only shown.
        limit: The share of our time that no SDK could take away; empty if it is not known.
    """

    figure: str
    case: str
    ours: str
    peer: str
    ratio: float
    lowest: float
    highest: float
    goal: float | None = None
    limit: str = ""


class Figure(Protocol):
    """Something that can be measured; a module of this package has one as `FIGURE`."""

    @property
    def name(self) -> str:
        """What to type to measure it alone."""

    def measure(self, rounds: int) -> Iterator[Row]:
        """Measure it, row by row.

        Raises:
            Unavailable: If this machine lacks something; the sentence says what.
        """


@dataclass(frozen=True, slots=True)
class Sample:
    """What each side cost in each round: seconds of CPU time for one piece of work."""

    ours: Sequence[float]
    peer: Sequence[float]


def in_turns(rounds: int, ours: Callable[[], float], peer: Callable[[], float]) -> Sample:
    """Measure two sides in turns, after one round that does not count.

    Args:
        rounds: How often each side is measured.
        ours: Measures our side once.
        peer: Measures the other side once.
    """
    pairs = [(ours(), peer()) for _ in range(rounds + 1)][1:]
    return Sample([pair[0] for pair in pairs], [pair[1] for pair in pairs])


def compared(
    figure: str,
    case: str,
    sample: Sample,
    *,
    unit: Callable[[float], str],
    peer: str,
    goal: float | None,
) -> Row:
    """The row of a sample: how many times less CPU time our side takes.

    Args:
        figure: The figure's name.
        case: What was done.
        sample: What it cost.
        unit: Seconds → what is shown.
        peer: Who the other side is.
        goal: What the ratio should reach.
    """
    ratios = sorted(peer / ours for ours, peer in zip(sample.ours, sample.peer, strict=True))
    return Row(
        figure=figure,
        case=case,
        ours=unit(median(sample.ours)),
        peer=f"{unit(median(sample.peer))} {peer}",
        ratio=median(ratios),
        lowest=ratios[0],
        highest=ratios[-1],
        goal=goal,
    )
