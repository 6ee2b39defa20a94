"""The webhook egress: posts each record to a URL, until it is taken.

Law: a record counts as delivered once the receiver has answered 2xx. Until then it is posted again,
after a crash too, with the same `Record-Id` and `Idempotency-Key`: at least once, and a receiver
that remembers keys has it exactly once. Unless several may be under way, records arrive in order.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import quote, urlsplit

from statefun.connectors.http.records import PLAYGROUND_RECORD, parse_record
from statefun.errors import ConfigurationError, InvalidMessageError, RemoteProtocolError
from statefun.sdk.address import parse_typename
from statefun.sdk.egress import KAFKA_RECORD
from statefun.sdk.wire import decode_typed_value

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping, Sequence

    import aiohttp

    from statefun.ports import OutgoingRecord

__all__ = ["Refusal", "WebhookEgress", "WebhookOptions"]

logger = logging.getLogger("statefun.connectors")

Refusal: TypeAlias = Literal["retry", "drop"]
"""What becomes of a record that the receiver refuses. `retry`: it is posted again, and those behind
it wait. `drop`: it is forgotten; the log says so."""

_LATER: Final = frozenset({408, 425, 429})
"""These say that the same may succeed later, as does every 5xx."""

_LONGEST_WAIT_S: Final = 3600.0
_REASON_BYTES: Final = 200
_SAFE: Final = "!#$&'*+-./^_`|~:"


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """How records are posted.

    Attributes:
        headers: Header fields of each request, for example `Authorization`.
        max_in_flight: So many records are posted at once; with more than one they may arrive in
            another order.
        timeout: How long one request may take.
        first_retry: How long to wait before the second attempt; each wait is twice as long.
        longest_retry: The longest wait. An answer with `Retry-After` is believed, up to an hour.
        on_refused: What becomes of a record that the receiver answers with a 3xx or a 4xx, other
            than 408, 425 and 429.
        max_waiting: From so many waiting records on, the runtime takes no more messages in from
            outside, until the receiver has caught up.
        tls: Whom to trust, and what to show; None for what the system trusts.

    Raises:
        ConfigurationError: If one of them makes no sense.
    """

    headers: Mapping[str, str] | None = None
    max_in_flight: int = 1
    timeout: timedelta = timedelta(seconds=30)
    first_retry: timedelta = timedelta(milliseconds=500)
    longest_retry: timedelta = timedelta(minutes=1)
    on_refused: Refusal = "retry"
    max_waiting: int = 10_000
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        for name in ("timeout", "first_retry", "longest_retry"):
            given: timedelta = getattr(self, name)
            if given <= timedelta():
                raise ConfigurationError(
                    f"{name} is {given}: write more than no time", option=name, given=str(given)
                )
        for name in ("max_in_flight", "max_waiting"):
            number: int = getattr(self, name)
            if number < 1:
                raise ConfigurationError(
                    f"{name} is {number}: write 1 or more", option=name, given=str(number)
                )
        for name, value in (self.headers or {}).items():
            if any(each in name + value for each in "\r\n\0"):
                raise ConfigurationError(
                    f"the header {name!r} has a line break or a zero byte in it: write it in one "
                    "line",
                    option="headers",
                    given=name,
                )
        if self.on_refused not in ("retry", "drop"):
            raise ConfigurationError(
                f"on_refused is {self.on_refused!r}: choose 'retry' or 'drop'", option="on_refused"
            )

    def wait_s(self, attempts: int) -> float:
        """How many seconds to wait after so many attempts that failed."""
        wait_s = self.first_retry.total_seconds() * 2.0 ** min(attempts - 1, 60)
        return min(wait_s, self.longest_retry.total_seconds())


class WebhookEgress:
    """Posts the records that functions send to an egress to a URL.

    The body is the bytes of the record's value, and the content type names its type, as for the
    HTTP ingress: `application/vnd.<typename>`. Of a Kafka record the body is its value, and of the
    playground's record its payload; the topic and the key are the headers `Record-Topic` and
    `Record-Key`. `Record-Id` is the number of the record, and `Idempotency-Key` that with the
    typename of the egress; both are the same whenever the record comes again.

    Args:
        typename: The egress typename that functions send to.
        url: Where to post: `http://` or `https://`.
        options: How.

    Raises:
        ConfigurationError: If the URL is not one.
        ModuleNotFoundError: If aiohttp is not installed: `pip install 'statefun[runtime]'`.
    """

    def __init__(self, typename: str, url: str, options: WebhookOptions | None = None) -> None:
        import aiohttp  # noqa: F401, PLC0415 - an optional dependency; missed now rather than later

        parse_typename(typename)
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(
                f"the URL {url!r} of the egress {typename} is not one to post to: write for "
                "example 'https://example.com/hook'",
                option="url",
                given=url,
            )
        self._typename = typename
        self._url = url
        self._options = options or WebhookOptions()
        self._waiting: deque[OutgoingRecord] = deque()
        self._in_flight = 0
        self._news = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._delivered: Callable[[Sequence[int]], None] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._workers: list[asyncio.Task[None]] = []
        self._is_failing = False

    @property
    def typename(self) -> str:
        """The egress typename that functions send to."""
        return self._typename

    @property
    def has_room(self) -> bool:
        """Whether fewer records wait than may."""
        return len(self._waiting) + self._in_flight < self._options.max_waiting

    def accept(self, argument: bytes) -> None:
        """Check a record; see `Egress`."""
        _request(argument)

    async def start(self, delivered: Callable[[Sequence[int]], None]) -> None:
        """Begin to post; see `Egress`. Nobody asks whether the receiver is there."""
        import aiohttp  # noqa: PLC0415 - an optional dependency

        options = self._options
        self._delivered = delivered
        connector = aiohttp.TCPConnector(
            limit=options.max_in_flight, ssl=True if options.tls is None else options.tls
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "statefun", **(options.headers or {})},
            timeout=aiohttp.ClientTimeout(total=options.timeout.total_seconds()),
        )
        for _ in range(options.max_in_flight):
            self._workers.append(asyncio.create_task(self._work(), name="statefun-webhook"))

    def put(self, epoch: int, records: Sequence[OutgoingRecord]) -> None:  # noqa: ARG002
        """Take over records; see `Egress`."""
        self._waiting.extend(records)
        if not self._is_failing:
            self._settled.clear()
        self._news.set()

    async def flush(self) -> None:
        """Wait until all records were taken, or the receiver fails."""
        await self._settled.wait()

    async def stop(self) -> None:
        """Post nothing more; see `Egress`."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _work(self) -> None:
        """Post one record after another."""
        while True:
            while not self._waiting:
                self._news.clear()
                await self._news.wait()
            record = self._waiting.popleft()
            self._in_flight += 1
            try:
                is_delivered = await self._deliver(record)
            finally:
                self._in_flight -= 1
            if self._delivered is not None:  # without an id there is room, at least
                self._delivered([record.id] if is_delivered else [])
            self._settle()

    async def _deliver(self, record: OutgoingRecord) -> bool:
        """Post a record until it is taken; whether it is to be forgotten."""
        try:
            body, headers = _request(record.argument)
        except (
            InvalidMessageError,
            RemoteProtocolError,
        ) as error:  # another egress of this name has accepted it
            logger.warning(
                "egress %s keeps the record %d, which it cannot write: %s",
                self._typename,
                record.id,
                error,
            )
            return False
        headers["Record-Id"] = str(record.id)
        headers["Idempotency-Key"] = f"{quote(self._typename, safe=_SAFE)}:{record.id}"
        attempts = 0
        while True:
            attempts += 1
            problem, wait_s = await self._post(body, headers)
            if problem is None:
                if self._is_failing:
                    logger.warning("egress %s: %s takes records again", self._typename, self._url)
                self._is_failing = False
                return True
            if wait_s is None and self._options.on_refused == "drop":
                logger.error(
                    "egress %s drops the record %d: %s", self._typename, record.id, problem
                )
                return True
            self._note_failure(record, problem)
            await asyncio.sleep(wait_s or self._options.wait_s(attempts))

    async def _post(self, body: bytes, headers: dict[str, str]) -> tuple[str | None, float | None]:
        """Make one attempt.

        Returns:
            Why the record was not taken, None if it was; and how long the receiver asks to wait, 0
            if it does not say, None if it refuses the record.
        """
        import aiohttp  # noqa: PLC0415 - an optional dependency

        assert self._session is not None, "not started"  # noqa: S101 - our own invariant
        try:
            async with self._session.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                reason = await answer.content.read(_REASON_BYTES)
                if 200 <= answer.status < 300:
                    return None, 0
                text = " ".join(reason.decode(errors="replace").split())
                problem = f"{self._url} answered {answer.status}: {text}"
                if answer.status < 500 and answer.status not in _LATER:
                    return problem, None
                return problem, _retry_after_s(answer.headers.get("Retry-After"))
        except TimeoutError:
            return (
                f"{self._url} did not answer within {self._options.timeout.total_seconds():g} s",
                0,
            )
        except aiohttp.ClientConnectorCertificateError as error:
            why = getattr(error.certificate_error, "verify_message", error.certificate_error)
            problem = (
                f"the certificate of {self._url} is not trusted ({why}): name the authority that "
                "signed it (trust_cacerts in a module file), or correct it"
            )
            return problem, 0
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: no name of a host
            return f"{self._url} cannot be reached: {error or type(error).__name__}", 0

    def _note_failure(self, record: OutgoingRecord, problem: str) -> None:
        """Say once that the receiver takes nothing, and let nobody wait for it."""
        if not self._is_failing:
            self._is_failing = True
            logger.error(
                "egress %s posts the record %d again until it is taken: %s",
                self._typename,
                record.id,
                problem,
            )
        self._settled.set()

    def _settle(self) -> None:
        if not self._waiting and not self._in_flight:
            self._settled.set()

    def __repr__(self) -> str:
        return f"<WebhookEgress {self._typename} to {self._url}>"


def _request(argument: bytes) -> tuple[bytes, dict[str, str]]:
    """Body and headers of the request for a record, a serialized `TypedValue`.

    Raises:
        InvalidMessageError, RemoteProtocolError: If it is not one.
    """
    typed = decode_typed_value(argument)
    if typed.typename in (KAFKA_RECORD, PLAYGROUND_RECORD):
        record = parse_record(argument)
        headers = {
            "Content-Type": record.content_type,
            "Record-Topic": quote(record.topic, errors="replace"),
        }
        if record.key:
            headers["Record-Key"] = quote(record.key)
        return record.body, headers
    return typed.data, {"Content-Type": f"application/vnd.{quote(typed.typename, safe=_SAFE)}"}


def _retry_after_s(value: str | None) -> float:
    """The seconds of a `Retry-After`; 0 if there are none, or a date."""
    text: Any = (value or "").strip()
    return min(float(text), _LONGEST_WAIT_S) if text.isascii() and text.isdecimal() else 0.0
