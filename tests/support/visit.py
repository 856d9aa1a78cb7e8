"""A guest opens their page: the list, twice, and a photo in two sizes."""

import httpx

from demo.scenario import Place
from tests.support.polling import PATIENCE_SECONDS


async def visit(place: Place, guest: str) -> None:
    """Look at what was found; fails when there is nothing."""
    async with place.api() as api:
        await api.login(guest, place.password)
        for _ in range(2):  # the second list is cached
            [photo, *_] = await api.get("/api/my-photos")
    async with httpx.AsyncClient(
        base_url=place.base_url, transport=place.transport, timeout=PATIENCE_SECONDS
    ) as browser:
        for link in ("url", "thumbnail_url"):
            (await browser.get(photo[link])).raise_for_status()
