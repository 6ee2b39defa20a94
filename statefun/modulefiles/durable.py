"""The ingress of invocations in module files, as a pydantic model.

Source:
    A kind of our own: no engine knows it, so a file that has it is for the embedded runtime.
"""

from __future__ import annotations

from typing import Final

try:
    from pydantic import Field
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "module files need pydantic: pip install 'statefun[runtime]'"
    ) from error

from statefun.modulefiles.fields import Name, Port, Spec

__all__ = ["INVOCATIONS", "InvocationIngressSpec", "InvocationTlsSpec"]

INVOCATIONS: Final = "io.statefun.durable.v1/ingress"
"""The kind."""


class InvocationTlsSpec(Spec):
    """The files of TLS, in PEM; relative names are relative to where the runtime starts."""

    certificate: Name
    key: Name | None = None
    client_ca: Name | None = Field(default=None, alias="clientCa")


class InvocationIngressSpec(Spec):
    """Where invocations of durable handlers are taken in over HTTP.

    Without `host`, `tls` and `tokenFile` it is as the options of the command say. Without
    `services` all services are public but those that say otherwise.
    """

    port: Port = 8080
    host: Name | None = None
    tls: InvocationTlsSpec | None = None
    token_file: Name | None = Field(default=None, alias="tokenFile")
    services: tuple[Name, ...] | None = None
