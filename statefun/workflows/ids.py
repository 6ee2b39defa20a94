"""Ids that follow from others, so that a repeated turn gives the same."""

from __future__ import annotations

import hashlib

__all__ = ["derived_id"]


def derived_id(text: str) -> str:
    """An id in the form of a UUID that follows from a text."""
    digits = hashlib.sha256(text.encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"
