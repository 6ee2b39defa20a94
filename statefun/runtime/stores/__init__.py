"""Stores: where the runtime keeps messages, values and timers."""
