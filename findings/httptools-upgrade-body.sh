#!/usr/bin/env bash
# A server may ignore an offer of another protocol and answer in HTTP/1.1 (RFC 9110, 7.8). Java's
# HttpClient makes one (h2c) with its first request, also with a POST that has a body. llhttp, the parser of
# httptools, stops behind the head of such a request: it reports it as complete, without the body that
# its Content-Length announces, and asks for a new parser. Whoever feeds the rest to one loses the body
# or takes it for the next request. Exits non-zero when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "httptools==0.9.0"
line=$("$folder/venv/bin/python" - <<'PYTHON'
import httptools


class Heard:
    body = b""
    is_complete = False

    def on_body(self, piece):
        self.body += piece

    def on_message_complete(self):
        self.is_complete = True


head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
heard = Heard()
try:
    httptools.HttpRequestParser(heard).feed_data(head + b"abc")
except httptools.HttpParserUpgrade as upgrade:
    rest = len(head) + 3 - upgrade.args[0]
    print(f"httptools {httptools.__version__}: complete {heard.is_complete}, body {heard.body}, rest {rest}")
PYTHON
)
echo "$line"
[ "$line" = "httptools 0.9.0: complete True, body b'', rest 3" ]
