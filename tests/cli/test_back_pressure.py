"""An address with too much to do, as whoever sends to it meets it."""

from __future__ import annotations

from http.client import HTTPConnection
from typing import TYPE_CHECKING

from tests.cli.process import Server

if TYPE_CHECKING:
    from pathlib import Path

MODULE = """\
kind: io.statefun.endpoints.v2/http
spec:
  functions: t/*
  urlPathTemplate: http://127.0.0.1:1/statefun
  maxNumBatchRequests: 3
---
kind: io.statefun.playground.v1/ingress
spec: {port: 0}
"""


def put(server: Server, address_id: str) -> tuple[int, str | None, str]:
    """Status, time to come again, and reason."""
    connection = HTTPConnection(server.url("ingress").removeprefix("http://"))
    headers = {"Content-Type": "application/vnd.t/value"}
    connection.request("PUT", f"/t/slow/{address_id}", b"x", headers)
    answer = connection.getresponse()
    content = answer.status, answer.headers["Retry-After"], answer.read().decode()
    connection.close()
    return content


def test_an_address_over_max_num_batch_requests_refuses_and_others_go_on(tmp_path: Path) -> None:
    """By 503 and a time to come again, at a runtime whose endpoint is out of reach."""
    (tmp_path / "module.yaml").write_text(MODULE)

    with Server("run", "module.yaml", cwd=tmp_path) as server:
        taken = [put(server, "1")[0] for _ in range(3)]
        status, again, reason = put(server, "1")
        other = put(server, "2")[0]

    assert (taken, status, other) == ([200, 200, 200], 503, 200)
    assert again is not None
    assert int(again) >= 1
    assert "wait for t/slow '1'" in reason
