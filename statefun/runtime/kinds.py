"""The kinds of components in module files, as pydantic models.

Law: a model says what a file may say; numbers are what the runtime counts in, milliseconds and
bytes. What a model refuses, the engine refuses too, or could not do.

Source:
    The module files of Flink Stateful Functions 3.x, and the kinds of its playground.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from statefun.errors import ConfigurationError, InvalidTypenameError
from statefun.runtime.durations import parse_duration_ms
from statefun.runtime.remote import Endpoint, HttpOptions, parse_functions, parse_url_template
from statefun.sdk.address import parse_typename

try:
    from pydantic import (
        AfterValidator,
        BaseModel,
        BeforeValidator,
        ConfigDict,
        Discriminator,
        Field,
        StrictInt,
        StrictStr,
        Tag,
        model_validator,
    )
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "module files need pydantic: pip install 'statefun[runtime]'"
    ) from error

__all__ = [
    "ASYNC_TRANSPORT",
    "KINDS",
    "KINDS_OF_ENGINES",
    "OKHTTP_TRANSPORT",
    "AsyncTransport",
    "EgressSpec",
    "EndpointSpec",
    "IngressSpec",
    "OkHttpTransport",
    "Spec",
    "Timeouts",
]

ASYNC_TRANSPORT: Final = "io.statefun.transports.v1/async"
OKHTTP_TRANSPORT: Final = "io.statefun.transports.v1/okhttp"

_OKHTTP: Final = HttpOptions(call_ms=60_000, connect_ms=10_000, read_ms=10_000)


def _positive_ms(value: object) -> int:
    millis = parse_duration_ms(value)
    if millis == 0:
        raise ConfigurationError(f"{value!r} is shorter than a millisecond: write a longer time")
    return millis


def _check_functions(functions: str) -> str:
    parse_functions(functions)
    return functions.rstrip("/")


def _check_typename(typename: str) -> str:
    try:
        parse_typename(typename)
    except InvalidTypenameError as error:
        raise ConfigurationError(str(error)) from error
    return typename


def _check_topics(topics: tuple[str, ...]) -> tuple[str, ...]:
    if not topics:
        raise ConfigurationError("names no topic: write for example 'topics: [greetings]'")
    for topic in topics:
        if not topic:
            raise ConfigurationError("a topic has an empty name: give it one, or remove it")
        if topics.count(topic) > 1:
            raise ConfigurationError(f"{topic!r} is named twice: keep one of them")
    return topics


def _not_yet(value: object) -> object:
    raise ConfigurationError(
        "is not supported by the embedded runtime yet: remove it, or put a proxy that speaks TLS "
        f"in front of the endpoint (got {value!r})"
    )


Duration: TypeAlias = Annotated[int, BeforeValidator(parse_duration_ms)]
PositiveDuration: TypeAlias = Annotated[int, BeforeValidator(_positive_ms)]
Port: TypeAlias = Annotated[StrictInt, Field(ge=0, le=65535)]
Count: TypeAlias = Annotated[StrictInt, Field(ge=1)]
Functions: TypeAlias = Annotated[StrictStr, AfterValidator(_check_functions)]
UrlTemplate: TypeAlias = Annotated[StrictStr, AfterValidator(parse_url_template)]
Typename: TypeAlias = Annotated[StrictStr, AfterValidator(_check_typename)]
NotYet: TypeAlias = Annotated[Any, BeforeValidator(_not_yet)]


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Timeouts(_Spec):
    """How long things may take, in milliseconds; None where the file says nothing."""

    call: PositiveDuration | None = None
    connect: PositiveDuration | None = None
    read: PositiveDuration | None = None
    write: PositiveDuration | None = None


class OkHttpTimeouts(Timeouts):
    """Timeouts as the engine's transport `okhttp` checks them."""

    @model_validator(mode="after")
    def _fit_into_call(self) -> Self:
        call = self.call or _OKHTTP.call_ms
        for name in ("connect", "read", "write"):
            millis = getattr(self, name) or _OKHTTP.connect_ms
            if millis > call:
                raise ConfigurationError(
                    f"{name} ({millis} ms) is longer than call ({call} ms), which the engine "
                    f"refuses: write for example '{name}: {call} ms' too"
                )
        return self

    def options(self) -> HttpOptions:
        """What they mean for a call; there is no separate time for writing."""
        return replace(
            _OKHTTP,
            call_ms=self.call or _OKHTTP.call_ms,
            connect_ms=self.connect or _OKHTTP.connect_ms,
            read_ms=self.read or _OKHTTP.read_ms,
        )


