"""The kinds of files of JSON lines, which only the embedded runtime has."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, StrictStr

from statefun.modulefiles.fields import Name, Spec, Typename

__all__ = ["FILES_EGRESS", "FILES_INGRESS", "FileEgressSpec", "FileIngressSpec"]

FILES_INGRESS: Final = "io.statefun.files.v1/ingress"
FILES_EGRESS: Final = "io.statefun.files.v1/egress"


class FileIngressSpec(Spec):
    """A file of JSON lines, and where its lines go.

    Attributes:
        key: The member of a line that is the id.
    """

    id: Typename
    path: Name
    key: Name = "id"
    value_type: StrictStr = Field(alias="valueType")
    targets: Annotated[tuple[Typename, ...], Field(min_length=1)]


class FileEgressSpec(Spec):
    """Where records are written as JSON lines.

    Attributes:
        path: The file; None for standard output.
    """

    id: Typename
    path: Name | None = None
