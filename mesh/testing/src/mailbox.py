"""A mail server for tests: signs ada in, after STARTTLS or on a port that begins with TLS, and keeps mails as files."""

import asyncio
import itertools
import os
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

port, certificate, key, inbox, password = sys.argv[1:]
numbers = itertools.count()


class Keeper:
    async def handle_DATA(self, server, session, envelope):
        number = next(numbers)
        part = pathlib.Path(inbox, f"{number}.part")
        part.write_bytes(envelope.content)
        os.replace(part, pathlib.Path(inbox, f"{number}.eml"))
        return f"250 kept as {number}"


def authenticate(server, session, envelope, mechanism, data):
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (b"ada", password.encode())
    return AuthResult(success=known, handled=False)


async def main():
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    def smtp(**settings):
        return lambda: SMTP(
            Keeper(), hostname="localhost", auth_required=True, authenticator=authenticate, loop=loop, **settings
        )

    starttls = smtp(require_starttls=True, tls_context=context)
    await loop.create_server(starttls, "127.0.0.1", int(port))
    wrapped = smtp(auth_require_tls=False)
    server = await loop.create_server(wrapped, "127.0.0.1", int(port) + 10, ssl=context)
    await server.serve_forever()


asyncio.run(main())
