"""A module of version 2; importing from it says what to use now."""

from statefun.legacy import refuse

refuse("statefun.exceptions", "catch the errors of statefun.errors, such as InvocationError")
