"""JSON Patch (RFC 6902): the difference of two JSON documents as operations."""

from __future__ import annotations

from typing import Any, TypeAlias

from statefun.reactive.paths import parts

__all__ = ["JsonOperation", "json_patch", "pointer"]

JsonOperation: TypeAlias = "dict[str, Any]"


def pointer(path: str) -> str:
    """Turn a canonical path into a JSON Pointer (RFC 6901); the root is the empty one."""
    return "".join(_below("", name) for name in parts(path))


def json_patch(before: Any, after: Any, at: str = "") -> list[JsonOperation]:
    """Say how to turn one JSON document into another.

    Objects are compared member by member; anything else that differs is replaced as a whole. Keys
    that are not text count as the text that JSON makes of them.

    Args:
        before: The document as it is.
        after: The document as it should be.
        at: JSON Pointer of the document within a larger one.

    Returns:
        Operations that an RFC 6902 client can apply in order; none if the documents are alike.

    Source:
        RFC 6902, sections 4.1 to 4.3.
    """
    if not (isinstance(before, dict) and isinstance(after, dict)):
        if _is_same(before, after):
            return []
        return [{"op": "replace", "path": at, "value": after}]
    patch: list[JsonOperation] = [
        {"op": "remove", "path": _below(at, key)} for key in before if key not in after
    ]
    for key, value in after.items():
        if key in before:
            patch += json_patch(before[key], value, _below(at, key))
        else:
            patch.append({"op": "add", "path": _below(at, key), "value": value})
    return patch


def _below(at: str, key: object) -> str:
    return f"{at}/{str(key).replace('~', '~0').replace('/', '~1')}"


def _is_same(before: Any, after: Any) -> bool:
    """Equal as JSON: `1` and `true` are not, though Python finds them equal."""
    if isinstance(before, list | tuple) and isinstance(after, list | tuple):
        pairs = zip(before, after, strict=False)
        return len(before) == len(after) and all(_is_same(*pair) for pair in pairs)
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(_is_same(before[k], after[k]) for k in before)
    return isinstance(before, bool) == isinstance(after, bool) and bool(before == after)
