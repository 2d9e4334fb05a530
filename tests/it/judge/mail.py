"""A real mail server, aiosmtpd, with TLS.

`mail.py CERTIFICATE KEY smtps|smtp` listens on a port of loopback, prints it, and then a JSON line for each letter that it took:

    {"from": "…", "to": ["…"], "subject": "…", "references": "…" or null, "message_id": "…",
     "kinds": ["text/plain", …], "text": "…", "table": "…" or null, "user": "…" or null}

It takes the user `notafter` with the password `open sesame`, and with `smtp` nothing before STARTTLS. There is no mailbox for
`nobody@example.com`, and for `later@example.com` not yet.
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address == "nobody@example.com":
            return "550 5.1.1 no such mailbox"
        if address == "later@example.com":
            return "451 4.7.1 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        kinds = [part.get_content_type() for part in letter.walk() if not part.is_multipart()]
        table = next((part for part in letter.walk() if part.get_content_type() == "text/csv"), None)
        seen = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "subject": letter["Subject"],
            "references": letter["References"],
            "message_id": letter["Message-ID"],
            "kinds": kinds,
            "text": letter.get_body(("plain",)).get_content(),
            "table": table and table.get_content(),
            "user": session.auth_data and session.auth_data.login.decode(),
        }
        print(json.dumps(seen), flush=True)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    known = data.login == b"notafter" and data.password == b"open sesame"
    return AuthResult(success=known, handled=False, auth_data=data)


async def serve(certificate, key, mode):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    starttls = {"tls_context": context, "require_starttls": True} if mode == "smtp" else {"auth_require_tls": False}
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(Handler(), authenticator=authenticate, enable_SMTPUTF8=True, **starttls),
        "127.0.0.1",
        0,
        ssl=context if mode == "smtps" else None,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(serve(*sys.argv[1:]))
