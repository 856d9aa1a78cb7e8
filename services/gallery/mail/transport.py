"""Where mails go: a mail server, or a folder where there is none."""

import asyncio
import os
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from enum import StrEnum
from pathlib import Path
from typing import NoReturn, Protocol

import aiosmtplib
import structlog
from aiosmtplib import SMTP

from libs.common.errors import PermanentError, TransientError, Unavailable
from services.gallery.mail.rules import LEASE_SECONDS, is_lasting

log = structlog.get_logger(__name__)

#: Short of the lease, so that nobody else sends the same mail meanwhile.
SEND_SECONDS = LEASE_SECONDS - 60.0
_SERVER_ERRORS = (aiosmtplib.SMTPException, OSError, TimeoutError, ssl.SSLError)


class MailRefused(PermanentError):
    """The mail server will never take this mail."""


class MailPutOff(TransientError):
    """The mail server does not take this mail now."""


class MailServerAway(Unavailable):
    """No mail can be sent now, whichever it is."""


class MailTransport(Protocol):
    """Takes mails."""

    async def send(self, message: EmailMessage, recipient: str) -> None:
        """Return once the mail is taken. Raises MailRefused, MailPutOff, MailServerAway."""

    async def rest(self) -> None:
        """Let go of what is only needed while there are mails."""


class Security(StrEnum):
    """How the way to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where a mail server is, and how one logs in there."""

    host: str
    port: int
    security: Security
    username: str | None
    password: str | None = field(repr=False)
    timeout_seconds: float = 30.0
    #: Who is believed to be the server; the system's authorities when None.
    tls: ssl.SSLContext | None = None


class SmtpTransport:
    """One connection to a mail server, kept while there are mails to send."""

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._client: SMTP | None = None

    async def send(self, message: EmailMessage, recipient: str) -> None:
        """See MailTransport."""
        try:
            async with asyncio.timeout(SEND_SECONDS):
                client = await self._connected()
                await client.send_message(message, recipients=[recipient])
        except aiosmtplib.SMTPNotSupported as error:
            # The address has letters that this server cannot write.
            raise MailRefused(str(error)) from error
        except aiosmtplib.SMTPRecipientsRefused as error:
            self._give_up()
            first = error.recipients[0]
            _refuse(first.code, first.message, error)
        except aiosmtplib.SMTPDataError as error:
            self._give_up()
            _refuse(error.code, error.message, error)
        except _SERVER_ERRORS as error:
            self._give_up()
            raise MailServerAway(_words(error)) from error
        except BaseException:
            self._give_up()
            raise

    async def rest(self) -> None:
        """Say goodbye to the server, which would do so itself after some minutes."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(*_SERVER_ERRORS):
                await client.quit(timeout=1)
            client.close()

    async def _connected(self) -> SMTP:
        if self._client is not None and self._client.is_connected:
            return self._client
        server = self._server
        client = SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            timeout=server.timeout_seconds,
            use_tls=server.security is Security.TLS,
            # Not "if it offers": who is in between would take the offer away.
            start_tls=server.security is Security.STARTTLS,
            tls_context=server.tls,
        )
        try:
            await client.connect()
        except aiosmtplib.SMTPNotSupported as error:
            client.close()
            raise MailServerAway(f"the mail server does not offer {error}") from error
        except BaseException:
            client.close()
            raise
        self._client = client
        return client

    def _give_up(self) -> None:
        """Leave a connection of which it is not known what the server expects next."""
        client, self._client = self._client, None
        if client is not None:
            client.close()


class FolderTransport:
    """Mails as files that mail programs open: for a machine without a mail server."""

    def __init__(self, folder: Path, *, keep_seconds: float) -> None:
        self._folder = folder
        self._keep_seconds = keep_seconds

    async def send(self, message: EmailMessage, recipient: str) -> None:
        """See MailTransport."""
        del recipient  # it is in the message
        try:
            await asyncio.to_thread(self._write, message)
        except OSError as error:
            raise MailServerAway(f"{self._folder}: {error.strerror}") from error

    async def rest(self) -> None:
        """There is nothing to let go of."""

    def _write(self, message: EmailMessage) -> None:
        # Links in mails open accounts: nobody else may look in here.
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder.chmod(0o700)
        self._sweep()
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{message['Message-ID'].strip('<>')}.eml"
        part = self._folder / f".{name}.part"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(message.as_bytes())
        part.rename(self._folder / name)

    def _sweep(self) -> None:
        oldest = time.time() - self._keep_seconds
        for path in self._folder.glob("*.eml"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()


def _refuse(code: int, words: str, error: Exception) -> NoReturn:
    if code == 421:  # it closes the connection, whatever the mail
        raise MailServerAway(f"{code} {words}") from error
    kind = MailRefused if is_lasting(code, words) else MailPutOff
    raise kind(f"{code} {words}") from error


def _words(error: BaseException) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"{type(error).__name__}: {error.code} {error.message}"
    return f"{type(error).__name__}: {error}"
