"""A program behind our adapter for aiohttp."""

import importlib
import sys

from aiohttp import web

from statefun.serve.aiohttp import aiohttp_app

functions = importlib.import_module(sys.argv[1]).functions
app = aiohttp_app(functions, path="/statefun")
web.run_app(app, host="127.0.0.1", port=int(sys.argv[2]), print=None, access_log=None)
