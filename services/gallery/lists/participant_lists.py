"""A participant's photo lists of an event: two steps, encoded, cached."""

from collections.abc import Sequence
from functools import partial

from libs.common.errors import NotAllowed, NotFound
from libs.common.rights.access import main_event_id
from services.gallery.events import repository as events
from services.gallery.gallery import Gallery
from services.gallery.lists import repository as photo_lists
from services.gallery.lists.cache import EncodedList
from services.gallery.lists.encode import encode_list
from services.gallery.lists.eviction import ListKey, Scope
from services.gallery.lists.repository import PhotoRow
from services.gallery.lists.uncertain_list import encode_uncertain
from services.gallery.web.paging import Place
from services.gallery.web.views import View, photo_view


async def participant_list(key: ListKey, *, gallery: Gallery) -> EncodedList:
    """Return the page from the cache or the database.

    Raises NotAllowed when the participant has not joined the event; membership is looked at
    when the list is read, so an answer from the cache is at most that much older.
    """
    return await gallery.cache.get(key, partial(_load, key, gallery))


async def require_main_event(user_id: int, *, gallery: Gallery) -> int:
    """Return the first event the participant joined. Raises NotFound when there is none."""
    known: int | None = gallery.main_events.get(user_id)
    if known is not None:
        return known
    async with gallery.database.read() as connection:
        event_id = await main_event_id(connection, user_id)
    if event_id is None:
        raise NotFound("Event", user_id)
    gallery.main_events[user_id] = event_id
    return event_id


async def _load(key: ListKey, gallery: Gallery) -> EncodedList:
    async with gallery.loads, gallery.database.scan() as connection:
        event = await events.enrolled_event(connection, key.user_id, key.event_id)
        if event is None:
            msg = "You have not joined this event."
            raise NotAllowed(msg)
        if key.scope is Scope.UNCERTAIN:
            return await encode_uncertain(
                key.page, event, key.user_id, connection=connection, gallery=gallery
            )
        mine = await photo_lists.matched_photo_ids(connection, key.user_id, key.event_id)
        only_shown = key.scope is Scope.SHARED and await photo_lists.shows_selected_only(
            connection, key.event_id
        )

        async def read(after: Place | None, limit: int) -> list[PhotoRow]:
            if key.scope is Scope.OWN:
                return await photo_lists.photos_with_ids(
                    connection, key.event_id, mine, after=after, limit=limit
                )
            return await photo_lists.general_photos(
                connection, key.event_id, only_shown=only_shown, after=after, limit=limit
            )

        async def show(photos: Sequence[PhotoRow]) -> list[View]:
            return [
                photo_view(photo, event, gallery.urls)
                | {"event_name": event.name, "has_face_match": photo.id in mine}
                for photo in photos
            ]

        return await encode_list(key.page, read=read, show=show)
