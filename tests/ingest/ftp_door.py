"""The door for cameras on a gallery's resources, and those who send to it."""

import asyncio
import datetime as dt
import ftplib
import io
import ssl
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fastapi import FastAPI
from prometheus_client import REGISTRY
from sqlalchemy import select

from libs.common.accounts.api_keys import ApiKey
from libs.common.database.tables import events
from services.ingest.ftp.app import create_app
from services.ingest.settings import IngestSettings
from tests.ingest.conftest import Gallery
from tests.ingest.test_api_keys import key_for
from tests.support.polling import PATIENCE_SECONDS

T = TypeVar("T")


def certificate(folder: Path) -> Path:
    """Return a PEM file of a certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = folder / "door.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


class ClosingTls(ftplib.FTP_TLS):
    """ftplib's client, which takes any certificate."""

    def __init__(self, **options: Any) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        super().__init__(context=context, **options)


@dataclass(frozen=True)
class Door:
    """A running door, the key of a gallery's photographer, and the code of its event."""

    gallery: Gallery
    app: FastAPI
    port: int
    code: str
    key: ApiKey

    async def by(
        self,
        do: Callable[[ftplib.FTP], T],
        *,
        tls: bool = False,
        user: str | None = None,
        password: str | None = None,
        source: str = "127.0.0.1",
    ) -> T:
        """Log in from an address, do something and leave, in a thread."""

        def work() -> T:
            client: ftplib.FTP = (
                ClosingTls(timeout=PATIENCE_SECONDS)
                if tls
                else ftplib.FTP(timeout=PATIENCE_SECONDS)
            )
            with client:
                client.connect("127.0.0.1", self.port, source_address=(source, 0))
                client.login(user or self.code, password or self.key.text)
                if isinstance(client, ftplib.FTP_TLS):
                    client.prot_p()
                return do(client)

        # Not in the loop's threads: the store works in those, and waits for them.
        with ThreadPoolExecutor(1) as thread:
            return await asyncio.get_running_loop().run_in_executor(thread, work)

    async def send(self, name: str, content: bytes, *, tls: bool = False) -> str:
        """Send a file, and return the answer."""
        file = io.BytesIO(content)
        return await self.by(lambda ftp: ftp.storbinary(f"STOR {name}", file), tls=tls)


def no_camera() -> bool:
    """Whether nobody is connected any more."""
    return REGISTRY.get_sample_value("findme_ftp_connections") == 0


@asynccontextmanager
async def open_door(gallery: Gallery, **values: object) -> AsyncIterator[Door]:
    """Start a door beside the gallery's ingest, on any port; without TLS unless it is set."""
    ingest = gallery.ingest
    given: dict[str, object] = {"ftp_port": 0, "ftp_plain": True, "host": "127.0.0.1"}
    settings = IngestSettings.model_validate(
        {name: getattr(ingest.settings, name) for name in type(ingest.settings).model_fields}
        | given
        | values
    )
    app = create_app(settings, ingest.app.state.resources)
    async with app.router.lifespan_context(app):
        async with ingest.resources.database.read() as connection:
            code = await connection.scalar(
                select(events.c.event_code).where(events.c.id == gallery.event_id)
            )
        yield Door(gallery, app, app.state.ftp_port, str(code), await key_for(gallery))
