"""Fetch all engines and see that there is a Java for them: `python -m tests.tools.lab`."""

from __future__ import annotations

import sys
import time

from tests.tools.lab.errors import LabError
from tests.tools.lab.software import Software, java_program, known_names


def main() -> int:
    """Returns the exit code; what is missing is said in a sentence."""
    for name in known_names():
        software = Software.load(name)
        sys.stdout.write(f"{software.title}: ")
        sys.stdout.flush()
        began = time.monotonic()
        try:
            java_program("java", software)
            software.compiled(software.fetched())
        except LabError as error:
            sys.stdout.write("not ready\n")
            sys.stderr.write(f"make engines: {error}\n")
            return 1
        sys.stdout.write(f"ready after {time.monotonic() - began:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
