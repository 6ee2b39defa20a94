"""A module of version 2; importing from it says what to use now."""

from statefun.legacy import refuse

refuse(
    "statefun.exceptions",
    "catch the exceptions that functions raise, and the errors of statefun.errors",
)
