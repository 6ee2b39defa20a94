"""Errors as JSON: the form in which they come back over the control socket.

Law: `decode(encode(error))` is an error of the same class, with the same text and the same facts,
as far as these are texts, numbers, addresses, or tuples of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statefun import errors
from statefun.errors import StatefunError
from statefun.sdk.address import Address

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["decode", "encode"]

_PLAIN = (str, int, float, type(None))


def encode(error: StatefunError) -> dict[str, Any]:
    """The JSON object of an error."""
    facts = {name: _encoded(fact) for name, fact in vars(error).items() if _is_encoded(fact)}
    return {"error": str(error), "class": type(error).__name__, "facts": facts}


def decode(given: Mapping[str, Any]) -> StatefunError:
    """The error of a JSON object; a plain `StatefunError` if its class is not known here."""
    sentence, name = str(given["error"]), given.get("class")
    kind = getattr(errors, str(name), None) if name in errors.__all__ else None
    if not (isinstance(kind, type) and issubclass(kind, StatefunError)):
        return StatefunError(sentence)
    error = kind.__new__(kind, sentence)
    facts = given.get("facts", {})
    vars(error).update({fact: _decoded(value) for fact, value in facts.items()})
    try:
        is_whole = str(error) == sentence
    except AttributeError:  # a fact is missing
        is_whole = False
    return error if is_whole else StatefunError(sentence)


def _is_encoded(fact: object) -> bool:
    return isinstance(fact, _PLAIN) or (isinstance(fact, tuple) and all(map(_is_encoded, fact)))


def _encoded(fact: Any) -> Any:
    if isinstance(fact, Address):
        return {"address": [fact.typename, fact.id]}
    return [_encoded(each) for each in fact] if isinstance(fact, tuple) else fact


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        return Address(*value["address"])
    return tuple(map(_decoded, value)) if isinstance(value, list) else value
