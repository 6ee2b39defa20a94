"""What a function is and sees: no I/O and no clock of its own; needs protobuf alone."""
