"""The cluster and the broker of docker-compose.yml, as the lab starts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engines import compose
from tests.tools.lab import SHORT_LIVED, Flink, Kafka

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def deployed_flink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flink]:
    """A manager and a worker; one job at a time."""
    folder = tmp_path_factory.mktemp("deployed-flink")
    configuration = compose.flink_template()
    with Flink(
        folder, mode="cluster", configuration=configuration, java_flags=SHORT_LIVED
    ) as flink:
        yield flink


@pytest.fixture
def deployed_kafka(tmp_path: Path) -> Iterator[Kafka]:
    """A broker without topics."""
    properties = compose.broker_template()
    with Kafka(tmp_path / "kafka", properties=properties, java_flags=SHORT_LIVED) as kafka:
        yield kafka
