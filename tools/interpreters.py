"""Print the oldest or the newest Python on this machine that the package supports, or a given one.

    python tools/interpreters.py oldest|newest|3.12

Looks on the search path and among the versions that pyenv keeps.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

OLDEST_SUPPORTED = (3, 11)


def candidates() -> list[Path]:
    """Programs that are called `python3.x`."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders += sorted(pyenv.glob("versions/*/bin"))
    return [path for folder in folders for path in folder.glob("python3.*")]


def version(path: Path) -> tuple[int, ...] | None:
    """The version that the program says it is, None if it does not run."""
    if not re.fullmatch(r"python3\.\d+", path.name):
        return None
    script = "import sys, venv, ensurepip; print(*sys.version_info[:3])"
    done = subprocess.run([path, "-c", script], capture_output=True, text=True, check=False)  # noqa: S603
    return tuple(map(int, done.stdout.split())) if done.returncode == 0 else None


def main() -> int:
    """Print the path of one interpreter."""
    found = {known: path for path in candidates() if (known := version(path))}
    found[sys.version_info[:3]] = Path(sys.executable)
    supported = sorted(each for each in found if each[:2] >= OLDEST_SUPPORTED)
    wanted = sys.argv[1] if len(sys.argv) == 2 else ""
    if re.fullmatch(r"3\.\d+", wanted):
        supported = [each for each in supported if f"{each[0]}.{each[1]}" == wanted]
        if not supported:
            print(f"there is no Python {wanted} on the search path or in pyenv", file=sys.stderr)
            return 2
    elif wanted not in {"oldest", "newest"} or not supported:
        print(__doc__, file=sys.stderr)
        return 2
    print(found[supported[0 if wanted == "oldest" else -1]])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