class AsyncTransport(_Spec):
    """The engine's default transport."""

    type: Literal["io.statefun.transports.v1/async"] = ASYNC_TRANSPORT
    timeouts: Timeouts | None = None
    call: PositiveDuration | None = None
    connect: PositiveDuration | None = None
    pool_size: Count = 1024
    pool_ttl: Duration = 15_000
    payload_max_bytes: Count = 33_554_432
    trust_cacerts: NotYet = None
    client_cert: NotYet = None
    client_key: NotYet = None
    client_key_password: NotYet = None

    def options(self) -> HttpOptions:
        """What it means for a call.

        `timeouts` go before `call` and `connect`, and their mere presence changes the defaults to
        those of the transport `okhttp`, as in the engine.
        """
        timeouts = self.timeouts or Timeouts()
        default = HttpOptions() if self.timeouts is None else _OKHTTP
        return HttpOptions(
            call_ms=timeouts.call or self.call or default.call_ms,
            connect_ms=timeouts.connect or self.connect or default.connect_ms,
            pool_size=self.pool_size,
            pool_ttl_ms=self.pool_ttl,
            payload_max_bytes=self.payload_max_bytes,
        )


class OkHttpTransport(_Spec):
    """The engine's other transport."""

    type: Literal["io.statefun.transports.v1/okhttp"]
    timeouts: OkHttpTimeouts = OkHttpTimeouts()

    def options(self) -> HttpOptions:
        """What it means for a call."""
        return self.timeouts.options()


def _transport_type(transport: object) -> object:
    if isinstance(transport, dict):
        return transport.get("type", ASYNC_TRANSPORT)
    return getattr(transport, "type", None)


Transport: TypeAlias = Annotated[
    Annotated[AsyncTransport, Tag(ASYNC_TRANSPORT)]
    | Annotated[OkHttpTransport, Tag(OKHTTP_TRANSPORT)],
    Discriminator(_transport_type),
]


class EndpointSpec(_Spec, ABC):
    """Functions served over HTTP; `max_batch` has no effect yet."""

    functions: Functions
    url_path_template: UrlTemplate = Field(alias="urlPathTemplate")
    max_batch: Count | None = Field(None, alias="maxNumBatchRequests")

    @abstractmethod
    def options(self) -> HttpOptions:
        """How the functions are called."""

    def endpoint(self) -> Endpoint:
        """The endpoint itself."""
        return Endpoint(self.functions, self.url_path_template, options=self.options())


class EndpointV2(EndpointSpec):
    """The kind `io.statefun.endpoints.v2/http`."""

    transport: Transport = AsyncTransport()

    def options(self) -> HttpOptions:
        """As the transport says."""
        return self.transport.options()


class EndpointV1(EndpointSpec):
    """The kind `io.statefun.endpoints.v1/http`, whose transport is `okhttp`."""

    timeouts: OkHttpTimeouts = OkHttpTimeouts()

    def options(self) -> HttpOptions:
        """As the timeouts say."""
        return self.timeouts.options()


class IngressSpec(_Spec):
    """The kind `io.statefun.playground.v1/ingress`; port 0 stands for any free one."""

    port: Port
    id: Typename = "io.statefun.playground/ingress"


class EgressSpec(_Spec):
    """The kind `io.statefun.playground.v1/egress`; port 0 stands for any free one."""

    port: Port
    topics: Annotated[tuple[StrictStr, ...], AfterValidator(_check_topics)]
    id: Typename = "io.statefun.playground/egress"


Spec: TypeAlias = EndpointV1 | EndpointV2 | IngressSpec | EgressSpec

KINDS: Final[dict[str, type[Spec]]] = {
    "io.statefun.endpoints.v1/http": EndpointV1,
    "io.statefun.endpoints.v2/http": EndpointV2,
    "io.statefun.playground.v1/ingress": IngressSpec,
    "io.statefun.playground.v1/egress": EgressSpec,
}
KINDS_OF_ENGINES: Final = frozenset(
    {
        "io.statefun.kafka.v1/ingress",
        "io.statefun.kafka.v1/egress",
        "io.statefun.kinesis.v1/ingress",
        "io.statefun.kinesis.v1/egress",
    }
)
