"""Routes: the handler of a path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.http.messages import Response, text_response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Collection

    from statefun.http.messages import Handler, Later, Request

__all__ = ["Routes", "method_not_allowed"]


class Routes:
    """A handler that passes each request on to the handler of its path.

    A path that ends in `/` stands for every path that begins with it. The longest path that fits
    is taken. No path fits: 404, with a list of the paths. Its methods do not fit: 405 with `Allow`.
    """

    def __init__(self) -> None:
        self._exact: dict[str, tuple[Handler, frozenset[str]]] = {}
        self._prefixes: list[tuple[str, Handler, frozenset[str]]] = []

    def add(self, path: str, handler: Handler, methods: Collection[str] = ("GET",)) -> None:
        """Add a handler.

        Args:
            path: Percent-decoded. `/` stands for every path that no other one fits.
            handler: Answers the requests.
            methods: Those that it answers, in capitals; `HEAD` goes with `GET`. None of them means
                that the handler looks at the method itself.
        """
        allowed = frozenset(methods) | ({"HEAD"} if "GET" in methods else set())
        if path.endswith("/"):
            self._prefixes.append((path, handler, allowed))
            self._prefixes.sort(key=lambda each: -len(each[0]))
        else:
            self._exact[path] = handler, allowed

    def __call__(self, request: Request) -> Response | Later | Awaitable[Response]:
        """Answer a request."""
        path = request.path
        handler, methods = self._exact.get(path) or self._by_prefix(path)
        if handler is None:
            known = " or ".join([*self._exact, *(f"{each[0]}…" for each in self._prefixes)])
            return text_response(404, f"nothing is served at {path!r}: ask for {known}")
        if methods and request.method not in methods:
            return method_not_allowed(request.method, *sorted(methods))
        return handler(request)

    def _by_prefix(self, path: str) -> tuple[Handler | None, frozenset[str]]:
        for prefix, handler, methods in self._prefixes:
            if path.startswith(prefix):
                return handler, methods
        return None, frozenset()


def method_not_allowed(method: str, *allowed: str) -> Response:
    """The response to a request whose method is not served; the first of `allowed` is advised."""
    return text_response(405, f"{method} is not served: use {allowed[0]}", Allow=", ".join(allowed))
