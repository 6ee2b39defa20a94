"""The options of a runtime on the command line, and files of them.

Law: an option means the same on the command line, in a file and in `RuntimeOptions`. The command
line goes before a file.
"""

from __future__ import annotations

import tomllib
from argparse import ArgumentTypeError
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from statefun.cli.arguments import UsageError, parse_seconds, parse_type
from statefun.errors import ConfigurationError
from statefun.modulefiles.durations import parse_duration_ms
from statefun.runtime.engine.policy import OUTCOMES, FailurePolicy, Limits, Retention
from statefun.runtime.options import RuntimeOptions

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _ArgumentGroup
    from collections.abc import Iterable, Iterator, Mapping

    from statefun.runtime.engine.policy import Outcome

__all__ = ["FunctionRules", "add_options", "file_arguments", "function_rules", "runtime_options"]

_DEFAULTS: Final = RuntimeOptions()
_LIMITS: Final = {each.name.replace("_", "-"): each.name for each in fields(Limits)}
_DIGITS: Final = len(str((1 << 63) - 1))


@dataclass(frozen=True, slots=True)
class FunctionRules:
    """The rules of the command line for functions, by `namespace/name`, `namespace/*` and `*`.

    Attributes:
        on_failure: The outcome for messages that functions fail on.
        limits: Limits that are other than by default: name → number.
    """

    on_failure: Mapping[str, Outcome]
    limits: Mapping[str, Mapping[str, int]]


def add_options(parser: ArgumentParser) -> None:
    """Add the options of a runtime."""
    group = parser.add_argument_group("options of the runtime")
    group.add_argument(
        "--options",
        metavar="FILE",
        help="a TOML file of options; its keys are those of this command, without the dashes in "
        "front. What the command line says goes before it",
    )
    group.add_argument(
        "--durability",
        choices=("full", "normal", "memory"),
        default=_DEFAULTS.durability,
        help="what an answered message survives: everything but the loss of the disk; everything "
        "but that and a power failure; nothing (default: %(default)s)",
    )
    _add_failures(group)
    _add_quantities(group)
    group.add_argument(
        "--drain",
        type=parse_seconds,
        default=_DEFAULTS.drain.total_seconds(),
        metavar="SECONDS",
        help="how long calls that are under way may go on after SIGTERM (default: %(default)g)",
    )
    group.add_argument(
        "--flush",
        type=parse_seconds,
        default=_DEFAULTS.flush.total_seconds(),
        metavar="SECONDS",
        help="how long egresses may then take to write out what they have (default: %(default)g)",
    )


def _add_failures(group: _ArgumentGroup) -> None:
    group.add_argument(
        "--on-failure",
        action="append",
        default=[],
        type=_parse_failure,
        metavar="[NS/TYPE=]POLICY",
        help="what becomes of a message that a function fails on again and again: "
        f"{', '.join(OUTCOMES)} (default: {OUTCOMES[0]}). Without NS/TYPE, or NS/*, it is for all "
        "functions of --functions; with one it goes before that, and before the failureMode of an "
        "endpoint. May be given several times, as all that name functions or topics",
    )
    group.add_argument(
        "--on-topic-failure",
        action="append",
        default=[],
        type=_parse_topic_failure,
        metavar="TOPIC=POLICY",
        help="the same for messages from a topic of an ingress; goes before --on-failure",
    )


def _add_quantities(group: _ArgumentGroup) -> None:
    group.add_argument(
        "--limit",
        action="append",
        default=[],
        type=_parse_limit,
        metavar="[NS/TYPE=]NAME=N",
        help="how much an address may have, of all functions, or of those that are named; one of "
        f"{', '.join(_LIMITS)}",
    )
    group.add_argument(
        "--max-waiting-bytes",
        type=_parse_count,
        default=_DEFAULTS.max_waiting_bytes,
        metavar="N",
        help="refuse messages from ingresses while so many bytes of messages wait for all "
        "addresses together (default: %(default)s)",
    )
    for name, what, default in (
        ("--keep-dead-letters", "dead letters", "all of them"),
        ("--keep-keys", "idempotency keys", "100000 and '1 d'"),
    ):
        group.add_argument(
            name,
            action="append",
            default=[],
            type=_parse_retention,
            metavar="N|TIME",
            help=f"how many {what} are kept, or how long, such as '7 d'; both may be given "
            f"(default: {default})",
        )


