"""The build backend: hatchling, on a Python that the package supports.

On an older Python, pip resolves the extras for minutes before it compares the version. A backend
that cannot be imported ends that at once, with the one sentence that the user needs.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - whoever has an older one is here for this
    sys.exit(
        "statefun needs Python 3.11 or newer, and this is Python "
        f"{sys.version_info[0]}.{sys.version_info[1]}: "
        "install it with a newer one, as in `python3.12 -m pip install`."
    )

from hatchling.build import *  # noqa: F403 - the hooks that this release of hatchling has
