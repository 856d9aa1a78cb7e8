"""A client of tus 1.0 that does what it is told to, breaks included."""

import asyncio
import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
from prometheus_client import REGISTRY

from tests.ingest.conftest import Gallery
from tests.support.polling import eventually

VERSION = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}


def metadata(**values: str | int) -> str:
    """Return pairs as Upload-Metadata has them."""
    return ",".join(
        f"{key} {base64.b64encode(str(value).encode()).decode()}" for key, value in values.items()
    )


def checksum(content: bytes, algorithm: str = "sha256") -> dict[str, str]:
    """Return the header of a body."""
    digest = base64.b64encode(hashlib.new(algorithm, content).digest()).decode()
    return {"Upload-Checksum": f"{algorithm} {digest}"}


@dataclass(frozen=True)
class Tus:
    """A photographer's client; `client` may be of a replica, or of a way to one."""

    gallery: Gallery
    client: httpx.AsyncClient

    @classmethod
    def of(cls, gallery: Gallery) -> "Tus":
        return cls(gallery, gallery.ingest.client)

    @property
    def headers(self) -> dict[str, str]:
        return self.gallery.headers | VERSION

    async def post(
        self,
        length: int,
        body: bytes = b"",
        *,
        name: str = "IMG_1.JPG",
        said: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Create an upload; `said` is more of its metadata."""
        told: dict[str, str | int] = {"event_id": self.gallery.event_id, "filename": name}
        sent = {
            "Upload-Length": str(length),
            "Upload-Metadata": metadata(**(told | dict(said or {}))),
        }
        return await self.client.post(
            "/api/uploads",
            headers=self.headers | sent | (BYTES if body else {}) | dict(headers or {}),
            content=body,
        )

    async def create(
        self, length: int, *, name: str = "IMG_1.JPG", said: Mapping[str, str | int] | None = None
    ) -> str:
        """Create an upload and return where it is."""
        answer = await self.post(length, name=name, said=said)
        assert answer.status_code == 201, answer.text
        return str(answer.headers["Location"])

    async def head(self, location: str) -> httpx.Response:
        return await self.client.head(location, headers=self.headers)

    async def offset(self, location: str) -> int:
        answer = await self.head(location)
        assert answer.status_code == 200, answer.text
        return int(answer.headers["Upload-Offset"])

    async def patch(
        self, location: str, offset: int, body: bytes, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        sent = BYTES | {"Upload-Offset": str(offset)} | dict(headers or {})
        return await self.client.patch(location, headers=self.headers | sent, content=body)

    async def delete(self, location: str) -> httpx.Response:
        return await self.client.delete(location, headers=self.headers)

    async def begin_patch(
        self, url: str, location: str, offset: int, *, announced: int, body: bytes
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Send the beginning of a body over a connection of its own, which stays open."""
        where = urlsplit(url)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        sent = self.headers | BYTES | {"Upload-Offset": str(offset), "Host": "findme"}
        lines = [f"{name}: {value}" for name, value in sent.items()]
        head = "\r\n".join(
            [f"PATCH {location} HTTP/1.1", f"Content-Length: {announced}", *lines, "", ""]
        )
        writer.write(head.encode() + body)
        await writer.drain()
        return reader, writer

    async def break_off(
        self, url: str, location: str, offset: int, *, announced: int, body: bytes
    ) -> None:
        """Send the beginning of a body, and go away; returns once the request has ended."""
        before = ended_requests()
        _, writer = await self.begin_patch(url, location, offset, announced=announced, body=body)
        writer.close()
        await writer.wait_closed()
        await eventually(lambda: ended_requests() > before)


def ended_requests() -> float:
    """How many requests for bytes have ended, by whatever end."""
    found = [
        REGISTRY.get_sample_value("findme_resumable_requests_total", {"end": end})
        for end in ("complete", "broken")
    ]
    return sum(value or 0 for value in found)
