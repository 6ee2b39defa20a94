"""Apps: services that are served and run together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from statefun.durable.application import Application
from statefun.durable.background import Schedules
from statefun.durable.catalogue import Catalogue
from statefun.durable.declaration import Declaration
from statefun.durable.throttles import with_limits
from statefun.errors import AlreadyRegisteredError, ConfigurationError, DefinitionError
from statefun.serve.asgi import AsgiApp
from statefun.serve.endpoint import FunctionEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from statefun.durable.limits import Limits
    from statefun.sdk.messages import Message
    from statefun.serve.asgi import Event, Receive, Send

__all__ = ["App", "app"]

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
    ) -> None:
        self.services = tuple(services)
        self._schedules = Schedules(self.services)
        background = [each for each in (self._schedules.declaration,) if each is not None]
        given: dict[str, Any] = {} if clock is None else {"clock": clock}
        super().__init__(
            [*with_limits(self.services), *background], namespace, limits=limits, **given
        )

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
    journal_value_codec: Any = None,
    *,
    namespace: str = "durable",
) -> App:
    """Put services together.

    Args:
        services: Services, virtual objects and workflows, each name once.
        protocol: Accepted and ignored; there is one protocol.
        identity_keys: Refused unless None: put a token or TLS before the endpoint.
        journal_value_codec: Refused unless None: give the handlers a serde that does it.
        namespace: The namespace of their functions; apps of one runtime have different ones.

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
    for name, given, advice in (
        ("identity_keys", identity_keys, "let TLS or a bearer token say who may call the endpoint"),
        ("journal_value_codec", journal_value_codec, "give the handlers a serde that encodes"),
    ):
        if given:
            raise ConfigurationError(f"{name} is not supported: {advice}")
    return App(_distinct(services), namespace=namespace)


def _distinct(services: Iterable[Declaration]) -> list[Declaration]:
    known: dict[str, Declaration] = {}
    for each in services:
        if not isinstance(each, Declaration):
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
