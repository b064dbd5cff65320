"""A mail server on loopback, by aiosmtpd. Argument 1 is the manner, 2 and 3 certificate and key (PEM).

Manners: starttls (STARTTLS, then a login is asked for), plain (nothing is asked for), implicit (TLS from the first byte).
Each message is written down as a JSON line, read by Python's own email package. Some recipients have a fate of their
own."""
import asyncio, email, email.policy, json, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult

manner, certificate, key = sys.argv[1:4]
FATES = {"later@example.com": "451 try again", "never@example.com": "550 no such user", "full@example.com": "452 full"}


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in FATES:
            return FATES[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if envelope.rcpt_tos == ["spam@example.com"]:
            return "554 looks like spam"
        if envelope.rcpt_tos == ["silence@example.com"]:
            await asyncio.Event().wait()
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = {part.get_content_type(): part.get_content() for part in message.walk() if not part.is_multipart()}
        print(json.dumps({
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": server.transport.get_extra_info("sslcontext") is not None,
            "login": bool(session.authenticated), "peer": session.peer[1], "greeting": session.host_name,
            "headers": [[name, str(value)] for name, value in message.items()],
            "text": parts.get("text/plain", ""), "html": parts.get("text/html", ""),
            "raw": envelope.content.decode("ascii"), "defects": [str(d) for d in message.defects],
        }), flush=True)
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    good = data.login == b"carillon" and data.password == b"mail-password"
    return AuthResult(success=good, handled=False)


def secured():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def make():
    if manner == "starttls":
        return SMTP(Handler(), tls_context=secured(), require_starttls=True, auth_required=True,
                    authenticator=authenticate, hostname="double")
    return SMTP(Handler(), hostname="double")


async def main():
    context = secured() if manner == "implicit" else None
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, ssl=context)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()

asyncio.run(main())
