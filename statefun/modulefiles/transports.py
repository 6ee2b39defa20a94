"""The transports that a module file can choose: how an endpoint is called.

Source:
    `io.statefun.transports.v1/async` and `/okhttp` of Flink Stateful Functions 3.3.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, Discriminator, StrictStr, Tag, ValidationInfo, model_validator

from statefun.errors import ConfigurationError
from statefun.modulefiles.dialects import ParseContext
from statefun.modulefiles.fields import Count, Duration, PositiveDuration, Spec
from statefun.runtime.transports.options import HttpOptions, TlsFiles, file_path

__all__ = [
    "ASYNC_TRANSPORT",
    "OKHTTP_TRANSPORT",
    "AsyncTransport",
    "OkHttpTimeouts",
    "OkHttpTransport",
    "Timeouts",
    "TlsSpec",
    "Transport",
]

ASYNC_TRANSPORT: Final = "io.statefun.transports.v1/async"
OKHTTP_TRANSPORT: Final = "io.statefun.transports.v1/okhttp"

_ASYNC: Final = HttpOptions()
_OKHTTP: Final = HttpOptions(
    call=timedelta(minutes=1), connect=timedelta(seconds=10), read=timedelta(seconds=10)
)
_MILLISECOND: Final = timedelta(milliseconds=1)


def _check_location(location: str, info: ValidationInfo) -> str:
    """The path of a file, where it is to be read here; a cluster has files of its own."""
    return file_path(location) if ParseContext.of(info.context).runs_here else location


Location: TypeAlias = Annotated[StrictStr, AfterValidator(_check_location)]


def _time(millis: int | None, default: timedelta) -> timedelta:
    return default if millis is None else millis * _MILLISECOND


class Timeouts(Spec):
    """How long things may take, in milliseconds; None where the file says nothing."""

    call: PositiveDuration | None = None
    connect: PositiveDuration | None = None
    read: PositiveDuration | None = None
    write: PositiveDuration | None = None


class OkHttpTimeouts(Timeouts):
    """Timeouts as the engine's transport `okhttp` checks them."""

    @model_validator(mode="after")
    def _fit_into_call(self) -> Self:
        call = self.call or _OKHTTP.call // _MILLISECOND
        for name in ("connect", "read", "write"):
            millis = getattr(self, name) or _OKHTTP.connect // _MILLISECOND
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
            call=_time(self.call, _OKHTTP.call),
            connect=_time(self.connect, _OKHTTP.connect),
            read=_OKHTTP.read if self.read is None else self.read * _MILLISECOND,
        )


class TlsSpec(Spec):
    """Files for TLS of whatever calls somebody."""

    trust_cacerts: Location | None = None
    client_cert: Location | None = None
    client_key: Location | None = None
    client_key_password: Location | None = None

    @model_validator(mode="after")
    def _files_go_together(self, info: ValidationInfo) -> Self:
        tls = self.tls
        if tls is not None and ParseContext.of(info.context).runs_here:
            tls.context()
        elif (self.client_cert is None) is not (self.client_key is None):
            TlsFiles(client_cert=self.client_cert, client_key=self.client_key).context()
        return self

    @property
    def tls(self) -> TlsFiles | None:
        """The files for TLS; None if there are none."""
        files = TlsFiles(
            self.trust_cacerts, self.client_cert, self.client_key, self.client_key_password
        )
        return None if files == TlsFiles() else files


class AsyncTransport(TlsSpec):
    """The engine's default transport."""

    type: Literal["io.statefun.transports.v1/async"] = ASYNC_TRANSPORT
    timeouts: Timeouts | None = None
    call: PositiveDuration | None = None
    connect: PositiveDuration | None = None
    pool_size: Count = _ASYNC.pool_size
    pool_ttl: Duration = _ASYNC.pool_ttl // _MILLISECOND
    payload_max_bytes: Count = _ASYNC.payload_max_bytes

    def options(self) -> HttpOptions:
        """What it means for a call.

        `timeouts` go before `call` and `connect`, and their mere presence changes the defaults to
        those of the transport `okhttp`, as in the engine.
        """
        timeouts = self.timeouts or Timeouts()
        default = _ASYNC if self.timeouts is None else _OKHTTP
        return HttpOptions(
            call=_time(timeouts.call or self.call, default.call),
            connect=_time(timeouts.connect or self.connect, default.connect),
            pool_size=self.pool_size,
            pool_ttl=self.pool_ttl * _MILLISECOND,
            payload_max_bytes=self.payload_max_bytes,
            tls=self.tls,
        )


class OkHttpTransport(Spec):
    """The engine's other transport."""

    type: Literal["io.statefun.transports.v1/okhttp"]
    timeouts: OkHttpTimeouts = OkHttpTimeouts()

    def options(self) -> HttpOptions:
        """What it means for a call."""
        return self.timeouts.options()


def _transport_type(transport: object) -> object:
    if isinstance(transport, dict):
        chosen = transport.get("type", ASYNC_TRANSPORT)
        return chosen.rstrip("/") if isinstance(chosen, str) else chosen
    return getattr(transport, "type", None)


Transport: TypeAlias = Annotated[
    Annotated[AsyncTransport, Tag(ASYNC_TRANSPORT)]
    | Annotated[OkHttpTransport, Tag(OKHTTP_TRANSPORT)],
    Discriminator(_transport_type),
]
