"""Starts the real engine and a Kafka broker from release jars: plain Java processes on loopback."""

from tests.tools.lab.errors import LabError
from tests.tools.lab.flink import Flink, Job
from tests.tools.lab.kafka import Kafka
from tests.tools.lab.software import SHORT_LIVED

__all__ = ["SHORT_LIVED", "Flink", "Job", "Kafka", "LabError"]
