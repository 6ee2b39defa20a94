"""What goes wrong in the lab."""

from __future__ import annotations


class LabError(RuntimeError):
    """An engine could not be fetched, started, or asked."""


def causes(trace: str) -> str:
    """A Java stack trace, or an answer that holds one, without its frames."""
    lines = trace.replace("\\n", "\n").replace("\\t", "\t").splitlines()
    return "\n".join(line for line in lines if not line.startswith(("\t", " ")))[:3000]
