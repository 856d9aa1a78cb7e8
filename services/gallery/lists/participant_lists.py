"""A participant's photo lists of an event: in two steps, encoded, cached."""

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import NotFound
from libs.common.rights.access import main_event_id
from libs.common.web.signed_urls import SignedUrls
from services.gallery.events.access import require_joined_event
from services.gallery.events.rules import Event
from services.gallery.gallery import Gallery
from services.gallery.in_photo.repository import best_faces
from services.gallery.lists import repository as photo_lists
from services.gallery.lists.answer import EncodedList, encode_page, photo_view
from services.gallery.lists.cache import ListKey, Scope
from services.gallery.lists.long_lists import LongList, is_long
from services.gallery.web.answers import View, box_view, percent


@dataclass(frozen=True, slots=True)
class PhotoCounts:
    """How many photos there are in all, and how many show the guest."""

    total: int = 0
    of_guest: int = 0


async def participant_list(key: ListKey, *, gallery: Gallery) -> EncodedList | LongList:
    """Return the page from the cache or the database.

    Raises NotAllowed when the participant has not joined the event; membership is looked at
    when the list is read, so an answer from the cache is at most that much older.
    """
    found = await gallery.cache.get(key, _load(key, gallery))
    return await _long(key, gallery) if found is None else found


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


async def count_photos(connection: AsyncConnection, user_id: int, event_id: int) -> PhotoCounts:
    """Return the lengths of the event's general list and of the guest's own."""
    own = await photo_lists.matched_photo_ids(connection, user_id, event_id)
    return PhotoCounts(await count_general_photos(connection, event_id), len(own))


async def count_general_photos(connection: AsyncConnection, event_id: int) -> int:
    """Return the length of the event's general list."""
    return await photo_lists.count(connection, await _general(connection, event_id))


async def _load(key: ListKey, gallery: Gallery) -> EncodedList | None:
    """Return the page, None for a list that is too long to be held in memory."""
    async with gallery.list_turn(), gallery.database.snapshot() as connection:
        listed = await _listed(key, connection)
        if await is_long(connection, listed.photos, key.page):
            return None
        return await encode_page(_views(listed, key, connection, gallery.urls), key.page)


async def _long(key: ListKey, gallery: Gallery) -> LongList:
    async with gallery.long_lists.reading(gallery.database) as (connection, found):
        listed = await _listed(key, connection)
        await found.write(_views(listed, key, connection, gallery.urls))
    return found


@dataclass(frozen=True, slots=True)
class _Listed:
    """Which photos a list is of, and what it says of them."""

    event: Event
    photos: photo_lists.Choice
    #: The photos that show the guest; of the uncertain list, how much each is like them.
    of_guest: Collection[int]
    similarities: Mapping[int, float] | None = None


async def _listed(key: ListKey, connection: AsyncConnection) -> _Listed:
    """Step one. Raises NotAllowed."""
    event = await require_joined_event(connection, key.user_id, key.event_id)
    if key.scope is Scope.UNCERTAIN:
        found = await photo_lists.uncertain_photos_of(connection, key.user_id, key.event_id)
        # Most of these show somebody else: what the photographer hides is left out.
        photos = photo_lists.not_hidden(photo_lists.with_ids(key.event_id, found))
        return _Listed(event, photos, (), found)
    own = await photo_lists.matched_photo_ids(connection, key.user_id, key.event_id)
    if key.scope is Scope.OWN:
        return _Listed(event, photo_lists.with_ids(key.event_id, own), own)
    return _Listed(event, await _general(connection, key.event_id), own)


async def _views(
    listed: _Listed, key: ListKey, connection: AsyncConnection, urls: SignedUrls
) -> AsyncIterator[list[View]]:
    """Step two: the photos chunk by chunk, as the list shows them."""
    event, similarities = listed.event, listed.similarities
    async for photos in photo_lists.photos_of(connection, listed.photos, key.page):
        views = [
            photo_view(photo, event.expires_at, urls)
            | {"event_name": event.name, "has_face_match": photo.id in listed.of_guest}
            for photo in photos
        ]
        if similarities is not None:
            pairs = [(key.user_id, photo.id) for photo in photos]
            boxes = await best_faces(connection, event.id, pairs)
            for view, pair in zip(views, pairs, strict=True):
                view["similarity"] = percent(similarities[pair[1]])
                view["box"] = box_view(boxes.get(pair))
        yield views


async def _general(connection: AsyncConnection, event_id: int) -> photo_lists.Choice:
    selected_only = await photo_lists.shows_selected_only(connection, event_id)
    return photo_lists.general(event_id, selected_only=selected_only)
