#!/usr/bin/env bash
# The state manager `restate` documents `unsubscribe`; in 0.9.9, 0.10.8 and 0.11.6 it does nothing, and the
# callback is called for ever. Its metadata says Python 3.9 or newer, but it needs 3.12: on an older one
# its import fails. Not Restate's SDK (`restate-sdk`), which has the same import name.
# PYTHON names a Python of 3.12 or newer. Exits non-zero when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"

found=""
for version in 0.9.9 0.10.8 0.11.6; do
  "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "restate==$version"
  line=$("$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

from restate import ControllerSync

calls = []
controller = ControllerSync()
callback_id = controller.subscribe("/a", calls.append)
controller.unsubscribe("/a", calls.append)
controller.unsubscribe_by_id("/a", callback_id)
controller.set_state("/a", 1)


def callback(event):
    calls.append(event)


calls.clear()
controller.subscribe("/b", callback)
controller.unsubscribe("/b", callback)
controller.set_state("/b", 1)
print(f"restate {version('restate')}: {len(calls)} call after unsubscribe")
PYTHON
  )
  echo "$line"
  found+="${line##*: };"
done
[ "$found" = "1 call after unsubscribe;1 call after unsubscribe;1 call after unsubscribe;" ]
