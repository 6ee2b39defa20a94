"""A module of version 2; importing from it says what to use now."""

from statefun.legacy import refuse

refuse("statefun.request_reply", "use `from statefun import RequestReplyHandler`")
