"""A photographer's photo lists; not cached, so that each upload shows at once."""

from collections.abc import AsyncIterator, Collection

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.web.auth import Principal
from libs.common.web.signed_urls import SignedUrls
from services.gallery.events.access import require_visible_event
from services.gallery.events.rules import Event
from services.gallery.gallery import Gallery
from services.gallery.lists import repository as photo_lists
from services.gallery.lists.answer import EncodedList, encode_page, photo_view
from services.gallery.lists.long_lists import LongList, is_long
from services.gallery.web.answers import View
from services.gallery.web.paging import Page


async def event_photos(
    event_id: int, page: Page, *, principal: Principal, gallery: Gallery
) -> EncodedList | LongList:
    """Return the event's photos, failed ones with their reason.

    Raises NotFound, also for others' events.
    """
    async with gallery.database.read() as connection:
        await require_visible_event(connection, principal, event_id)
    return await _list(photo_lists.of_event(event_id), page, gallery)


async def uploaded_photos(
    page: Page, *, photographer_id: int, gallery: Gallery
) -> EncodedList | LongList:
    """Return all photos that the photographer uploaded, of any event."""
    return await _list(photo_lists.by_photographer(photographer_id), page, gallery)


async def chosen_photos(
    connection: AsyncConnection,
    event_id: int,
    photo_ids: Collection[int],
    page: Page,
    urls: SignedUrls,
) -> AsyncIterator[list[View]]:
    """Yield these photos of an event as its photographer sees them."""
    choice = photo_lists.with_ids(event_id, photo_ids)
    async for views in _views(choice, page, connection, urls):
        yield views


async def photos_by_id(
    connection: AsyncConnection, event: Event, photo_ids: Collection[int], urls: SignedUrls
) -> dict[int, View]:
    """Return those of these photos that the event still has."""
    found = await photo_lists.photos_by_id(connection, event.id, photo_ids)
    return {
        photo_id: photo_view(photo, event.expires_at, urls) for photo_id, photo in found.items()
    }


async def _list(choice: photo_lists.Choice, page: Page, gallery: Gallery) -> EncodedList | LongList:
    async with gallery.list_turn(), gallery.database.snapshot() as connection:
        if not await is_long(connection, choice, page):
            return await encode_page(_views(choice, page, connection, gallery.urls), page)
    async with gallery.long_lists.reading(gallery.database) as (connection, found):
        await found.write(_views(choice, page, connection, gallery.urls))
    return found


async def _views(
    choice: photo_lists.Choice, page: Page, connection: AsyncConnection, urls: SignedUrls
) -> AsyncIterator[list[View]]:
    async for photos in photo_lists.photos_of(connection, choice, page):
        event_ids = {photo.event_id for photo in photos}
        expires_at = await photo_lists.expiries(connection, event_ids)
        failed = [photo.id for photo in photos if photo.processing_status == "failed"]
        errors = await photo_lists.processing_errors(connection, failed) if failed else {}
        yield [
            photo_view(photo, expires_at[photo.event_id], urls)
            | {
                "show_in_general": photo.show_in_general,
                "processing_error": errors.get(photo.id),
            }
            for photo in photos
        ]
