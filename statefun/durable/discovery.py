"""What remote apps serve: asked at their endpoints, at the start and when a name is unknown."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from statefun.durable.catalogue import Catalogue
from statefun.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["Discovery"]

logger = logging.getLogger("statefun.durable")

_PAUSE_S: Final = 1.0
_PATIENCE_S: Final = 5.0


class Discovery:
    """The services of this process, and those of endpoints.

    An endpoint that does not answer keeps the services that it told before. It is asked again when
    a request names a service that nobody knows, once a second at most.

    Args:
        local: The services of this process.
        urls: Where remote apps tell their services, as JSON.
        public: The services that clients may invoke; None for all that do not say otherwise.

    Raises:
        ConfigurationError: If a service is to be public that is not there and cannot come.

    Attributes:
        catalogue: All of them, as far as they are known.
    """

    def __init__(
        self, local: Catalogue, urls: Sequence[str] = (), *, public: Collection[str] | None = None
    ) -> None:
        self._public = public
        unknown = [name for name in public or () if name not in local.services]
        if unknown and not urls:
            known = ", ".join(local.services) or "none"
            raise ConfigurationError(
                f"the service {unknown[0]!r} is to be public, and there is none of that name: "
                f"known are {known}",
                option="services",
                given=unknown[0],
            )
        self.catalogue = self._opened(local)
        self._local = local
        self._urls = tuple(urls)
        self._told: dict[str, Catalogue] = {}
        self._asked_s = -_PAUSE_S
        self._lock = asyncio.Lock()

    async def refresh(self) -> bool:
        """Ask the endpoints, unless they were asked within the last second.

        Returns:
            Whether they were asked.
        """
        loop = asyncio.get_running_loop()
        async with self._lock:
            if not self._urls or loop.time() - self._asked_s < _PAUSE_S:
                return False
            await asyncio.gather(*map(self._ask, self._urls))
            self._asked_s = loop.time()
            known = [self._local, *self._told.values()]
            try:
                self.catalogue = self._opened(
                    Catalogue(each for catalogue in known for each in catalogue.services.values())
                )
            except ConfigurationError as error:
                logger.error("the services stay as they were: %s", error)  # noqa: TRY400 - a sentence
            return True

    def _opened(self, catalogue: Catalogue) -> Catalogue:
        """The same services, of which only the public ones may be invoked by clients."""
        if self._public is None:
            return catalogue
        return Catalogue(
            each if each.name in self._public else each.private()
            for each in catalogue.services.values()
        )

    async def _ask(self, url: str) -> None:
        import aiohttp  # noqa: PLC0415 - of the extra `runtime`

        timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as told:
                if told.status == 200:
                    self._told[url] = Catalogue.from_json(await told.read(), url)
        except (aiohttp.ClientError, TimeoutError) as error:
            logger.warning("%s does not tell its services now: %s", url, error)
        except ConfigurationError as error:
            logger.warning("%s", error)
