"""`python -m statefun`: the command line."""

import sys

from statefun.cli import main

if __name__ == "__main__":
    sys.exit(main())
