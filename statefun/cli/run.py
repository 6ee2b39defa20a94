"""`statefun run`: the embedded durable runtime as a process."""

from __future__ import annotations

import asyncio
import os
import signal
from argparse import ArgumentTypeError
from contextlib import AsyncExitStack
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from statefun.blocking import blocking_function
from statefun.cli.arguments import (
    UsageError,
    add_data,
    add_dialect,
    add_functions,
    parse_module_file,
    parse_port,
    parse_seconds,
    parse_type,
    print_line,
)
from statefun.cli.calls import CallLines
from statefun.cli.options import add_options, function_rules, runtime_options
from statefun.cli.serving import access_files, add_access, allow_connections
from statefun.http.loops import collect_rarely, new_event_loop
from statefun.runtime.options import ADMIN_STOP_S, RuntimeOptions
from statefun.sdk.failures import escaped
from statefun.serve.worker import STOP_SIGNALS

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Sequence
    from types import FrameType

    from statefun.blocking import BlockingFunction
    from statefun.cli.assembly import Assembly
    from statefun.http import Access
    from statefun.runtime import Runtime
    from statefun.runtime.admin.metrics import AdminServer

__all__ = ["add", "run"]

_INTERRUPTED = 130
_MOST_NAMES = 3
_CANCELLED_S = 1.0
"""How long what functions left running may clean up in the end."""


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = "run the embedded durable runtime from module files, from functions, or from both"
    parser = commands.add_parser("run", parents=parents, help=text, description=text)
    parser.add_argument(
        "files",
        nargs="*",
        type=parse_module_file,
        metavar="FILE",
        help="module files; all are one module",
    )
    add_functions(parser, "functions to run in this process, before endpoints that name them too")
    parser.add_argument(
        "--webhook",
        action="append",
        default=[],
        type=_parse_webhook,
        metavar="NS/TYPE=URL",
        help="post what functions send to the egress NS/TYPE to a URL, again until it is taken; "
        "may be given several times. A module file says more of it",
    )
    add_data(parser)
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="where ingresses, egresses and the admin port listen (default: %(default)s)",
    )
    parser.add_argument(
        "--admin-port",
        type=parse_port,
        metavar="N",
        help="answer GET /health and GET /metrics on this port",
    )
    parser.add_argument(
        "--listen",
        type=_parse_listen,
        metavar="HOST:PORT",
        help="where clients and workers of statefun.workflows connect, for example "
        "127.0.0.1:7233; no functions are needed then",
    )
    parser.add_argument(
        "--ingress-port",
        type=parse_port,
        metavar="N",
        help="where invocations of durable handlers are taken in over HTTP (default: 8080 if "
        "--functions names an app of them); 0 for any free port",
    )
    parser.add_argument(
        "--stop-timeout",
        type=parse_seconds,
        metavar="SECONDS",
        help="how long, after --drain, the rest of the stop may take before the process ends "
        "without it, with exit code 1 (default: the sum of its parts, "
        f"{_rest_s(RuntimeOptions()):g} with the default of --flush)",
    )
    add_options(parser)
    parser.add_argument(
        "--show-calls", action="store_true", help="print a line for each call of a function"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=_parse_name,
        metavar="NAME=VALUE",
        help="use VALUE where an address in the module files says NAME, which is a host, or a host "
        "and a port: --set kafka:9092=localhost:19092. May be given several times",
    )
    parser.add_argument(
        "--strict", action="store_true", help="take no unknown keys in module files"
    )
    add_dialect(parser, "the engine that the module files were written for")
    add_access(parser)
    parser.set_defaults(run=run)


def _rest_s(options: RuntimeOptions) -> float:
    """How long a stop takes at most, without the calls: the runtime, the admin port, the tasks."""
    return (options.stop_bound - options.drain).total_seconds() + ADMIN_STOP_S + _CANCELLED_S


def _parse_webhook(text: str) -> tuple[str, str]:
    """An egress, and where to post its records."""
    typename, equals, url = text.partition("=")
    if not equals or not url.startswith(("http://", "https://")):
        raise ArgumentTypeError(
            f"{text!r} names no egress and URL: write for example "
            "com.example/orders=https://example.com/hook"
        )
    return parse_type(typename), url


def _parse_listen(text: str) -> tuple[str, int]:
    """A host and a port."""
    host, _, port = text.rpartition(":")
    if not host:
        raise ArgumentTypeError(f"{text!r} has no host: write for example 127.0.0.1:7233")
    return host.strip("[]"), parse_port(port)


def _parse_name(text: str) -> tuple[str, str]:
    """What an address says, and what to use instead."""
    name, _, value = text.partition("=")
    if not name or not value:
        raise ArgumentTypeError(f"{text!r} names no host: write for example 'kafka=localhost:9092'")
    return name, value


def run(arguments: Namespace) -> int:
    """Run until SIGTERM or SIGINT, then let what is under way end, within a bounded time."""
    from statefun.cli.assembly import assemble  # noqa: PLC0415 - needs an extra

    if not (arguments.files or arguments.functions or arguments.listen):
        raise UsageError(
            "nothing to run: pass module files, --functions MODULE:ATTR, --listen HOST:PORT, or "
            "several of them"
        )
    access = access_files(arguments).open()
    assembly = assemble(
        arguments.files,
        arguments.functions,
        data=arguments.data,
        host=arguments.host,
        strict=arguments.strict,
        dialect=arguments.dialect,
        options=runtime_options(arguments),
        rules=function_rules(arguments),
        access=access,
        invocation_port=arguments.ingress_port,
        listen=arguments.listen,
        names=dict(arguments.set),
        observers=[CallLines()] if arguments.show_calls else [],
        webhooks=dict(arguments.webhook),
    )
    allow_connections()
    collect_rarely()
    # `asyncio.run` would wait for tasks and threads of functions, which may never end.
    loop, ended = new_event_loop(), Event()
    try:
        _complete(loop, loop.create_task(_run(assembly, arguments, access, ended)))
    finally:
        loop.run_until_complete(_cancel_the_rest())
        loop.close()
        ended.set()
    return 0


