"""The photos that a guest may be in: nearly alike, and nobody has said yes or no."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from services.gallery.events.repository import EventRow
from services.gallery.gallery import Gallery
from services.gallery.in_photo.best_faces import best_faces
from services.gallery.lists import repository as photo_lists
from services.gallery.lists.cache import EncodedList
from services.gallery.lists.encode import encode_list
from services.gallery.lists.repository import PhotoRow
from services.gallery.web.paging import Page, Place
from services.gallery.web.views import View, box_view, percent, photo_view


async def encode_uncertain(
    page: Page, event: EventRow, user_id: int, *, connection: AsyncConnection, gallery: Gallery
) -> EncodedList:
    """Return the page, each photo with the face in question.

    Photos that the photographer hides are left out: most of these show somebody else.
    """
    found = await photo_lists.uncertain_photos_of(connection, user_id, event.id)

    async def read(after: Place | None, limit: int) -> list[PhotoRow]:
        return await photo_lists.photos_with_ids(
            connection, event.id, found, after=after, limit=limit, hidden_too=False
        )

    async def show(photos: Sequence[PhotoRow]) -> list[View]:
        boxes = await best_faces(connection, event.id, [(user_id, photo.id) for photo in photos])
        return [
            photo_view(photo, event, gallery.urls)
            | {
                "event_name": event.name,
                "has_face_match": False,
                "similarity": percent(found[photo.id]),
                "box": box_view(boxes.get((user_id, photo.id))),
            }
            for photo in photos
        ]

    return await encode_list(page, read=read, show=show)
