"""What works, and what is said, where no extra is installed."""

from __future__ import annotations

import subprocess
import sys

HIDE = """
import sys
for name in ("aiohttp", "uvicorn", "httptools", "uvloop"):
    sys.modules[name] = None
from statefun.sdk.functions import StatefulFunctions
from statefun.serve import *
from statefun.serve.server import serve
functions = StatefulFunctions()
"""


def run(code: str) -> str:
    """What the code prints where nothing but the core is installed."""
    return subprocess.run(
        [sys.executable, "-c", HIDE + code], check=True, capture_output=True, text=True
    ).stdout


def test_adapters_that_need_no_library_work_without_extras() -> None:
    """ASGI, WSGI and Lambda are signatures: the server brings its own library."""
    code = "print([make(functions) is not None for make in (asgi_app, wsgi_app, lambda_handler)])"

    assert run(code) == "[True, True, True]\n"


def test_a_missing_library_names_the_extra_that_brings_it() -> None:
    """The error says what to install."""
    code = """
for make in (lambda: aiohttp_app(functions), lambda: serve("greeter:functions")):
    try:
        make()
    except ModuleNotFoundError as error:
        print(error)
"""

    assert run(code).splitlines() == [
        "aiohttp_app needs aiohttp: pip install 'statefun[aiohttp]'",
        "serving needs httptools: pip install 'statefun[serve]'",
    ]
