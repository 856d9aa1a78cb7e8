"""The photographer: photos that are there already, one more every second, and when each matched."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field

import orjson

from benchmarks.rush.client import Browser, Refused, Tally
from benchmarks.rush.guests import Place
from benchmarks.rush.pictures import Pictures
from libs.common import tasks
from tests.support.small_event import PASSWORD

UPLOADS_AT_ONCE = 4
PATIENCE_SECONDS = 600.0
POLL_SECONDS = 0.5


@dataclass(slots=True)
class Photographer:
    """Sends photos, each like no other, and notes when the event's stream calls it matched."""

    place: Place
    pictures: Pictures
    tally: Tally
    sent: int = 0
    started: dict[int, float] = field(default_factory=dict)
    matched: dict[int, float] = field(default_factory=dict)
    _token: str = ""

    async def log_in(self) -> None:
        """Get the token that all their connections send."""
        browser = Browser(self.place.origins, self.tally)
        account = {"username": self.place.photographer, "password": PASSWORD}
        answer = await browser.post("/api/login", account)
        browser.close()
        self._token = answer.json()["access_token"]

    async def upload_all(self, count: int) -> None:
        """Upload photos as fast as they are taken, and wait until all are matched."""
        todo = iter(range(count))

        async def connection() -> None:
            browser = self._browser()
            for _ in todo:
                await self._upload(browser)
            browser.close()

        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*(connection() for _ in range(UPLOADS_AT_ONCE)))
            await self._wait_until_done()

    @asynccontextmanager
    async def uploading_every(self, seconds: float) -> AsyncIterator[None]:
        """Upload a photo at each beat while the block runs; all are matched after it."""
        uploads: list[asyncio.Task[None]] = []

        async def beat() -> None:
            while True:
                uploads.append(asyncio.create_task(self._upload_alone()))
                await asyncio.sleep(seconds)

        async with self._listening():
            beating = asyncio.create_task(beat())
            try:
                yield
            finally:
                beating.cancel()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(*uploads)
                await self._wait_until_done()

    @property
    def seconds(self) -> list[float]:
        """From the beginning of each upload to the stream's word that it is matched."""
        return [
            self.matched[photo] - started
            for photo, started in self.started.items()
            if photo in self.matched
        ]

    async def _upload_alone(self) -> None:
        browser = self._browser()
        started = time.perf_counter()
        with suppress(Refused):
            self.started[await self._upload(browser)] = started
        browser.close()

    async def _upload(self, browser: Browser) -> int:
        self.sent += 1
        number = self.sent
        answer = await browser.upload(
            f"/api/photographer/events/{self.place.event_id}/upload-photos",
            "files",
            f"IMG_{number:05}.jpg",
            self.pictures.photo(number),
        )
        return int(answer.json()["jobs"][0]["photo_id"])

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        opened = asyncio.Event()

        async def listen() -> None:
            target = f"/api/events/{self.place.event_id}/stream"
            async with aclosing(self._browser().events(target)) as events:
                async for name, data in events:
                    opened.set()
                    if name == "photo.matched":
                        self.matched.setdefault(orjson.loads(data)["photo_id"], time.perf_counter())

        listening = asyncio.create_task(listen())
        listening.add_done_callback(lambda _: opened.set())
        await opened.wait()
        try:
            yield
        finally:
            await tasks.end(listening)

    async def _wait_until_done(self) -> None:
        browser = self._browser()
        target = f"/api/photographer/events/{self.place.event_id}/progress"
        while True:
            counts = (await browser.get(target)).json()
            if counts["done"] + counts["failed"] >= self.sent:
                browser.close()
                return
            await asyncio.sleep(POLL_SECONDS)

    def _browser(self) -> Browser:
        browser = Browser(self.place.origins, self.tally)
        browser.log_in(self._token)
        return browser
