"""A participant's photo lists of an event: in two steps, encoded, cached."""

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass

from fastapi import Request, Response
from sqlalchemy import and_
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import NotFound
from libs.common.rights.photos import may_see
from libs.common.web.auth import Principal
from services.gallery.events.access import require_joined_event
from services.gallery.events.links import PhotoLinks
from services.gallery.events.rules import Event
from services.gallery.favourites import repository as favourites
from services.gallery.gallery import Gallery
from services.gallery.in_photo.repository import best_faces
from services.gallery.lists import repository as photo_lists
from services.gallery.lists.answer import encode_page, list_answer, photo_view
from services.gallery.lists.cache import Eviction, ListKey, Scope
from services.gallery.lists.guest_pages import guest_page
from services.gallery.lists.list_page import ListPage, PlacedView
from services.gallery.lists.long_lists import LongList, is_long
from services.gallery.web.answers import box_view, percent
from services.gallery.web.paging import Page


@dataclass(frozen=True, slots=True)
class PhotoCounts:
    """How many photos there are in all, and how many show the guest."""

    total: int = 0
    of_guest: int = 0


async def participant_answer(request: Request, key: ListKey, *, gallery: Gallery) -> Response:
    """Answer a page of one of the participant's lists. Raises what `participant_list` does."""
    answer = await list_answer(request, await participant_list(key, gallery=gallery), key.page)
    gallery.cache.recount(key)
    return answer


async def participant_list(key: ListKey, *, gallery: Gallery) -> ListPage | LongList:
    """Return the page from the cache or the database.

    Raises NotAllowed when the participant has not joined the event; membership is looked at
    when the list is read, so an answer from the cache is at most that much older. Raises EventOver
    from the event's end on, whatever is in the cache.
    """
    if await has_ended(key.event_id, gallery=gallery):
        # Also the list itself says so to those who have joined, and only to them.
        gallery.cache.evict(Eviction(key.event_id, users=None, general=True))
    found = await gallery.cache.get(key, _load(key, gallery))
    return await _long(key, gallery) if found is None else found


async def favourites_of_event(event_id: int, *, principal: Principal, gallery: Gallery) -> ListPage:
    """Return the favourites that the guest may see still. Raises NotAllowed, EventOver."""
    user_id = principal.user_id
    async with gallery.list_turn(user_id), gallery.database.snapshot() as connection:
        event = await require_joined_event(connection, user_id, event_id)
        kept = await favourites.photo_ids(connection, user_id, event_id)
        own = await photo_lists.matched_photo_ids(connection, user_id, event_id)
        choice = and_(photo_lists.with_ids(event_id, kept), may_see(principal))
        listed = _Listed(event, choice, own)
        key = ListKey(event_id, user_id, Scope.OWN, Page())
        views = _views(listed, key, connection, gallery.links)
        return await encode_page(views, Page())


async def has_ended(event_id: int, *, gallery: Gallery) -> bool:
    """Whether the event is known to be over, or erased."""
    end = await gallery.ends.of(event_id)
    if end is None:
        return False
    state = gallery.ends.state(end)
    return state.is_over or state.is_erased


async def require_main_event(user_id: int, *, gallery: Gallery) -> int:
    """Return the first event the participant joined that is not over, if there is such a one.

    Raises NotFound when they joined none.
    """
    known = gallery.main_events.known(user_id)
    if known is not None and known.value is not None:
        if not await has_ended(known.value, gallery=gallery):
            return known.value
        gallery.main_events.forget(user_id)
    event_id = await gallery.main_events.of(user_id)
    if event_id is None:
        raise NotFound("Event", user_id)
    return event_id


async def count_photos(connection: AsyncConnection, user_id: int, event_id: int) -> PhotoCounts:
    """Return the lengths of the event's general list and of the guest's own."""
    own = await photo_lists.matched_photo_ids(connection, user_id, event_id)
    return PhotoCounts(await count_general_photos(connection, event_id), len(own))


async def count_general_photos(connection: AsyncConnection, event_id: int) -> int:
    """Return the length of the event's general list."""
    return await photo_lists.count(connection, await _general(connection, event_id))


async def _load(key: ListKey, gallery: Gallery) -> ListPage | None:
    """Return the page, None for a list that is too long to be held in memory."""
    if key.scope is not Scope.UNCERTAIN:
        async with (
            gallery.list_turn(key.user_id),
            gallery.database.scan(patient=False) as connection,
        ):
            return await guest_page(connection, key, parts=gallery.parts, links=gallery.links)
    async with gallery.list_turn(key.user_id), gallery.database.snapshot() as connection:
        listed = await _listed(key, connection)
        if await is_long(connection, listed.photos, key.page):
            return None
        views = _views(listed, key, connection, gallery.links)
        return await encode_page(views, key.page)


async def _long(key: ListKey, gallery: Gallery) -> LongList:
    async with gallery.long_lists.reading(gallery.database) as (connection, found):
        listed = await _listed(key, connection)
        await found.write(_views(listed, key, connection, gallery.links))
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
        # Most of these show somebody else: they are shown only where all guests see them.
        general = await _general(connection, key.event_id)
        photos = and_(general, photo_lists.with_ids(key.event_id, found))
        return _Listed(event, photos, (), found)
    own = await photo_lists.matched_photo_ids(connection, key.user_id, key.event_id)
    if key.scope is Scope.OWN:
        return _Listed(event, photo_lists.with_ids(key.event_id, own), own)
    return _Listed(event, await _general(connection, key.event_id), own)


async def _views(
    listed: _Listed, key: ListKey, connection: AsyncConnection, links: PhotoLinks
) -> AsyncIterator[list[PlacedView]]:
    """Step two: the photos chunk by chunk, as the list shows them."""
    event, similarities = listed.event, listed.similarities
    async for placed in photo_lists.photos_of(connection, listed.photos, key.page):
        views = [
            photo_view(photo, event.end, links, time_zone=event.time_zone, for_guest=True)
            | {"event_name": event.name, "has_face_match": photo.id in listed.of_guest}
            for photo, _ in placed
        ]
        if similarities is not None:
            pairs = [(key.user_id, photo.id) for photo, _ in placed]
            boxes = await best_faces(connection, event.id, pairs)
            for view, pair in zip(views, pairs, strict=True):
                view["similarity"] = percent(similarities[pair[1]])
                view["box"] = box_view(boxes.get(pair))
        yield [(view, place) for view, (_, place) in zip(views, placed, strict=True)]


async def _general(connection: AsyncConnection, event_id: int) -> photo_lists.Choice:
    selected_only = await photo_lists.shows_selected_only(connection, event_id)
    return photo_lists.general(event_id, selected_only=selected_only)
