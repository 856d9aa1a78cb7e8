"""A small mail server on a real socket: keeps what it takes, and misbehaves as it is told."""

import asyncio
import base64
import contextlib
import datetime as dt
import email
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from libs.common import tasks

#: What the server answers to a command's verb; None for the usual.
Answer = Callable[[str, str], str | None]


def _as_usual(_verb: str, _line: str) -> None:
    return None


@dataclass
class SmtpServer:
    """What it took, and how it behaves."""

    port: int = 0
    tls: ssl.SSLContext | None = None
    login: tuple[str, str] | None = None
    #: May answer something else; "" closes the connection instead.
    answer: Answer = _as_usual
    taken: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    connections: int = 0
    #: Encrypted from the start, not by STARTTLS.
    is_implicit: bool = False
    was_encrypted: bool = False
    #: Set to let it say nothing at all to further commands.
    is_silent: bool = False

    def letters(self, recipient: str) -> list[EmailMessage]:
        return [
            message
            for message, to in zip(self.taken, self.recipients, strict=True)
            if to == recipient
        ]


@contextlib.asynccontextmanager
async def smtp_server(
    *,
    tls: ssl.SSLContext | None = None,
    login: tuple[str, str] | None = None,
    port: int = 0,
    is_implicit: bool = False,
) -> AsyncIterator[SmtpServer]:
    """Serve on 127.0.0.1 until the block ends; encrypted from the start if `is_implicit`."""
    server = SmtpServer(tls=tls, login=login, is_implicit=is_implicit)
    talks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_Talk(server, reader, writer).run())
        talks.add(task)
        task.add_done_callback(talks.discard)

    listening = await asyncio.start_server(
        connected, "127.0.0.1", port, ssl=tls if is_implicit else None
    )
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await tasks.end(*talks)


class _Talk:
    def __init__(
        self, server: SmtpServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        self._recipient = ""
        self._is_encrypted = server.is_implicit
        self._is_known = server.login is None
        server.connections += 1

    async def run(self) -> None:
        try:
            greeting = self._server.answer("CONNECT", "")
            await self._say("220 test ESMTP" if greeting is None else greeting)
            while line := await self._reader.readline():
                await self._command(line.decode().rstrip("\r\n"))
        except (ConnectionError, EOFError):
            pass
        finally:
            self._writer.close()

    async def _command(self, line: str) -> None:
        verb = line.split(" ", 1)[0].upper()
        if self._server.is_silent:
            await asyncio.Event().wait()
        if (other := self._server.answer(verb, line)) is not None:
            await self._say(other)
            return
        match verb:
            case "EHLO":
                await self._say("\r\n".join(self._capabilities()))
            case "STARTTLS":
                await self._say("220 go ahead")
                assert self._server.tls is not None
                await self._writer.start_tls(self._server.tls)
                self._is_encrypted = True
            case "AUTH":
                await self._log_in(line)
            case "MAIL" if not self._is_known:
                await self._say("530 5.7.0 log in first")
            case "RCPT":
                self._recipient = line.partition("<")[2].partition(">")[0]
                await self._say("250 OK")
            case "DATA":
                await self._data()
            case "QUIT":
                await self._say("221 bye")
                raise EOFError
            case _:
                await self._say("250 OK")

    def _capabilities(self) -> list[str]:
        lines = ["test", "8BITMIME"]
        if self._server.tls is not None and not self._is_encrypted:
            lines.append("STARTTLS")
        if self._server.login is not None:
            lines.append("AUTH PLAIN")
        return [f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]

    async def _log_in(self, line: str) -> None:
        _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
        self._is_known = (user, password) == self._server.login
        await self._say("235 welcome" if self._is_known else "535 5.7.8 who are you?")

    async def _data(self) -> None:
        await self._say("354 go on")
        lines: list[bytes] = []
        while (line := await self._reader.readline()) != b".\r\n":
            if not line:
                raise EOFError
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        if (other := self._server.answer("MESSAGE", "")) is not None:
            await self._say(other)
            return
        parsed = email.message_from_bytes(b"".join(lines), policy=SMTP_POLICY)
        self._server.taken.append(parsed)
        self._server.recipients.append(self._recipient)
        self._server.was_encrypted = self._is_encrypted
        await self._say("250 taken")

    async def _say(self, line: str) -> None:
        if not line:
            raise EOFError
        self._writer.write(line.encode() + b"\r\n")
        await self._writer.drain()


def tls_contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return a server's side with a certificate for 127.0.0.1, and a client's that believes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=str(file))
