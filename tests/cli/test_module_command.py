"""`statefun module`: what it prints is a module file, for the embedded runtime and for engines."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.process import statefun


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("shop.py", "ledger.py"):
        shutil.copy(Path(__file__).with_name(name), tmp_path)
    return tmp_path


def test_an_app_is_one_endpoint(folder: Path) -> None:
    """All of its functions are in one namespace, at the URL that is given."""
    outcome = statefun("module", "shop:app", "--url", "http://shop:80/statefun", cwd=folder)
    (folder / "module.yaml").write_text(outcome.out)
    check = statefun("check", "module.yaml", cwd=folder)

    assert outcome.code == 0, outcome.err
    assert "  functions: durable/*\n" in outcome.out
    assert "  urlPathTemplate: http://shop:80/statefun\n" in outcome.out
    assert check.out == "module.yaml: 1 endpoint, 0 ingresses, 0 egresses\n"
    assert check.err == ""


def test_invocations_may_come_from_kafka(folder: Path) -> None:
    """A topic for all, and one for each service; outcomes go to topics. Each dialect takes it."""
    outcome = statefun("module", "shop:app", "--kafka", "kafka:9092", cwd=folder)
    (folder / "module.yaml").write_text(outcome.out)

    assert "    - topic: durable.requests\n" in outcome.out
    assert "      targets: [durable/_gateway]\n" in outcome.out
    assert "  id: durable/replies\n" in outcome.out
    assert "    - topic: durable.Counter\n" in outcome.out
    assert "      targets: [durable/Counter]" in outcome.out
    for dialect in ("apache", "kzm"):
        check = statefun("check", "--dialect", dialect, "module.yaml", cwd=folder)
        assert (check.code, check.err) == (0, "")


def test_plain_functions_have_a_line_for_each_namespace(folder: Path) -> None:
    """Without topics, for they take messages of any kind."""
    outcome = statefun("module", "ledger:functions", cwd=folder)

    assert outcome.code == 0
    assert outcome.out.count("kind: io.statefun.endpoints.v2/http") >= 1
    assert "kafka" not in outcome.out
