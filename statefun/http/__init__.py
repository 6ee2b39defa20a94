"""HTTP/1.1: the one server behind everything that listens.

A server takes a handler: a callable that is given a `Request` and returns a `Response`, a `Later`,
or an awaitable of a `Response`. `Routes` is a handler that looks at the path and the method.
"""

from statefun.http.access import Access, AccessFiles, bearer_tokens, server_tls
from statefun.http.limits import ServerLimits
from statefun.http.messages import Handler, Later, Request, Response, text_response
from statefun.http.routes import Routes
from statefun.http.server import HttpServer

__all__ = [
    "Access",
    "AccessFiles",
    "Handler",
    "HttpServer",
    "Later",
    "Request",
    "Response",
    "Routes",
    "ServerLimits",
    "bearer_tokens",
    "server_tls",
    "text_response",
]
