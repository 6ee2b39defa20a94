"""Serving functions over HTTP: adapters for the servers people run, and `statefun serve`.

Importing this needs no extra; a server's own library is imported when its adapter is made.
"""

from __future__ import annotations

from statefun.serve.aiohttp import aiohttp_app
from statefun.serve.asgi import asgi_app
from statefun.serve.awslambda import lambda_handler
from statefun.serve.wsgi import wsgi_app

__all__ = ["aiohttp_app", "asgi_app", "lambda_handler", "wsgi_app"]
