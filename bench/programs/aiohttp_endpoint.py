"""A program's handler behind aiohttp, as the old SDK's documentation serves it."""

import importlib
import sys

from aiohttp import web

from statefun import RequestReplyHandler

handler = RequestReplyHandler(importlib.import_module(sys.argv[1]).functions)


async def handle(request: web.Request) -> web.Response:
    """Answer one request."""
    reply = await handler.handle_async(await request.read())
    return web.Response(body=reply, content_type="application/octet-stream")


app = web.Application()
app.add_routes([web.post("/statefun", handle)])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[2]), print=None, access_log=None)