def runtime_options(arguments: Namespace) -> RuntimeOptions:
    """The options of a runtime, but for those that depend on its functions."""
    return RuntimeOptions(
        durability=arguments.durability,
        topic_failure={topic: FailurePolicy(each) for topic, each in arguments.on_topic_failure},
        max_waiting_bytes=arguments.max_waiting_bytes,
        dead_letters=_retention(arguments.keep_dead_letters, _DEFAULTS.dead_letters),
        idempotency_keys=_retention(arguments.keep_keys, _DEFAULTS.idempotency_keys),
        drain=timedelta(seconds=arguments.drain),
        flush=timedelta(seconds=arguments.flush),
    )


def function_rules(arguments: Namespace) -> FunctionRules:
    """The options that depend on functions."""
    limits: dict[str, dict[str, int]] = {}
    for pattern, name, number in arguments.limit:
        limits.setdefault(pattern, {})[name] = number
    return FunctionRules(dict(arguments.on_failure), limits)


# --- kinds of arguments ---------------------------------------------------------------------------


def _parse_failure(text: str) -> tuple[str, Outcome]:
    """Which functions, and what becomes of their messages."""
    pattern, _, outcome = text.rpartition("=")
    return parse_type(pattern) if pattern not in ("", "*") else "*", _parse_outcome(outcome, text)


def _parse_topic_failure(text: str) -> tuple[str, Outcome]:
    topic, _, outcome = text.rpartition("=")
    if not topic:
        raise ArgumentTypeError(f"{text!r} names no topic: write for example 'orders=pause'")
    return topic, _parse_outcome(outcome, text)


def _parse_outcome(outcome: str, text: str) -> Outcome:
    for each in OUTCOMES:
        if each == outcome:
            return each
    raise ArgumentTypeError(
        f"{text!r} is not a policy: write one of {', '.join(OUTCOMES)}, for example 'pause' or "
        "'com.example/greeter=pause'"
    )


def _parse_limit(text: str) -> tuple[str, str, int]:
    """Which functions, which limit, and how much."""
    rest, _, number = text.rpartition("=")
    pattern, _, name = rest.rpartition("=")
    if name not in _LIMITS:
        raise ArgumentTypeError(
            f"{text!r} is not a limit: write NAME=N with one of {', '.join(_LIMITS)}, for example "
            "'max-batch=100' or 'com.example/greeter=max-waiting=50'"
        )
    functions = parse_type(pattern) if pattern not in ("", "*") else "*"
    return functions, _LIMITS[name], _parse_count(number)


def _parse_count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS and int(text) > 0):
        raise ArgumentTypeError(f"{text!r} is not a count: write a whole number from 1 on")
    return int(text)


def _parse_retention(text: str) -> int | timedelta:
    """A count, or a time."""
    if text.isdecimal():
        return _parse_count(text)
    try:
        return timedelta(milliseconds=parse_duration_ms(text))
    except (ConfigurationError, OverflowError):
        raise ArgumentTypeError(
            f"{text!r} is neither a count nor a time: write for example '1000' or '7 d'"
        ) from None


def _retention(given: Iterable[int | timedelta], default: Retention) -> Retention:
    bounds = list(given)
    if not bounds:
        return default
    counts = [each for each in bounds if isinstance(each, int)]
    ages = [each for each in bounds if isinstance(each, timedelta)]
    return Retention(counts[-1] if counts else None, ages[-1] if ages else None)


# --- files ----------------------------------------------------------------------------------------


def file_arguments(path: str) -> list[str]:
    """The options of a file, as they would be given on the command line.

    A list gives an option several times. A table gives one for each of its keys, with the key and
    `=` in front: `on-failure = {"com.example/*" = "pause"}` is `--on-failure com.example/*=pause`.

    Raises:
        UsageError: If it cannot be read, or is not TOML.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UsageError(f"the file of options {path!r} cannot be read: {reason}") from error
    try:
        options = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the file of options {path!r} is not TOML: {error}") from error
    return [each for name, value in options.items() for each in _arguments(name, value)]


def _arguments(name: str, value: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _arguments(name, each, f"{prefix}{key}=")
    elif isinstance(value, list):
        for each in value:
            yield from _arguments(name, each, prefix)
    elif value is True and not prefix:
        yield f"--{name}"
    elif value is not False:
        yield f"--{name}={prefix}{value}"
