#!/usr/bin/env bash
# In `<<: [one, other]` the first mapping wins, says YAML's merge key (https://yaml.org/type/merge.html).
# PyYAML 6.0.3 does so. In PyYAML 6.0.4 the last one wins, but for keys of one character the first:
# it compares the identity of the key's text, and CPython keeps one object for each short text.
# Reported as https://github.com/yaml/pyyaml/issues/953. Exits non-zero when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"

found=""
for version in 6.0.3 6.0.4; do
  "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "PyYAML==$version"
  line=$("$folder/venv/bin/python" - <<'PYTHON'
import yaml

short = yaml.safe_load("<<: [{k: first}, {k: last}]")["k"]
long = yaml.safe_load("<<: [{key: first}, {key: last}]")["key"]
print(f"PyYAML {yaml.__version__}: k is the {short}, key is the {long}")
PYTHON
  )
  echo "$line"
  found+="$line;"
done
[ "$found" = "PyYAML 6.0.3: k is the first, key is the first;PyYAML 6.0.4: k is the first, key is the last;" ]
