#!/usr/bin/env bash
# The default data converter of temporalio 1.35.0 takes the first member of a union that can be made, and makes it
# leniently: 1.5 for `int | float` arrives as 1, a dataclass for `Base | Longer` arrives as `Base` without the
# other's fields, a named tuple arrives as a list. Nothing is raised. Exits non-zero when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check temporalio==1.35.0

found=$("$folder/venv/bin/python" - <<'PYTHON'
from dataclasses import dataclass
from typing import List, NamedTuple, Union

from temporalio.converter import default

converter = default().payload_converter


@dataclass
class Base:
    amount: int


@dataclass
class Longer:
    amount: int
    currency: str


class Place(NamedTuple):
    row: int
    seat: str


def arrives(value, hint):
    return converter.from_payloads(converter.to_payloads([value]), [hint])[0]


print(arrives(1.5, Union[int, float]), arrives(1.5, Union[float, int]), arrives([1.9], List[int]))
print(arrives(Longer(1, "EUR"), Union[Base, Longer]))
print(arrives(Place(1, "A"), Place))
PYTHON
)
echo "$found"
[ "$found" = "1 1.5 [1]
Base(amount=1)
[1, 'A']" ]
