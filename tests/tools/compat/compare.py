"""Whether two answers to one request mean the same."""

import json
from typing import Any

from tests.tools.compat import wire

STATEFUN_ERROR = "statefun.errors.StatefunError"

# They came from inside protobuf; what callers can rely on is the ValueError that they are.
INCIDENTAL = {"UnicodeError", "UnicodeEncodeError", "UnicodeDecodeError", "Exception"}


def difference(ours: dict[str, Any], theirs: dict[str, Any]) -> str | None:
    """What an engine or a caller could tell apart, or None."""
    if "raised" in ours and "raised" in theirs:
        return _uncaught(ours["raised"], theirs["raised"])
    if "raised" in ours:
        return f"ours raised {ours['raised'][0][0]}: {ours['says']}; the old SDK answered"
    if "raised" in theirs:
        return f"the old SDK raised {theirs['raised'][0][0]}: {theirs['says']}; ours answered"
    ours, theirs = (wire.meaning(bytes.fromhex(answer["reply"])) for answer in (ours, theirs))
    return _unlike(_opened(ours), _opened(theirs), "reply")


def _uncaught(ours: list[list[str]], theirs: list[list[str]]) -> str | None:
    """What leaves the handler: the same error, or a documented one that is one of theirs, too."""
    if ours[0] == theirs[0]:
        return None
    if STATEFUN_ERROR not in ours[0]:
        return f"ours raised {ours[0][0]}, which is no StatefunError"
    return _uncovered(ours, theirs[0])


def _uncovered(ours: list[list[str]], theirs: list[str]) -> str | None:
    needed = needed_classes(theirs)
    if any(needed <= set(link) for link in ours):
        return None
    return f"ours raised {ours!r}, which is not an instance of all of {sorted(needed)}"


def needed_classes(names: list[str]) -> set[str]:
    """The classes an `except` clause written for the old SDK may name: builtins, and the user's."""
    users = {n for n in names if n.startswith("tests.tools.compat.program.") or n == "struct.error"}
    return users | {n for n in names if "." not in n} - INCIDENTAL


def _opened(meaning: dict[str, Any]) -> dict[str, Any]:
    """The reply with its traces decoded, so that what was caught can be compared by class."""
    for egress in meaning.get("egresses", []):
        argument = egress.get("argument", {})
        if argument.get("typename") == "fuzz/trace":
            argument["value"] = json.loads(bytes.fromhex(argument["value"]))
    return meaning


def _unlike(ours: Any, theirs: Any, where: str) -> str | None:
    """The first place where two trees differ; an exception is compared as an exception."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        if theirs.keys() == ours.keys() == {"raised"}:
            # Caught by the function itself: no wrapper around it yet.
            problem = _uncovered(ours["raised"][:1], theirs["raised"][0])
            return f"{where}: {problem}" if problem else None
        if theirs.keys() == ours.keys():
            pairs = [(ours[key], theirs[key], f"{where}.{key}") for key in theirs]
            return next(filter(None, (_unlike(*pair) for pair in pairs)), None)
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        pairs = [(a, b, f"{where}[{i}]") for i, (a, b) in enumerate(zip(ours, theirs, strict=True))]
        return next(filter(None, (_unlike(*pair) for pair in pairs)), None)
    return None if ours == theirs else f"{where}: ours {ours!r}, the old SDK {theirs!r}"
