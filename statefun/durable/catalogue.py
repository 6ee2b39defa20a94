"""What an ingress knows of services: names, kinds, media types, and what is public.

It is made from declarations in the same process, or read as JSON from an endpoint at
`GET /statefun/services`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from statefun.errors import ConfigurationError, RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from statefun.durable.declaration import Declaration
    from statefun.durable.handler import Handler

__all__ = ["Catalogue", "HandlerEntry", "ServiceEntry"]


@dataclass(frozen=True)
class HandlerEntry:
    """A handler, as far as an ingress must know it.

    Attributes:
        name: Its name.
        kind: `"exclusive"`, `"shared"`, `"workflow"`, or None for that of a service.
        is_public: Whether clients may call it.
        accept: The media type of its argument; None if it takes none.
        content_type: The media type of its result; None if it does not say what it returns.
        is_kept: Whether the outcome of each invocation is kept for a while.
    """

    name: str
    kind: str | None
    is_public: bool = True
    accept: str | None = "application/json"
    content_type: str | None = "application/json"
    is_kept: bool = False


@dataclass(frozen=True)
class ServiceEntry:
    """A service, as far as an ingress must know it.

    Attributes:
        name: Its name.
        kind: `"service"`, `"object"` or `"workflow"`.
        namespace: The namespace of its functions.
        handlers: Name → handler.
        description: A sentence for people.
    """

    name: str
    kind: str
    namespace: str
    handlers: Mapping[str, HandlerEntry] = field(default_factory=dict)
    description: str | None = None

    @property
    def has_key(self) -> bool:
        """Whether it is called with a key."""
        return self.kind != "service"

    def private(self) -> ServiceEntry:
        """The same service, which clients may not call."""
        handlers = {name: replace(each, is_public=False) for name, each in self.handlers.items()}
        return replace(self, handlers=handlers)


class Catalogue:
    """Services by name.

    Args:
        services: The services.

    Attributes:
        services: Name → service.

    Raises:
        ConfigurationError: If two have the same name.
    """

    def __init__(self, services: Iterable[ServiceEntry] = ()) -> None:
        self.services: dict[str, ServiceEntry] = {}
        for each in services:
            known = self.services.setdefault(each.name, each)
            if known is not each:
                raise ConfigurationError(
                    f"two services are named {each.name!r}, in the namespaces {known.namespace!r} "
                    f"and {each.namespace!r}: rename one of them, for URLs have no namespace"
                )

    @classmethod
    def of(cls, declarations: Iterable[Declaration], namespace: str) -> Catalogue:
        """The catalogue of some declarations.

        Args:
            declarations: Services, virtual objects and workflows.
            namespace: The namespace of their functions.
        """
        return cls(
            ServiceEntry(
                each.name,
                each.service_tag.kind,
                namespace,
                {name: _entry(handler) for name, handler in each.handlers.items()},
                each.service_tag.description,
            )
            for each in declarations
        )

    def to_json(self) -> bytes:
        """The catalogue as JSON: `{"services": [{"name", "kind", "namespace", "handlers"}]}`."""
        services = [
            asdict(each) | {"handlers": [asdict(handler) for handler in each.handlers.values()]}
            for each in self.services.values()
        ]
        return json.dumps({"services": services}).encode()

    @classmethod
    def from_json(cls, data: bytes, source: str) -> Catalogue:
        """The catalogue that some JSON is.

        Args:
            data: The JSON.
            source: Where it is from, for the sentence.

        Raises:
            ConfigurationError: If it is something else.
        """
        try:
            return cls(_service(each) for each in json.loads(data)["services"])
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"{source} does not tell its services ({type(error).__name__}: {error}): serve "
                "what app([...]) returns with a version of statefun like this one"
            ) from error

    def find(self, service: str, handler: str) -> tuple[ServiceEntry, HandlerEntry]:
        """A service and one of its handlers.

        Raises:
            RequestRefusedError: If there is none of that name, with the status 404.
        """
        entry = self.service(service)
        found = entry.handlers.get(handler)
        if found is None:
            known = ", ".join(entry.handlers) or "none"
            raise RequestRefusedError(
                404, f"{service!r} has no handler {handler!r}; its handlers: {known}"
            )
        return entry, found

    def service(self, name: str) -> ServiceEntry:
        """A service.

        Raises:
            RequestRefusedError: If there is none of that name, with the status 404.
        """
        entry = self.services.get(name)
        if entry is None:
            known = ", ".join(self.services) or "none"
            raise RequestRefusedError(404, f"there is no service {name!r}; services: {known}")
        return entry


def _entry(handler: Handler[Any, Any]) -> HandlerEntry:
    io = handler.handler_io
    says_what_it_returns = io.output_type.is_void or io.output_type.annotation is not None
    return HandlerEntry(
        handler.name,
        handler.kind,
        is_public=not handler.options.ingress_private,
        accept=None if io.input_type.is_void else io.accept,
        content_type=io.content_type if says_what_it_returns else None,
        is_kept=bool(handler.options.journal_retention),
    )


def _service(fields: dict[str, Any]) -> ServiceEntry:
    handlers = [HandlerEntry(**each) for each in fields["handlers"]]
    return ServiceEntry(**(fields | {"handlers": {each.name: each for each in handlers}}))
