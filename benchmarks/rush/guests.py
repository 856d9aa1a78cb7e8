"""What a guest's page does from the scan of the code to their photos."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from benchmarks.rush.client import Browser, Origins, Refused, Tally
from libs.common import tasks
from libs.common.consent import VERSION as CONSENT_VERSION
from tests.support.small_event import PASSWORD

#: A page that hears nothing looks by itself.
LOOKS_AGAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where everybody is."""

    origins: Origins
    event_id: int
    event_code: str
    photographer: str


@dataclass(slots=True)
class Guest:
    """One guest, and how long each step of theirs took, in seconds."""

    name: str
    selfie: bytes
    token: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def is_in(self) -> bool:
        """Whether they got as far as their photos."""
        return "photos" in self.seconds


async def come(guest: Guest, place: Place, tally: Tally) -> None:
    """Scan the code, register, send the selfie, and look at one's photos when they are there."""

    async def way(browser: Browser) -> None:
        await _register(guest, browser, place)
        async with _listening(browser, place) as matched:
            with _timed(guest, "upload_selfie"):
                await browser.upload("/api/upload-selfie", "file", "me.jpg", guest.selfie)
            await _see_photos(guest, browser, place, matched)

    await _on_the_way(guest, place, tally, way)


async def come_without_password(guest: Guest, place: Place, tally: Tally) -> None:
    """Scan the code, send name and selfie in one form, and look at one's photos."""

    async def way(browser: Browser) -> None:
        with _timed(guest, "join"):
            answer = await browser.upload(
                "/api/join-with-selfie",
                "file",
                "me.jpg",
                guest.selfie,
                texts={
                    "event_code": place.event_code,
                    "name": guest.name,
                    "consent_version": CONSENT_VERSION,
                },
            )
        guest.token = answer.json()["access_token"]
        browser.log_in(guest.token)
        async with _listening(browser, place) as matched:
            await _see_photos(guest, browser, place, matched)

    await _on_the_way(guest, place, tally, way)


async def _on_the_way(
    guest: Guest, place: Place, tally: Tally, way: Callable[[Browser], Awaitable[None]]
) -> None:
    browser = Browser(place.origins, tally)
    started = time.perf_counter()
    try:
        await way(browser)
        guest.seconds["photos"] = time.perf_counter() - started
    except (Refused, OSError) as error:
        if not isinstance(error, Refused):
            tally.failed.append(repr(error))
    finally:
        browser.close()


async def _register(guest: Guest, browser: Browser, place: Place) -> None:
    account = {
        "username": guest.name,
        "email": f"{guest.name}@example.org",
        "password": PASSWORD,
    }
    code = {"event_code": place.event_code}
    with _timed(guest, "check_code"):
        await browser.post("/api/check-event-code", code)
        await browser.post("/api/check-user-availability", account | code)
    with _timed(guest, "validate_selfie"):
        await browser.upload("/api/validate-selfie", "file", "me.jpg", guest.selfie)
    with _timed(guest, "register"):
        await browser.post("/api/register-with-event-code", {"user_data": account} | code)
    with _timed(guest, "login"):
        answer = await browser.post("/api/login", account)
    guest.token = answer.json()["access_token"]
    browser.log_in(guest.token)


@asynccontextmanager
async def _listening(browser: Browser, place: Place) -> AsyncIterator[asyncio.Event]:
    """Have the event's stream open; yield what is set whenever it tells of a match."""
    matched = asyncio.Event()
    is_open = asyncio.Event()

    async def listen() -> None:
        target = f"/api/events/{place.event_id}/stream"
        async with aclosing(browser.events(target)) as events:
            async for name, _ in events:
                is_open.set()
                if name in {"selfie.matched", "gap"}:
                    matched.set()

    listening = asyncio.create_task(listen())
    # A page that gets no stream looks by itself.
    listening.add_done_callback(lambda _: is_open.set())
    try:
        await is_open.wait()
        yield matched
    finally:
        await tasks.end(listening)


async def _see_photos(guest: Guest, browser: Browser, place: Place, matched: asyncio.Event) -> None:
    with _timed(guest, "matched"):
        while not (await browser.get(_own_photos(place))).json():
            try:
                async with asyncio.timeout(LOOKS_AGAIN_SECONDS):
                    await matched.wait()
            except TimeoutError:
                continue
            matched.clear()


def _own_photos(place: Place) -> str:
    return f"/api/user/events/{place.event_id}/photos?limit=200"


@contextmanager
def _timed(guest: Guest, step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    guest.seconds[step] = time.perf_counter() - started
