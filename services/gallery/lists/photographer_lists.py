"""A photographer's photo lists; not cached, so that each upload shows at once."""

from collections.abc import AsyncIterator, Collection

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.web.auth import Principal
from services.gallery.events.access import require_visible_event
from services.gallery.events.links import PhotoLinks
from services.gallery.events.rules import Event
from services.gallery.gallery import Gallery
from services.gallery.lists import repository as photo_lists
from services.gallery.lists.answer import encode_page, photo_view
from services.gallery.lists.list_page import ListPage, PlacedView
from services.gallery.lists.long_lists import LongList, is_long
from services.gallery.web.answers import View
from services.gallery.web.paging import Page


async def event_photos(
    event_id: int, page: Page, *, principal: Principal, gallery: Gallery
) -> ListPage | LongList:
    """Return the event's photos, failed ones with their reason.

    Raises NotFound, also for others' events.
    """
    async with gallery.database.read() as connection:
        await require_visible_event(connection, principal, event_id)
    return await _list(photo_lists.of_event(event_id), page, principal.user_id, gallery)


async def uploaded_photos(
    page: Page, *, photographer_id: int, gallery: Gallery
) -> ListPage | LongList:
    """Return all photos that the photographer uploaded, of any event."""
    return await _list(photo_lists.by_photographer(photographer_id), page, photographer_id, gallery)


async def chosen_photos(
    connection: AsyncConnection,
    event_id: int,
    photo_ids: Collection[int],
    page: Page,
    links: PhotoLinks,
) -> AsyncIterator[list[PlacedView]]:
    """Yield these photos of an event as its photographer sees them."""
    choice = photo_lists.with_ids(event_id, photo_ids)
    async for views in _views(choice, page, connection, links):
        yield views


async def photos_by_id(
    connection: AsyncConnection, event: Event, photo_ids: Collection[int], links: PhotoLinks
) -> dict[int, View]:
    """Return those of these photos that the event still has."""
    found = await photo_lists.photos_by_id(connection, event.id, photo_ids)
    return {
        photo_id: photo_view(photo, event.end, links, time_zone=event.time_zone)
        for photo_id, photo in found.items()
    }


async def _list(
    choice: photo_lists.Choice, page: Page, account_id: int, gallery: Gallery
) -> ListPage | LongList:
    async with gallery.list_turn(account_id), gallery.database.snapshot() as connection:
        if not await is_long(connection, choice, page):
            views = _views(choice, page, connection, gallery.links)
            return await encode_page(views, page)
    async with gallery.long_lists.reading(gallery.database) as (connection, found):
        await found.write(_views(choice, page, connection, gallery.links))
    return found


async def _views(
    choice: photo_lists.Choice, page: Page, connection: AsyncConnection, links: PhotoLinks
) -> AsyncIterator[list[PlacedView]]:
    async for placed in photo_lists.photos_of(connection, choice, page):
        photos = [photo for photo, _ in placed]
        event_ids = {photo.event_id for photo in photos}
        of_events = await photo_lists.of_events(connection, event_ids)
        failed = [photo.id for photo in photos if photo.processing_status == "failed"]
        errors = await photo_lists.processing_errors(connection, failed) if failed else {}
        notes = await photo_lists.processing_notes(connection, [photo.id for photo in photos])
        yield [
            (
                photo_view(photo, end, links, time_zone=time_zone)
                | {
                    "show_in_general": photo.show_in_general,
                    "processing_error": errors.get(photo.id),
                    "processing_note": notes.get(photo.id),
                },
                place,
            )
            for photo, place in placed
            for end, time_zone in [of_events[photo.event_id]]
        ]