def _complete(loop: asyncio.AbstractEventLoop, running: asyncio.Task[None]) -> None:
    """Run to the end; a function that is interrupted lets the process stop in order before.

    Raises:
        KeyboardInterrupt: If one was.
    """
    interrupt: KeyboardInterrupt | None = None
    while not running.done():
        try:
            loop.run_until_complete(running)
        except KeyboardInterrupt as error:
            interrupt = error
            signal.raise_signal(signal.SIGINT)
    if interrupt is not None:
        raise interrupt


async def _run(assembly: Assembly, arguments: Namespace, access: Access, ended: Event) -> None:
    runtime = assembly.runtime
    rest_s = arguments.stop_timeout
    if rest_s is None:
        rest_s = _rest_s(runtime.options)
    stop = _stop_signal(arguments.drain + rest_s, ended, lambda: runtime.calls_under_way)
    async with AsyncExitStack() as stack:
        admin = _admin(runtime, arguments, access)
        if admin is not None:
            stack.push_async_callback(admin.stop)
            await admin.start()
        await stack.enter_async_context(runtime)
        print_line(_ready(assembly, arguments, admin, "http" if access.tls is None else "https"))
        await _until(stop, runtime)


async def _until(stop: asyncio.Event, runtime: Runtime) -> None:
    """Wait for a signal, or for the error by which the runtime ends by itself."""
    waiting = [asyncio.create_task(stop.wait()), asyncio.create_task(runtime.watch())]
    done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for each in pending:
        each.cancel()
    for each in done:
        each.result()


def _admin(runtime: Runtime, arguments: Namespace, access: Access) -> AdminServer | None:
    if arguments.admin_port is None:
        return None
    from statefun.runtime.admin.metrics import AdminServer  # noqa: PLC0415 - needs an extra

    return AdminServer(
        runtime.metrics,
        lambda: runtime.is_healthy,
        arguments.host,
        arguments.admin_port,
        access=access,
    )


def _stop_signal(
    seconds: float, ended: Event, under_way: Callable[[], Sequence[str]]
) -> asyncio.Event:
    """An event that SIGTERM, SIGHUP or SIGINT sets; a second SIGINT ends the process now.

    Args:
        seconds: The process ends so long after the signal, whatever holds it up.
        ended: Set when it has ended by itself.
        under_way: Names the calls that a stop waits for.
    """
    loop, stop, asked = asyncio.get_running_loop(), asyncio.Event(), Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and asked.is_set():
            _say("stopped now; what was under way is done again at the next start")
            os._exit(_INTERRUPTED)
        if number == signal.SIGINT:
            waits_for = _waits_for(under_way(), blocking_function(frame))
            if waits_for:
                _say(f"waits up to {seconds:g} s for {waits_for}; Ctrl-C once more stops now")
        asked.set()
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)

    def watch() -> None:
        asked.wait()
        if ended.wait(seconds):
            return
        _say(
            f"not stopped {seconds:g} s after the signal: something holds up the "
            "event loop or does not end; ended without it, what was answered for is kept"
        )
        os._exit(1)

    Thread(target=watch, name="statefun-stop", daemon=True).start()
    for number in STOP_SIGNALS:
        # The loop is woken by a signal that another thread gets; it does not see one that comes
        # while it is not running.
        loop.add_signal_handler(number, stop.set)
        signal.signal(number, on_signal)
    return stop


def _say(sentence: str) -> None:
    """Tell the operator, in one write, since a signal handler may be the caller."""
    os.write(2, f"statefun run: {sentence}\n".encode(errors="backslashreplace"))


def _waits_for(names: Sequence[str], blocking: BlockingFunction | None) -> str:
    """What a stop waits for; empty if for nothing."""
    parts = [escaped(each) for each in names[:_MOST_NAMES]]
    if len(names) > _MOST_NAMES:
        parts.append(f"{len(names) - _MOST_NAMES} other calls")
    if blocking is not None:
        parts.insert(0, f"{blocking.name} ({blocking.place}), which holds up the event loop")
    return ", ".join(parts)


async def _cancel_the_rest() -> None:
    """Cancel tasks that functions have left running, and wait for them a while."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for each in rest:
        each.cancel()
    if rest:
        await asyncio.wait(rest, timeout=_CANCELLED_S)


def _ready(assembly: Assembly, arguments: Namespace, admin: AdminServer | None, scheme: str) -> str:
    host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    servers = [("ingress", each.port) for each in assembly.ingresses if hasattr(each, "port")]
    servers += [("egress", each.port) for each in assembly.egresses if hasattr(each, "port")]
    if assembly.invocations is not None:
        servers.append(("invocations", assembly.invocations.port))
    if assembly.listener is not None:
        servers.append(("workflows", assembly.listener.port))
    if admin is not None:
        servers.append(("admin", admin.port))
    parts = [f"{name} {scheme}://{host}:{port}" for name, port in servers]
    parts.append("in memory" if arguments.durability == "memory" else f"data {arguments.data}")
    return f"statefun run: ready, {', '.join(parts)}"
