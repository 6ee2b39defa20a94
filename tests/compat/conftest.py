"""The two SDKs, side by side."""

from collections.abc import Iterator

import pytest

from tests.tools.compat import peer


@pytest.fixture(scope="session")
def upstream() -> Iterator[peer.Peer]:
    """The old SDK in its own environment; a test that needs it fails when it is missing."""
    try:
        python = peer.upstream_python()
    except FileNotFoundError as exc:
        pytest.fail(str(exc), pytrace=False)
    with peer.started(python) as upstream:
        hello = upstream.perform({"do": "hello"})
        old = {"flink-statefun", "apache-flink-statefun"}
        assert old & hello.keys(), f"another `statefun` answers in {python}: {hello}"
        yield upstream


@pytest.fixture(scope="session")
def ours() -> Iterator[peer.Peer]:
    """Our SDK in a process of its own, so that a snippet cannot disturb the tests."""
    with peer.started(peer.OURS) as ours:
        yield ours
