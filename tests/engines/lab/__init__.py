"""Starts the real engine and a Kafka broker from release jars: plain Java processes on loopback."""

from tests.engines.lab.errors import LabError
from tests.engines.lab.flink import Flink, Job
from tests.engines.lab.kafka import Kafka
from tests.engines.lab.software import SHORT_LIVED

__all__ = ["SHORT_LIVED", "Flink", "Job", "Kafka", "LabError"]
