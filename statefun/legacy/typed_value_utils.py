"""A module of version 2; importing from it says what to use now."""

from statefun.legacy import refuse

refuse("statefun.typed_value_utils", "use to_typed_value and from_typed_value of statefun.utils")
