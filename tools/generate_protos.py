"""Turn `protos/*.proto` into `statefun/sdk/wire/_proto/`: one descriptor set, and type stubs.

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
TARGET = ROOT / "statefun" / "sdk" / "wire" / "_proto"


def generate(target: Path) -> None:
    """Write `schema.bin` (a FileDescriptorSet) and one `.pyi` per schema into `target`."""
    schemas = sorted(path.name for path in SOURCES.glob("*.proto"))
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
        generate(TARGET)
        return 0
    with tempfile.TemporaryDirectory() as fresh:
        generate(Path(fresh))
        if same_schema(Path(fresh), TARGET):
            return 0
    print("statefun/sdk/wire/_proto is older than protos/: run `make protos`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
