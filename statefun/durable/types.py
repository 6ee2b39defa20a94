"""Types that tests name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statefun.durable.client_types import Client

__all__ = ["HarnessEnvironment"]


@dataclass(frozen=True)
class HarnessEnvironment:
    """What a test reaches a running app by.

    Attributes:
        ingress_url: The base URL of the ingress.
        admin_api_url: The base URL of the operator's API: `PATCH /invocations/{id}/cancel` and
            `kill`, `pause`, `resume`.
        client: A client of the ingress.
    """

    ingress_url: str
    admin_api_url: str
    client: Client
