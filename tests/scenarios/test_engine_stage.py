"""The stage of an engine: which records count, when a play ends, and that its job ends with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from statefun.sdk.functions import StatefulFunctions
from tests.tools.lab import Flink, LabError
from tests.tools.lab import server as lab_server
from tests.tools.scenarios import engines, places
from tests.tools.scenarios.engines import EngineStage, job
from tests.tools.scenarios.places import StuckError, play
from tests.tools.scenarios.scenario import Await, Scenario, by_channel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

NOTHING = Scenario("nothing", "nothing is so", StatefulFunctions, steps=(), records={})
STUCK = Scenario("stuck", "it goes on", StatefulFunctions, steps=(Await(1),), records={})


class Session(Flink):
    """A session of which there is nothing but its answers.

    Attributes:
        jobs: Job → its state.
        failures: When the jobs failed, newest first.
        restarting: How often the answer is still that a job is restarting.
        then: What happens after that.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.jobs: dict[str, str] = {}
        self.failures: list[int] = []
        self.restarting = 0
        self.then: Callable[[], object] = bool

    def rest(self, path: str, *_: object, verb: str = "") -> Any:
        if path.endswith("/run"):
            name = f"job-{len(self.jobs)}"
            self.jobs[name] = "RUNNING"
            return {"jobid": name}
        if path.endswith("/exceptions"):
            entries = [{"timestamp": each, "stacktrace": "a.B: no"} for each in self.failures]
            return {"exceptionHistory": {"entries": entries}}
        name = path.removeprefix("/jobs/").partition("?")[0]
        if verb == "PATCH":
            self.jobs[name] = "CANCELED"
        state = "RESTARTING" if self._restarts() else self.jobs[name]
        return {"state": state, "vertices": [{"status": state}]}

    def _restarts(self) -> bool:
        if not self.restarting:
            return False
        self.restarting -= 1
        if not self.restarting:
            self.then()
        return True


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path / "session")


@pytest.fixture
async def stage(session: Session, tmp_path: Path) -> AsyncIterator[EngineStage]:
    async with job(session, NOTHING, tmp_path) as opened:
        assert isinstance(opened, EngineStage)
        yield opened


def lines(*texts: str) -> str:
    """A file of records."""
    return "".join(f"io.statefun.types/string {_hex(text)}\n" for text in texts)


def _hex(text: str) -> str:
    return bytes([0x0A, len(text), *text.encode()]).hex()


async def test_a_play_that_does_not_go_on_ends_its_job(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the job keeps its slot, and every later play waits for one until it is cut off."""
    monkeypatch.setattr(engines, "PATIENCE_S", 0.1)

    with pytest.raises(StuckError) as caught:
        await play(STUCK, "single", lambda *each: job(session, *each), tmp_path)

    assert session.jobs == {"job-0": "CANCELED"}
    assert str(caught.value) == (
        "after Await(records=1): not so after 0.1 s: 1 records are told; the job is RUNNING and "
        "has not failed; told until then: {}"
    )


async def test_a_play_that_is_cut_off_at_its_start_ends_its_job(
    session: Session, tmp_path: Path
) -> None:
    """The thread that starts the job goes on; it would leave one behind that nobody ends."""
    loop = asyncio.get_running_loop()
    playing = asyncio.create_task(
        play(NOTHING, "single", lambda *each: job(session, *each), tmp_path)
    )
    session.restarting, session.then = 1, lambda: loop.call_soon_threadsafe(playing.cancel)

    with pytest.raises(asyncio.CancelledError):
        await playing

    assert session.jobs == {"job-0": "CANCELED"}


def test_a_job_that_does_not_come_up_is_ended(session: Session) -> None:
    """Who submits it gets no job to end, but the reason."""
    session.failures = [5, 4, 3, 2, 1]

    with pytest.raises(LabError) as caught:
        session.submit("never", "kind: a/b")

    assert session.jobs == {"job-0": "CANCELED"}
    assert str(caught.value) == (
        "it does not come up; the job is RUNNING and failed last with:\na.B: no"
    )


def test_a_wait_for_a_job_that_is_in_vain_says_how_it_is_with_the_job(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its state, and the causes of its latest failure."""
    running = session.submit("some", "kind: a/b")
    session.failures = [1]
    monkeypatch.setattr(lab_server, "PATIENCE_S", 0.1)

    with pytest.raises(LabError) as caught:
        running.wait_until("a sign", lambda: False)

    assert str(caught.value) == (
        "waiting for a sign: not so after 0.1 s\nthe job is RUNNING and failed last with:\na.B: no"
    )


def test_the_lab_gives_up_before_a_play_is_cut_off() -> None:
    """It knows what it waited for, and a play that is cut off does not."""
    assert 2 * lab_server.PATIENCE_S <= places.LONGEST_S


async def test_what_was_told_anew_otherwise_counts(stage: EngineStage, tmp_path: Path) -> None:
    """A job that went back to a checkpoint may tell as many records, and other ones."""
    told = tmp_path / "told"
    told.write_text(lines("a|1", "a|2", "a|3"))
    await stage.hear(3)

    told.write_text(lines("a|1", "a|4", "a|5"))
    await stage.settle()

    assert by_channel(stage.heard) == {"a": ("1", "4", "5")}


async def test_what_a_job_tells_after_its_restart_counts(
    stage: EngineStage, session: Session, tmp_path: Path
) -> None:
    """While it restarts it is silent; that is no sign that it has nothing more to tell."""
    session.failures, session.restarting = [1], 30
    session.then = lambda: (tmp_path / "told").write_text(lines("a|1"))

    await stage.settle()

    assert by_channel(stage.heard) == {"a": ("1",)}


async def test_a_job_that_only_fails_has_nothing_more_to_tell(
    stage: EngineStage, session: Session
) -> None:
    """It never runs as a whole: that it fails once more is enough."""

    def fail() -> None:
        session.failures.insert(0, len(session.failures) + 1)
        session.restarting = 10

    session.then = fail
    fail()

    await stage.settle()

    assert len(session.failures) > 1
    session.restarting = 0
