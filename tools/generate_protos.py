"""Turn `protos/*.proto` into descriptor sets and type stubs, one folder `_proto` for each room.

Needs a protobuf compiler, which `grpcio-tools` brings (`pip install 'statefun[protos]'`).
"""

from __future__ import annotations

import sys
import tempfile
from importlib import resources
from pathlib import Path

from google.protobuf import descriptor_pb2
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "protos"
TARGETS = {
    ROOT / "statefun" / "sdk" / "wire" / "_proto": (
        *("kafka-egress.proto", "kinesis-egress.proto", "request-reply.proto", "types.proto"),
    ),
    ROOT / "statefun" / "durable" / "_proto": ("durable.proto",),
    ROOT / "statefun" / "workflows" / "_proto": ("workflows.proto",),
}


def generate(target: Path, schemas: tuple[str, ...]) -> None:
    """Write `schema.bin` (a FileDescriptorSet) and one `.pyi` per schema into `target`."""
    well_known = resources.files("grpc_tools") / "_proto"
    arguments = ["protoc", f"-I{SOURCES}", f"-I{well_known}", f"--pyi_out={target}"]
    arguments += [f"--descriptor_set_out={target / 'schema.bin'}", *schemas]
    if protoc.main(arguments) != 0:
        sys.exit("protoc failed; its reason stands above")


def same_schema(ours: Path, theirs: Path) -> bool:
    """Whether two generated folders say the same, whatever compiler wrote them."""
    sets = [
        descriptor_pb2.FileDescriptorSet.FromString((at / "schema.bin").read_bytes())
        for at in (ours, theirs)
    ]
    return bool(sets[0] == sets[1])


def main() -> int:
    """Regenerate, or with `--check` only compare."""
    if sys.argv[1:] != ["--check"]:
        for target, schemas in TARGETS.items():
            generate(target, schemas)
        return 0
    old = [target for target, schemas in TARGETS.items() if not is_fresh(target, schemas)]
    for target in old:
        print(
            f"{target.relative_to(ROOT)} is older than protos/: run `make protos`", file=sys.stderr
        )
    return 1 if old else 0


def is_fresh(target: Path, schemas: tuple[str, ...]) -> bool:
    """Whether a generated folder says what its schemas say."""
    with tempfile.TemporaryDirectory() as fresh:
        generate(Path(fresh), schemas)
        return same_schema(Path(fresh), target)


if __name__ == "__main__":
    raise SystemExit(main())
