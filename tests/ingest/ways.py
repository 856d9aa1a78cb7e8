"""Every way by which a photo comes, for tests that go for all of them: a new way is a line more."""

import asyncio
import ftplib
import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from tests.ingest.conftest import Gallery
from tests.ingest.ftp_door import open_door
from tests.ingest.tus import Tus
from tests.support.polling import PATIENCE_SECONDS


@dataclass(frozen=True)
class Answer:
    """What the sender of one file is told: the photo's id, or a status and the reason."""

    status: int
    photo_id: int | None = None
    reason: str = ""


Send = Callable[[Gallery, str, bytes], Awaitable[Answer]]


async def by_form(gallery: Gallery, name: str, content: bytes) -> Answer:
    answer = await gallery.upload((name, content), params={"duplicates": "keep"})
    jobs = answer.json().get("jobs", [{}])
    return _told(answer, jobs[0].get("photo_id"))


async def by_put(gallery: Gallery, name: str, content: bytes) -> Answer:
    answer = await gallery.ingest.client.put(
        f"/api/events/{gallery.event_id}/photos/{quote(name, safe='')}",
        content=content,
        headers=gallery.headers,
        params={"duplicates": "keep"},
    )
    return _told(answer, answer.json().get("photo_id"))


async def by_tus(gallery: Gallery, name: str, content: bytes) -> Answer:
    """At once or, where the size is odd, in two requests."""
    tus = Tus.of(gallery)
    answer = await tus.post(len(content), name=name, said={"duplicates": "keep"})
    location = answer.headers.get("Location", "")
    middle = len(content) // 2 if len(content) % 2 else 0
    for start, end in ((0, middle), (middle, len(content))):
        if answer.is_success and end > start:
            answer = await tus.patch(location, start, content[start:end])
    if "FindMe-Photo-Id" in answer.headers:
        return Answer(answer.status_code, int(answer.headers["FindMe-Photo-Id"]))
    return _told(answer, None)


@asynccontextmanager
async def by_ftp(gallery: Gallery) -> AsyncIterator[Send]:
    """One camera's connection; what FTP answers for good, or for the file's sake, is a 400."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as thread:
        async with open_door(gallery) as door:

            def connect() -> ftplib.FTP:
                client = ftplib.FTP(timeout=PATIENCE_SECONDS)
                client.connect("127.0.0.1", door.port)
                client.login(door.code, door.key.text)
                return client

            client = await loop.run_in_executor(thread, connect)

            def store(name: str, content: bytes) -> str:
                try:
                    return client.storbinary(f"STOR {name}", io.BytesIO(content))
                except ftplib.Error as refused:
                    return str(refused)

            async def send(_: Gallery, name: str, content: bytes) -> Answer:
                line = await loop.run_in_executor(thread, store, name, content)
                if stored := re.fullmatch(r"226 .* is photo (\d+), .*", line):
                    return Answer(200, int(stored[1]))
                is_for_good = line.startswith(("5", "426"))
                return Answer(400 if is_for_good else 503, reason=line)

            yield send
            await loop.run_in_executor(thread, client.quit)


def _told(answer: httpx.Response, photo_id: int | None) -> Answer:
    return Answer(answer.status_code, photo_id, answer.json().get("detail", ""))


def _always(send: Send) -> Callable[[Gallery], AbstractAsyncContextManager[Send]]:
    return lambda _: nullcontext(send)


#: Each opens the way to a gallery.
WAYS: dict[str, Callable[[Gallery], AbstractAsyncContextManager[Send]]] = {
    "form": _always(by_form),
    "put": _always(by_put),
    "tus": _always(by_tus),
    "ftp": by_ftp,
}
