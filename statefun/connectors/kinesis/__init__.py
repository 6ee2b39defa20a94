"""Kinesis: streams as ingresses and egresses.

The client of the service is `cloud`; it needs `pip install 'statefun[kinesis]'`.
"""

from statefun.connectors.kinesis.egress import KinesisEgress
from statefun.connectors.kinesis.ingress import KinesisIngress
from statefun.connectors.kinesis.pace import Pace
from statefun.connectors.kinesis.records import KinesisStream
from statefun.connectors.kinesis.service import Service
from statefun.connectors.kinesis.shards import Place

__all__ = ["KinesisEgress", "KinesisIngress", "KinesisStream", "Pace", "Place", "Service"]
