"""The kinds of components in module files, as pydantic models.

Law: a model says what a file may say; numbers are what the runtime counts in, milliseconds and
bytes. What a model refuses, the engine refuses too, or could not do.

Source:
    The module files of Flink Stateful Functions 3.3, and the kinds of its playground. The kind
    `io.statefun_tasks.v1/pipeline` comes from the documentation of fransking.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StrictInt,
    StrictStr,
    ValidationInfo,
    model_validator,
)

from statefun.errors import ConfigurationError
from statefun.modulefiles.dialects import ParseContext
from statefun.modulefiles.durations import parse_iso_duration_ms
from statefun.modulefiles.failures import FailureMode, RetrySpec
from statefun.modulefiles.fields import (
    Functions,
    Name,
    Port,
    Spec,
    Typename,
    UrlTemplate,
)
from statefun.modulefiles.kafka import KafkaEgressSpec, KafkaIngressSpec
from statefun.modulefiles.kinesis import KinesisEgressSpec, KinesisIngressSpec
from statefun.modulefiles.transports import AsyncTransport, OkHttpTimeouts, Transport
from statefun.runtime.engine.policy import FailurePolicy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statefun.modulefiles.dialects import Dialect
    from statefun.runtime.transports.options import HttpOptions

__all__ = [
    "KINDS",
    "PLAYGROUND_KINDS",
    "EgressSpec",
    "EndpointSpec",
    "IngressSpec",
    "Kind",
    "Role",
]

Role: TypeAlias = Literal["endpoint", "ingress", "egress", "pipeline"]
"""The part that a component is."""


def _check_topics(topics: tuple[str, ...]) -> tuple[str, ...]:
    if not topics:
        raise ConfigurationError("names no topic: write for example 'topics: [greetings]'")
    for topic in topics:
        if not topic:
            raise ConfigurationError("a topic has an empty name: give it one, or remove it")
        if topics.count(topic) > 1:
            raise ConfigurationError(f"{topic!r} is named twice: keep one of them")
    return topics


class EndpointSpec(Spec, ABC):
    """Functions served over HTTP."""

    functions: Functions
    url_path_template: UrlTemplate = Field(alias="urlPathTemplate")
    max_batch: StrictInt = Field(default=1000, alias="maxNumBatchRequests")

    @abstractmethod
    def options(self) -> HttpOptions:
        """How the functions are called."""

    def failure(self, dialect: Dialect) -> FailurePolicy | None:
        """What becomes of a message that the functions fail on; None if nothing is said."""
        then = dialect.failure_modes[0]
        return None if dialect.is_embedded else FailurePolicy(then)


class EndpointV2(EndpointSpec):
    """The kind `io.statefun.endpoints.v2/http`."""

    transport: Transport = AsyncTransport()
    chosen_failure_mode: FailureMode | None = Field(default=None, alias="failureMode")
    retry: RetrySpec = RetrySpec()

    @model_validator(mode="after")
    def _suits_the_dialect(self, info: ValidationInfo) -> Self:
        reading = ParseContext.of(info.context)
        is_socket = self.url_path_template.startswith(("http+unix:", "https+unix:"))
        if is_socket and isinstance(self.transport, AsyncTransport) and not reading.runs_here:
            raise ConfigurationError(
                f"'urlPathTemplate' {self.url_path_template!r} is a socket, which the engine "
                "reaches by another transport only: write "
                "'transport: {type: io.statefun.transports.v1/okhttp}'"
            )
        return self

    def options(self) -> HttpOptions:
        """As the transport says."""
        return self.transport.options()

    def failure(self, dialect: Dialect) -> FailurePolicy | None:
        """As the file says, or else the dialect."""
        if self.chosen_failure_mode is None and self.retry == RetrySpec():
            return super().failure(dialect)
        then = self.chosen_failure_mode or dialect.failure_modes[0]
        return FailurePolicy(then, self.retry.policy())


class EndpointV1(EndpointSpec):
    """The kind `io.statefun.endpoints.v1/http`, whose transport is `okhttp`."""

    timeouts: OkHttpTimeouts = OkHttpTimeouts()

    def options(self) -> HttpOptions:
        """As the timeouts say."""
        return self.timeouts.options()


class IngressSpec(Spec):
    """The kind `io.statefun.playground.v1/ingress`; port 0 stands for any free one."""

    port: Port
    id: Typename = "io.statefun.playground/ingress"


class EgressSpec(Spec):
    """The kind `io.statefun.playground.v1/egress`; port 0 stands for any free one."""

    port: Port
    topics: Annotated[tuple[StrictStr, ...], AfterValidator(_check_topics)]
    id: Typename = "io.statefun.playground/egress"


class PipelineSpec(Spec):
    """The kind `io.statefun_tasks.v1/pipeline`; what it requires is not documented."""

    id: Typename
    state_expiration: Annotated[int, BeforeValidator(parse_iso_duration_ms), Field(gt=0)] | None = (
        Field(default=None, alias="stateExpiration")
    )
    egress: Typename | None = None
    events_egress: Typename | None = Field(default=None, alias="eventsEgress")
    events_topic: Name | None = Field(default=None, alias="eventsTopic")
    callback_delay_ms: Annotated[StrictInt, Field(ge=0)] | None = Field(
        default=None, alias="callbackDelayMs"
    )


class Kind(NamedTuple):
    """A kind of component.

    Attributes:
        role: The part that it is.
        spec: What a file may say.
    """

    role: Role
    spec: type[Spec]


KINDS: Final[Mapping[str, Kind]] = {
    "io.statefun.endpoints.v1/http": Kind("endpoint", EndpointV1),
    "io.statefun.endpoints.v2/http": Kind("endpoint", EndpointV2),
    "io.statefun.playground.v1/ingress": Kind("ingress", IngressSpec),
    "io.statefun.kafka.v1/ingress": Kind("ingress", KafkaIngressSpec),
    "io.statefun.kinesis.v1/ingress": Kind("ingress", KinesisIngressSpec),
    "io.statefun.playground.v1/egress": Kind("egress", EgressSpec),
    "io.statefun.kafka.v1/egress": Kind("egress", KafkaEgressSpec),
    "io.statefun.kinesis.v1/egress": Kind("egress", KinesisEgressSpec),
    "io.statefun_tasks.v1/pipeline": Kind("pipeline", PipelineSpec),
}
"""The kinds of all dialects. The embedded runtime runs those that it has a connector for."""

PLAYGROUND_KINDS: Final[Mapping[str, Kind]] = {
    name: kind for name, kind in KINDS.items() if ".playground." in name
}
