"""The evening after: all guests look at their photos at the same time."""

import asyncio
import time
from collections.abc import Sequence
from itertools import cycle, islice

from benchmarks.rush.client import Browser, Tally
from benchmarks.rush.guests import Guest, Place

#: As many as a browser opens to one host.
CONNECTIONS = 6


async def look_at_photos(
    guests: Sequence[Guest], place: Place, tally: Tally, *, thumbnails: int
) -> list[float]:
    """Return how long each guest waited for both lists and so many thumbnails, in seconds."""
    return await asyncio.gather(*(_page(guest, place, tally, thumbnails) for guest in guests))


async def _page(guest: Guest, place: Place, tally: Tally, thumbnails: int) -> float:
    started = time.perf_counter()
    browsers = [Browser(place.origins, tally) for _ in range(CONNECTIONS)]
    for browser in browsers:
        browser.log_in(guest.token)
    events = f"/api/user/events/{place.event_id}"
    own, general = await asyncio.gather(
        browsers[0].get(f"{events}/photos"), browsers[1].get(f"{events}/all-photos")
    )
    photos = [*own.json(), *general.json()]
    todo = islice(cycle([photo["thumbnail_url"] for photo in photos]), thumbnails)

    async def fetch(browser: Browser) -> None:
        for url in todo:
            await browser.get(url)

    await asyncio.gather(*(fetch(browser) for browser in browsers))
    for browser in browsers:
        browser.close()
    return time.perf_counter() - started
