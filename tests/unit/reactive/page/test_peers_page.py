"""The documentation page of the peer: each code block, after a set-up of what it takes for granted.

`page.txt` has the blocks as they are on the page. Only the name of the package is changed, and the
two slips of the page: the callback that `subscribe("/users/*/name")` lacks, and `stats_callback`,
which is `stats_callback_id`.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from fastapi import FastAPI

from statefun.reactive import (
    ControllerAsync,
    ControllerSync,
    FileSystemSyncBackend,
    InMemoryBackend,
)
from tests.unit.reactive.asgi import request
from tests.unit.reactive.recording import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = (Path(__file__).parent / "page.txt").read_text()
BLOCKS = dict(
    re.findall(r"^### ([^\n]+)\n\n(.*?)(?=\n### |\Z)", PAGE, flags=re.DOTALL | re.MULTILINE)
)

SLIPS = {
    '"/users/*/name")': '"/users/*/name", any_user_name_change)',
    "stats_callback)": "stats_callback_id)",
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Runs a block with some names, in an empty folder; gives its names."""
    monkeypatch.chdir(tmp_path)
    imports = "from statefun.reactive import *"

    def running(block: str, **names: Any) -> dict[str, Any]:
        text = BLOCKS[block].replace("from restate import", "from statefun.reactive import")
        for slip, right in SLIPS.items():
            text = text.replace(slip, right)
        exec(imports, names)  # what the blocks above it have imported
        exec(compile(text, block, "exec"), names)
        return names

    return running


@pytest.fixture
def controller() -> ControllerSync:
    """What the page calls `controller`."""
    return ControllerSync()


def test_every_block_is_run_here() -> None:
    """Each has a test that names it."""
    source = Path(__file__).read_text()

    assert [name for name in BLOCKS if f'"{name}"' not in source] == []
    assert len(BLOCKS) == 25


