"""The program `statefun`, and `python -m statefun`: the command line."""

import sys

__all__ = ["main"]


def main() -> int:
    """Run a command; one sentence on stderr if the installation is damaged."""
    try:
        from statefun.cli import main as run  # noqa: PLC0415 - it fails if files are missing
    except ImportError as error:
        if error.name != "statefun":
            raise
        print(f"statefun: {error}", file=sys.stderr)  # noqa: T201 - the output of the program
        return 1
    return run()


if __name__ == "__main__":
    sys.exit(main())
