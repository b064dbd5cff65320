"""A receiver of others' making: hypercorn speaks HTTP/1.1 and HTTP/2 over TLS, standardwebhooks checks signatures.

receiver.py CERTIFICATE KEY [--client-ca FILE] [--secret whsec_…]
Prints its port, then a JSON line for each request.
"""
import argparse
import asyncio
import json
import socket
import ssl

from hypercorn.asyncio import serve
from hypercorn.config import Config
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

arguments = argparse.ArgumentParser()
arguments.add_argument("certificate")
arguments.add_argument("key")
arguments.add_argument("--client-ca")
arguments.add_argument("--secret")
arguments = arguments.parse_args()


def verified(headers, body):
    if not arguments.secret:
        return None
    try:
        Webhook(arguments.secret).verify(body, headers)
        return True
    except WebhookVerificationError as error:
        return str(error)


async def receive(scope, receive, send):
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        part = await receive()
        if part["type"] == "http.disconnect":
            return
        body, more = body + part.get("body", b""), part.get("more_body", False)
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    client = f"{scope['client'][0]}:{scope['client'][1]}"
    line = {"version": scope["http_version"], "path": scope["path"], "client": client,
            "id": headers.get("webhook-id"), "verified": verified(headers, body)}
    print(json.dumps(line), flush=True)
    if scope["path"] == "/hang":
        await asyncio.sleep(3600)
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


listener = socket.create_server(("127.0.0.1", 0))
config = Config()
config.bind = [f"fd://{listener.fileno()}"]
config.certfile, config.keyfile = arguments.certificate, arguments.key
config.alpn_protocols = ["h2", "http/1.1"]
config.loglevel = "ERROR"
# Tests ask what the courier does with a kept connection; on a machine that stands still a while, five seconds of
# patience would end it from this side.
config.keep_alive_timeout = 600
config.ssl_handshake_timeout = 600
if arguments.client_ca:
    config.ca_certs = arguments.client_ca
    config.verify_mode = ssl.CERT_REQUIRED
print(listener.getsockname()[1], flush=True)
asyncio.run(serve(receive, config))
