"""What services, virtual objects and workflows have in common: a name, options and handlers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from statefun.durable.handler import (
    Handler,
    ServiceTag,
    check_metadata,
    check_new,
    check_service_name,
    handler_from_callable,
    make_handler,
)
from statefun.durable.options import Options, Schedule, checked_options
from statefun.durable.schedule import check_schedule
from statefun.durable.state import StateModel
from statefun.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from statefun.durable.handler import HandlerKind, ServiceKind
    from statefun.durable.place import Place

F = TypeVar("F", bound="Callable[..., Any]")

__all__ = ["Declaration"]


class Declaration:
    """A service, a virtual object or a workflow, as an app takes it.

    Attributes:
        service_tag: Its kind, name, description and metadata.
        options: What its handlers do not say otherwise.
        handlers: Name → handler, in the order of their declaration.
        model: The state that `ctx.state` is; None if it was not declared.
        place: Where it was declared.
    """

    def __init__(
        self,
        kind: ServiceKind,
        name: str,
        place: Place,
        *,
        description: str | None,
        metadata: Mapping[str, str] | None,
        options: dict[str, Any],
        state: type[Any] | None = None,
    ) -> None:
        known = check_service_name(name, _WORDS[kind], place)
        what = f"{_WORDS[kind]} {known!r}"
        self.service_tag = ServiceTag(
            kind, known, description, check_metadata(what, metadata, place)
        )
        self.options: Options = checked_options(what, place, **options)
        self.handlers: dict[str, Handler[Any, Any]] = {}
        self.model: StateModel[Any] | None = None
        self.place = place
        if state is not None:
            try:
                self.model = StateModel(state)
            except DefinitionError as error:
                raise DefinitionError(
                    f"{what}: {error} ({place})", name=known, place=str(place)
                ) from error

    @property
    def name(self) -> str:
        """The name, which is part of URLs and of addresses."""
        return self.service_tag.name

    def handler_of(self, name: str) -> Handler[Any, Any] | None:
        """The handler of a name; None if there is none."""
        return self.handlers.get(name)

    def _declare(
        self,
        place: Place,
        kind: HandlerKind | None,
        name: str | None,
        io: tuple[str, str, Any, Any],
        metadata: Mapping[str, str] | None,
        options: dict[str, Any],
    ) -> Callable[[F], F]:
        """The decorator of a handler."""
        if callable(name):
            raise DefinitionError(
                f"the decorator of a handler of {self.name!r} lacks its parentheses: write "
                f"@….handler() ({place})",
                name=self.name,
                place=str(place),
            )
        own = checked_options(f"a handler of {self.name!r}", place, **options)

        def declare(function: F) -> F:
            handler, stand_in = make_handler(
                self.service_tag,
                function,
                place=place,
                kind=kind,
                name=name,
                io=io,
                options=own.over(self.options),
                metadata=metadata,
                model=self.model,
            )
            check_new(handler.name, self.handlers, self.service_tag)
            self.handlers[handler.name] = handler
            return stand_in

        return declare

    def _schedule(self, schedule: Schedule, place: Place) -> Callable[[F], F]:
        """The decorator that lets a handler start by itself."""
        check_schedule(schedule, place)

        def plan(function: F) -> F:
            handler = handler_from_callable(function)
            if handler.service_tag is not self.service_tag:
                raise DefinitionError(
                    f"{handler.name!r} is a handler of {handler.service_tag.name!r}, so only that "
                    f"can schedule it ({place})",
                    name=handler.name,
                    place=str(place),
                )
            if handler.arity > 1 and not handler.has_default:
                raise DefinitionError(
                    f"handler {handler.name!r} of {self.name!r} is scheduled and takes an "
                    f"argument: give it a default, or take none ({place})",
                    name=handler.name,
                    place=str(place),
                )
            planned = replace(handler, schedules=(*handler.schedules, schedule))
            self.handlers[handler.name] = planned
            return planned.stand_for(function)

        return plan


_WORDS = {"service": "service", "object": "virtual object", "workflow": "workflow"}
