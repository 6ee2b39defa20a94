"""Apps: services that are served and run together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from statefun.durable.application import Application
from statefun.durable.background import Schedules
from statefun.durable.catalogue import Catalogue
from statefun.durable.declaration import Declaration
from statefun.durable.entry_codec import ValueCodec
from statefun.durable.throttles import with_limits
from statefun.errors import AlreadyRegisteredError, ConfigurationError, DefinitionError
from statefun.serve.asgi import AsgiApp
from statefun.serve.endpoint import FunctionEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statefun.durable.entry_codec import JournalValueCodec, JournalValueCodecProvider
    from statefun.durable.limits import Limits
    from statefun.sdk.messages import Message
    from statefun.serve.asgi import Event, Receive, Send

__all__ = ["App", "Endpoint", "app"]

_PATH = "/statefun"


class App(Application):
    """Services, virtual objects and workflows: what `statefun run` and `statefun serve` take.

    It is a registry of functions, and an ASGI application that serves them at `POST /statefun`;
    `GET /statefun/services` tells what they are. Make it with `app`.

    Args:
        services: The services, virtual objects and workflows.
        namespace: The namespace of their functions.
        limits: What bounds turns, messages and invocations.
        clock: The time in seconds since 1970; None for that of the machine.
        codec: What stands between serdes and everything that is kept or sent; None for nothing.

    Attributes:
        services: What was given.
    """

    def __init__(
        self,
        services: Sequence[Declaration],
        namespace: str = "durable",
        *,
        limits: Limits | None = None,
        clock: Callable[[], float] | None = None,
        codec: ValueCodec | None = None,
    ) -> None:
        self.services = tuple(services)
        self._schedules = Schedules(self.services)
        background = [each for each in (self._schedules.declaration,) if each is not None]
        given: dict[str, Any] = {} if clock is None else {"clock": clock}
        declarations = [*with_limits(self.services), *background]
        super().__init__(declarations, namespace, limits=limits, codec=codec, **given)

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Serve what the scope says; see ASGI."""
        await self._asgi(scope, receive, send)

    @property
    def _asgi(self) -> AsgiApp:
        found: AsgiApp | None = self.__dict__.get("asgi")
        if found is None:
            found = self.__dict__["asgi"] = AsgiApp(FunctionEndpoint(self, _PATH))
        return found

    @property
    def catalogue(self) -> Catalogue:
        """What an ingress knows of the services."""
        return Catalogue.of(self.services, self.directory.namespace)

    def first_messages(self) -> list[Message]:
        """What a runtime delivers when it starts, so that scheduled handlers are started."""
        return [
            self.invoke(begin, plan, key=name)
            for begin, name, plan in self._schedules.first_calls()
        ]

    def services_json(self) -> bytes:
        """The catalogue as JSON, which an endpoint answers `GET /statefun/services` with."""
        return self.catalogue.to_json()


def app(
    services: Iterable[Declaration],
    protocol: Literal["bidi", "request_response"] | None = None,
    identity_keys: list[str] | None = None,
    journal_value_codec: JournalValueCodec | JournalValueCodecProvider | None = None,
    *,
    namespace: str = "durable",
    limits: Limits | None = None,
) -> App:
    """Put services together.

    Args:
        services: Services, virtual objects and workflows, each name once.
        protocol: Accepted and ignored; there is one protocol.
        identity_keys: Refused unless None: put a token or TLS before the endpoint.
        journal_value_codec: Transforms all values that are kept and sent, as encryption does, or an
            async function that makes it once. Clients over HTTP need the same one.
        namespace: The namespace of their functions; apps of one runtime have different ones.
        limits: What bounds turns, values and invocations; None for the defaults.

    Raises:
        DefinitionError: If something else is among them, or a name comes twice.
        ConfigurationError: If an option is given that is refused.

    Example:
        ```python
        app = app([greeter, counter])  # statefun run --functions shop:app
        ```
    """
    if protocol not in (None, "bidi", "request_response"):
        raise ConfigurationError(
            f"protocol is 'bidi', 'request_response' or None, got {protocol!r}: leave it out"
        )
    if identity_keys:
        raise ConfigurationError(
            "identity_keys is not supported: let TLS or a bearer token say who may call the "
            "endpoint",
            option="identity_keys",
        )
    codec = ValueCodec(journal_value_codec)
    return App(_distinct(services), namespace=namespace, limits=limits, codec=codec)


class Endpoint:
    """Puts services together step by step; `app` does it at once.

    Example:
        ```python
        app = Endpoint().bind(greeter, counter).app()
        ```
    """

    def __init__(self) -> None:
        self._services: list[Declaration] = []
        self._codec: JournalValueCodec | JournalValueCodecProvider | None = None

    @property
    def services(self) -> dict[str, Declaration]:
        """The services by name."""
        return {each.name: each for each in self._services}

    def bind(self, *services: Declaration) -> Endpoint:
        """Add services, virtual objects and workflows.

        Raises:
            DefinitionError: If something else is among them, or a name comes twice.
        """
        self._services = _distinct([*self._services, *services])
        return self

    def streaming_protocol(self) -> Endpoint:
        """Accepted and ignored; there is one protocol."""
        return self

    def request_response_protocol(self) -> Endpoint:
        """Accepted and ignored; there is one protocol."""
        return self

    def identity_key(self, identity_key: str) -> Endpoint:
        """Refused, as by `app`.

        Raises:
            ConfigurationError: Always.
        """
        app([], identity_keys=[identity_key])
        return self

    def set_journal_value_codec(
        self, codec_or_provider: JournalValueCodec | JournalValueCodecProvider
    ) -> Endpoint:
        """Transform all values that are kept and sent; see `app`."""
        self._codec = codec_or_provider
        return self

    def app(self) -> App:
        """The app."""
        return app(self._services, journal_value_codec=self._codec)


def _distinct(services: Iterable[Declaration]) -> list[Declaration]:
    known: dict[str, Declaration] = {}
    given: Any = services
    for each in given if isinstance(given, Iterable) else [given]:
        if not isinstance(each, Declaration) or each is given:
            raise DefinitionError(
                f"an app takes services, virtual objects and workflows, got {each!r}: pass a list "
                "of them"
            )
        first = known.setdefault(each.name, each)
        if first is not each:
            raise AlreadyRegisteredError(
                f"service {each.name!r} already exists, from {first.place}: give the one from "
                f"{each.place} another name",
                name=each.name,
                place=str(each.place),
            )
    return list(known.values())
