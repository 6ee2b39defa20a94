"""The installation: whether the files of the old SDK lie over or beside those of this package.

Both are the module `statefun`, so pip lets the later one overwrite `statefun/__init__.py`, and
removes it with either of them.
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check_facade", "warn_of_leftovers"]

_WAY_OUT = (
    "run 'pip uninstall -y apache-flink-statefun flink-statefun', then "
    "'pip install --force-reinstall --no-deps statefun'"
)


def check_facade() -> None:
    """Refuse to go on without our `statefun/__init__.py`.

    Raises:
        ImportError: If it was overwritten or removed; the sentence says how to mend that.
    """
    facade = sys.modules[__name__.partition(".")[0]]
    if getattr(facade, "__distribution__", None) == "statefun":
        return
    happened = "removed with" if getattr(facade, "__file__", None) is None else "overwritten by"
    raise ImportError(
        f"statefun/__init__.py was {happened} the old SDK, whose module has the same name: "
        f"{_WAY_OUT}",
        name="statefun",
    )


def warn_of_leftovers(root: Path) -> None:
    """Warn if the old SDK is installed beside this package.

    Args:
        root: The folder of the package.
    """
    if (root / "core.py").exists():
        warnings.warn(
            f"the old SDK is installed beside this package, under the same name: {_WAY_OUT}",
            RuntimeWarning,
            stacklevel=3,
        )
