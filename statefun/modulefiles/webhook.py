"""The kind `io.statefun.webhook.v1/egress`, which only the embedded runtime has."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, StrictInt, StrictStr

from statefun.errors import ConfigurationError
from statefun.modulefiles.fields import PositiveDuration, Spec, Typename
from statefun.modulefiles.transports import Location, TlsSpec

__all__ = ["WEBHOOK_EGRESS", "WebhookEgressSpec"]

WEBHOOK_EGRESS: Final = "io.statefun.webhook.v1/egress"


def _check_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"'url' {url!r} is not one to post to: write for example 'https://example.com/hook'",
            option="url",
            given=url,
        )
    return url


class WebhookRetrySpec(Spec):
    """When a record is posted again that was not taken; it is so for ever."""

    first: PositiveDuration = 500
    longest: PositiveDuration = 60_000


class WebhookEgressSpec(TlsSpec):
    """Where the records of an egress are posted to, and how.

    Attributes:
        header_files: Header → a file with its value, for secrets.
    """

    id: Typename
    url: Annotated[StrictStr, AfterValidator(_check_url)]
    headers: dict[StrictStr, StrictStr] = Field(default_factory=dict)
    header_files: dict[StrictStr, Location] = Field(default_factory=dict, alias="headerFiles")
    max_in_flight: Annotated[StrictInt, Field(ge=1)] = Field(default=1, alias="maxInFlight")
    max_waiting: Annotated[StrictInt, Field(ge=1)] = Field(default=10_000, alias="maxWaiting")
    timeout: PositiveDuration = 30_000
    retry: WebhookRetrySpec = WebhookRetrySpec()
    on_refused: Literal["retry", "drop"] = Field(default="retry", alias="onRefused")