def test_quick_start(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Two changes are printed, then a user, then the derived count."""
    run("quick start")

    alice = {"name": "Alice", "role": "admin"}
    first = {"1": alice}
    both = {"1": alice, "2": {"name": "Bob", "role": "user"}}
    assert capsys.readouterr().out.splitlines() == [
        f"Users changed! New value: {first}",
        f"Users changed! New value: {both}",
        str(alice),
        "Admin count 1",
    ]


def test_controllers(run: Any) -> None:
    """One backend, two kinds."""
    names = run("controllers", backend=run("memory")["backend"])

    assert isinstance(names["sync_controller"], ControllerSync)
    assert isinstance(names["async_controller"], ControllerAsync)


def test_hierarchy(
    run: Any, controller: ControllerSync, capsys: pytest.CaptureFixture[str]
) -> None:
    """The nested structure that the page shows."""
    run("hierarchy", controller=controller)

    shown = {"theme": "dark", "colors": {"primary": "#FF0000", "secondary": "#00FF00"}}
    assert capsys.readouterr().out == f"{shown}\n"


def test_paths(run: Any, controller: ControllerSync) -> None:
    """All spellings are the same path."""
    controller.set_state("/users/1", 5)
    reads: list[Any] = []
    get = controller.get_state
    controller.get_state = lambda path: reads.append(get(path))  # type: ignore[method-assign, assignment, misc]

    run("paths", controller=controller)

    assert reads == [5] * 5


def test_backends(run: Any, tmp_path: Path) -> None:
    """Memory, files in both ways and as YAML, and mounts."""
    assert run("memory")["controller"].get_state("/temp") == "i will be gone after restart"

    safe = ModuleType("yaml")
    vars(safe).update(dump=yaml.safe_dump, load=yaml.safe_load)
    backend = run("filesystem", yaml=safe)["backend"]
    backend.write("/config/theme", "dark")
    assert (tmp_path / "state/config/theme.yaml").read_text() == "dark\n...\n"

    hybrid = run("hybrid")["controller"]
    assert hybrid.get_state("/temporary") == "volatile"
    assert (tmp_path / "state/persistent/important.json").exists() is False
    assert (tmp_path / "state/important.json").read_text() == '"saved to disk"'


def test_the_folders_are_those_of_the_page(run: Any, tmp_path: Path) -> None:
    """The structure that it draws below the filesystem backend."""
    run("hierarchy", controller=ControllerSync(FileSystemSyncBackend("./state")))

    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.json"))
    assert files == [
        "state/config/colors/primary.json",
        "state/config/colors/secondary.json",
        "state/config/theme.json",
    ]


def test_caching(run: Any, tmp_path: Path) -> None:
    """Held back, read, and flushed."""
    names = run("caching")
    names["controller"].set_state("/a", 1)

    assert names["controller"].get_state("/a") == 1
    assert not (tmp_path / "state").exists()
    names["backend"].flush()
    assert (tmp_path / "state/a.json").read_text() == "1"


class Redis:
    """A stand-in for the client of Redis: what the page uses of it."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.get = self.values.get

    def set(self, key: str, value: str) -> None:
        """Keep bytes, as Redis does."""
        self.values[key] = value.encode()

    def delete(self, key: str) -> None:
        """Forget a key."""
        self.values.pop(key, None)


def test_a_custom_backend(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three methods are enough, for transactions and caches, too."""
    module = ModuleType("redis")
    vars(module)["Redis"] = Redis
    monkeypatch.setitem(sys.modules, "redis", module)
    backend = run("custom", json=json)["RedisBackend"]()
    controller = ControllerSync(backend)

    controller.set_state("/a/b", [1])
    with controller.transaction():
        controller.set_state("/a/c", 2)
    controller.del_state("/a/b")

    assert backend.redis.values == {"/a/c": b"2"}


def test_working_with_state(run: Any, controller: ControllerSync) -> None:
    """Write, read, delete, defaults, and an equality of one's own."""
    assert run("basic operations", controller=controller)["user"] == {"name": "Alice"}
    assert controller.get_state("/users/1") is None

    assert run("defaults", controller=controller)["volume"] == 50
    assert controller.get_state("/settings/volume") == 50

    for user_id, kept in ((1, "before"), (2, "now")):
        controller.write_state("/current_user", {"id": user_id, "last_seen": "before"})
        run("equality", controller=controller)
        assert controller.get_state("/current_user")["last_seen"] == kept


def test_async_support(run: Any) -> None:
    """Behind FastAPI, and as a coroutine with a derived value below its source."""
    app = FastAPI()
    names = run("async", app=app)

    async def use() -> Any:
        for _ in range(2):
            assert (await request(app, "POST", "/api/counter"))[0] == 200
        assert await request(app, "GET", "/api/counter") == (200, b"2")
        await names["main"]()
        await names["controller"].set_state("/counter", 3)
        return await names["controller"].get_state("/")

    # the change of the derived value bubbles to `/counter`, so the page doubles the square last
    assert asyncio.run(use()) == {"counter": {"/": 3, "squared": 9}, "doubled": 18}


def test_subscribing(
    run: Any, controller: ControllerSync, capsys: pytest.CaptureFixture[str]
) -> None:
    """And unsubscribing, which then is silent."""
    names = run("subscribing", controller=controller)
    controller.set_state("/config/a", 1)
    run("unsubscribing", **names)
    controller.set_state("/config/a", 2)

    assert capsys.readouterr().out == "Config changed to: {'a': 1}\n"


def test_wildcards(
    run: Any, controller: ControllerSync, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the value before, by its documented name."""
    run("wildcards", controller=controller)
    controller.set_state("/users/7/name", "Ann")
    controller.set_state("/users/7/name", "Bob")
    controller.set_state("/users/7/age", 5)

    assert capsys.readouterr().out.splitlines() == [
        "user '7' changed name: None -> Ann",
        "user '7' changed name: Ann -> Bob",
    ]


def test_callback_ids(
    run: Any, controller: ControllerSync, capsys: pytest.CaptureFixture[str]
) -> None:
    """After the block everything is unsubscribed; the id has its new callback."""
    run("callback ids", controller=controller)
    for path in ("/users", "/stats", "/config"):
        controller.set_state(path, 1)
    assert capsys.readouterr().out == ""

    controller.subscribe_by_id("/stats", "stats_callback")
    controller.set_state("/stats", 2)
    assert capsys.readouterr().out == "New stats handler\n"


def test_bubbling_and_pings(
    run: Any, controller: ControllerSync, capsys: pytest.CaptureFixture[str]
) -> None:
    """The nested change stops; another one, and a ping, reach the root."""
    run("bubbling", controller=controller)
    controller.set_state("/deep/nested/path", 1)
    controller.set_state("/deep/other", 1)
    run("pings", controller=controller)

    assert capsys.readouterr().out.splitlines() == [
        "Handle nested change",
        "Something changed at /deep/other",
        "Something changed at /users",
    ]


def test_event_properties(
    run: Any, controller: ControllerSync, capsys: pytest.CaptureFixture[str]
) -> None:
    """The emitting path's values, at a level above it; the callback writes elsewhere."""
    run("event properties", controller=controller)
    controller.set_state("/users/1", "Ann")

    assert capsys.readouterr().out.splitlines() == [
        "Emitting path: /users/1",
        "Current path: /users",
        "Previous value: None",
        "New value: Ann",
    ]
    assert controller.get_state("/call_counter") == 10


def test_derived_state(
    run: Any, controller: ControllerSync, capsys: pytest.CaptureFixture[str]
) -> None:
    """From one source, and from many."""
    controller.set_state("/cart/items", [])
    run("one source", controller=controller)
    assert capsys.readouterr().out == "12\n"

    for name in ("users", "posts", "comments"):
        controller.set_state(f"/{name}", {})
    run("many sources", controller=controller)
    for name, count in (("users", 1), ("posts", 2), ("comments", 3)):
        controller.set_state(f"/{name}", dict.fromkeys(range(count)))
    assert controller.get_state("/stats") == {
        "user_count": 1,
        "post_count": 2,
        "comment_count": 3,
        "avg_comments_per_post": 1.5,
    }


def test_tracking(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The callback of the block runs again with each change of what it reads."""
    backend = InMemoryBackend()
    for path in ("/users", "/posts/active", "/settings"):
        backend.write(path, {"public": True})
    monkeypatch.setattr("statefun.reactive.InMemoryBackend", lambda: backend)
    controller = run("tracking")["controller"]

    assert controller.set_state("/users", {}) is True
    with pytest.raises(TypeError):
        controller.set_state("/posts/active", None)


def test_automatic_subscriptions(run: Any, controller: ControllerSync) -> None:
    """Both ways of the page are taken at once."""
    recorder = Recorder()
    controller.subscribe("/users/premium", recorder("premium"))

    run("automatic subscriptions", controller=controller)

    assert controller.set_state("/features/premium", "on") is True
    assert controller.set_state("/users/premium", 1) is True
    assert recorder.names == ["premium"]


def test_dynamic_dependencies(run: Any, controller: ControllerSync) -> None:
    """What a run has not read is no dependency any more."""
    controller.set_state("/config/data_path", "/data")
    controller.set_state("/data", ["x"])
    controller.set_state("/features/legacy", 1)
    run("dynamic dependencies", controller=controller)
    trackers = controller.subscriptions
    assert [len(trackers.at(path)) for path in ("/legacy/data", "/new/data")] == [1, 0]
    assert len(trackers.at("/data/x/details")) == 1

    controller.set_state("/features/legacy", 0)

    assert [len(trackers.at(path)) for path in ("/legacy/data", "/new/data")] == [0, 1]
