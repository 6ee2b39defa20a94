"""What a function is and sees: no I/O and no clock of its own; needs protobuf alone."""

from statefun.installation import check_facade

check_facade()
