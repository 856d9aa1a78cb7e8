"""A photographer's photo lists; not cached, so that each upload shows at once."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.web.tokens import Principal
from services.gallery.events import repository as events
from services.gallery.events.access import require_visible_event
from services.gallery.gallery import Gallery
from services.gallery.lists import repository as photo_lists
from services.gallery.lists.cache import EncodedList
from services.gallery.lists.encode import encode_list
from services.gallery.lists.repository import PhotoRow
from services.gallery.web.paging import Page, Place
from services.gallery.web.views import View, photo_view


async def event_photos(
    event_id: int, page: Page, *, principal: Principal, gallery: Gallery
) -> EncodedList:
    """Return the event's photos, failed ones with their reason.

    Raises NotFound, also for others' events.
    """
    async with gallery.loads, gallery.database.scan() as connection:
        await require_visible_event(connection, principal, event_id)

        async def read(after: Place | None, limit: int) -> list[PhotoRow]:
            return await photo_lists.photos_of_event(connection, event_id, after=after, limit=limit)

        return await encode_list(
            page, read=read, show=partial(photographer_views, connection, gallery)
        )


async def uploaded_photos(page: Page, *, photographer_id: int, gallery: Gallery) -> EncodedList:
    """Return all photos that the photographer uploaded, of any event."""
    async with gallery.loads, gallery.database.scan() as connection:

        async def read(after: Place | None, limit: int) -> list[PhotoRow]:
            return await photo_lists.photos_by_photographer(
                connection, photographer_id, after=after, limit=limit
            )

        return await encode_list(
            page, read=read, show=partial(photographer_views, connection, gallery)
        )


async def photographer_views(
    connection: AsyncConnection, gallery: Gallery, photos: Sequence[PhotoRow]
) -> list[View]:
    """Return the photos as their photographer sees them."""
    by_id = await events.find_events(connection, list({photo.event_id for photo in photos}))
    failed = [photo.id for photo in photos if photo.processing_status == "failed"]
    errors = await photo_lists.processing_errors(connection, failed) if failed else {}
    return [
        photo_view(photo, by_id[photo.event_id], gallery.urls)
        | {
            "show_in_general": photo.show_in_general,
            "processing_error": errors.get(photo.id),
        }
        for photo in photos
        # An event deleted between the two reads takes its photos with it.
        if photo.event_id in by_id
    ]
