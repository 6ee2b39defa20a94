"""The command line: one module for each command, and one place that assembles a runtime."""

from statefun.cli.program import main

__all__ = ["main"]
