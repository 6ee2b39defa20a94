"""A reader of `.proto` files, as far as ours go, so that they are checked without a compiler."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.protocol.engine_schema import Fields

__all__ = ["Schema", "parse"]

TOKEN = re.compile(r'"[^"]*"|[A-Za-z0-9_.]+|[{}=;]')
COMMENT = re.compile(r"//[^\n]*")
SCALARS = {"bool", "bytes", "double", "float", "int64", "sfixed32", "sfixed64", "string"}


@dataclass
class Schema:
    """What one or more `.proto` files declare, in the form of `engine_schema`."""

    messages: dict[str, Fields] = field(default_factory=dict)
    enums: dict[str, dict[str, int]] = field(default_factory=dict)
    oneofs: dict[str, dict[str, list[str]]] = field(default_factory=dict)


class _Reader:
    def __init__(self, text: str, into: Schema) -> None:
        self.tokens = TOKEN.findall(COMMENT.sub("", text))
        self.at = 0
        self.schema = into
        self.package = ""

    def take(self, *expected: str) -> str:
        token = str(self.tokens[self.at])
        if expected and token not in expected:
            raise ValueError(f"token {self.at} is {token!r}, expected one of {expected}")
        self.at += 1
        return token

    def file(self) -> str:
        while self.at < len(self.tokens):
            match self.take("syntax", "package", "message"):
                case "syntax":
                    self.take("=")
                    self.take('"proto3"')
                    self.take(";")
                case "package":
                    self.package = self.take()
                    self.take(";")
                case _:
                    self.message(self.package)
        return self.package

    def message(self, scope: str) -> None:
        name = f"{scope}.{self.take()}"
        self.schema.messages[name] = {}
        self.take("{")
        while (token := self.take()) != "}":
            match token:
                case "message":
                    self.message(name)
                case "enum":
                    self.enum(name)
                case "oneof":
                    self.oneof(name)
                case _:
                    self.one_field(name, token)

    def enum(self, scope: str) -> None:
        members = self.schema.enums.setdefault(f"{scope}.{self.take()}", {})
        self.take("{")
        while (member := self.take()) != "}":
            self.take("=")
            members[member] = int(self.take())
            self.take(";")

    def oneof(self, message: str) -> None:
        names = self.schema.oneofs.setdefault(message, {}).setdefault(self.take(), [])
        self.take("{")
        while (token := self.take()) != "}":
            names.append(self.one_field(message, token))

    def one_field(self, message: str, first: str) -> str:
        label, kind = ("repeated ", self.take()) if first == "repeated" else ("", first)
        name = self.take()
        self.take("=")
        self.schema.messages[message][name] = (int(self.take()), label + kind)
        self.take(";")
        return name


def parse(texts: dict[str, str]) -> tuple[dict[str, str], Schema]:
    """The package of each file, and all that they declare, with full type names."""
    schema = Schema()
    packages = {name: _Reader(text, schema).file() for name, text in texts.items()}
    for message, fields in schema.messages.items():
        for name, (number, kind) in fields.items():
            fields[name] = (number, _resolved(kind, message, schema))
    return packages, schema


def _resolved(kind: str, message: str, schema: Schema) -> str:
    """The full name of a type, looked for from the innermost scope outwards."""
    *label, short = kind.split(" ")
    if short in SCALARS:
        return kind
    scope = message
    while scope:
        full = f"{scope}.{short}"
        if full in schema.messages or full in schema.enums:
            return " ".join([*label, full])
        scope = scope.rpartition(".")[0]
    raise ValueError(f"{message} names the unknown type {short!r}")
