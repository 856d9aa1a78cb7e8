"""For the photographer: people in an event who have sent no selfie, and adding them by hand."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from libs.common.errors import NotFound
from libs.common.messaging.messages import MatchChanged
from libs.common.web.tokens import Principal
from services.gallery.events.access import require_visible_event
from services.gallery.events.repository import EventRow
from services.gallery.gallery import Gallery
from services.gallery.in_photo import added_guests
from services.gallery.in_photo.added_guests import Additions
from services.gallery.lists import repository as photo_lists
from services.gallery.lists.cache import EncodedList
from services.gallery.lists.encode import encode_list
from services.gallery.lists.photographer_lists import photographer_views
from services.gallery.lists.repository import PhotoRow
from services.gallery.people.people_place import PeoplePlace, encode_place
from services.gallery.people.recognition_people import SeenFace, SeenPeople, SeenPerson
from services.gallery.web.paging import Page, Place
from services.gallery.web.views import View, photo_view

#: What is shown of a cover's photo.
_OF_COVER = ("width", "height", "url", "thumbnail_url", "preview_url", "placeholder")


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """Which part of the list is wanted."""

    min_photos: int
    limit: int
    after: PeoplePlace | None


async def people_of_event(
    event_id: int, page: PeoplePage, *, principal: Principal, gallery: Gallery
) -> tuple[View, str | None]:
    """Return a page of people, and the cursor of the next one.

    Raises NotFound, also for others' events, Unavailable, and Conflict where the face engine
    cannot tell.
    """
    async with gallery.database.read() as connection:
        event = await require_visible_event(connection, principal, event_id)
    # What recognition knows may be a moment old; a photo may have been deleted since.
    seen, covers = await _seen_with_covers(event, page, gallery, is_fresh=False)
    if len(covers) < len({person.cover.photo_id for person in seen.people}):
        seen, covers = await _seen_with_covers(event, page, gallery, is_fresh=True)
    people = [person for person in seen.people if person.cover.photo_id in covers]
    photo_ids = {face.photo_id for person in people for face in person.photos}
    async with gallery.database.read() as connection:
        settled = await added_guests.photos_settled_of(connection, event_id, list(photo_ids))
    cursor = None
    if seen.has_more and seen.people:
        last = seen.people[-1]
        cursor = encode_place(PeoplePlace(last.photo_count, last.id))
    view: View = {
        "event_id": event_id,
        "people": [
            _person_view(person, event, covers[person.cover.photo_id], settled, gallery)
            for person in people
        ],
        "faces_considered": seen.faces_considered,
        "faces_in_all": seen.faces_in_all,
        "computed_at": seen.computed_at,
    }
    return view, cursor


async def photos_of_person(
    event_id: int, person_id: int, page: Page, *, principal: Principal, gallery: Gallery
) -> EncodedList:
    """Return the person's photos, each with their face. Raises what `people_of_event` does."""
    async with gallery.database.read() as connection:
        await require_visible_event(connection, principal, event_id)
    person = await gallery.recognition.person(event_id, person_id)
    face_in = {face.photo_id: face for face in person.photos}
    async with gallery.loads, gallery.database.scan() as connection:

        async def read(after: Place | None, limit: int) -> list[PhotoRow]:
            return await photo_lists.photos_with_ids(
                connection, event_id, face_in, after=after, limit=limit
            )

        async def show(photos: Sequence[PhotoRow]) -> list[View]:
            views = await photographer_views(connection, gallery, photos)
            return [view | {"box": _box(face_in[_id_of(view)])} for view in views]

        return await encode_list(page, read=read, show=show)


async def add_guest_to_person(
    event_id: int, person_id: int, user_id: int, *, principal: Principal, gallery: Gallery
) -> Additions:
    """Show the guest all photos of the person, but those that they denied.

    Raises NotFound for a person or guest that the event has not, and what `people_of_event` does.
    """
    async with gallery.database.read() as connection:
        await require_visible_event(connection, principal, event_id)
    person = await gallery.recognition.person(event_id, person_id)
    async with gallery.database.unit_of_work() as unit:
        if not await added_guests.lock_guest(unit.connection, user_id, event_id):
            raise NotFound("Guest", user_id)
        additions = await added_guests.add_to_photos(
            unit.connection,
            user_id,
            event_id,
            [face.photo_id for face in person.photos],
            added_by=principal.user_id,
        )
        if additions.new:
            unit.publish(MatchChanged(event_id=event_id, user_ids=(user_id,)))
    return additions


async def _seen_with_covers(
    event: EventRow, page: PeoplePage, gallery: Gallery, *, is_fresh: bool
) -> tuple[SeenPeople, dict[int, PhotoRow]]:
    seen = await gallery.recognition.page(
        event.id,
        min_photos=page.min_photos,
        limit=page.limit,
        after=page.after,
        is_fresh=is_fresh,
    )
    covers = {person.cover.photo_id for person in seen.people}
    async with gallery.database.read() as connection:
        photos = await photo_lists.photos_with_ids(
            connection, event.id, covers, after=None, limit=len(covers)
        )
    return seen, {photo.id: photo for photo in photos}


def _person_view(
    person: SeenPerson,
    event: EventRow,
    cover: PhotoRow,
    settled: Mapping[int, Collection[int]],
    gallery: Gallery,
) -> View:
    photo_ids = {face.photo_id for face in person.photos}
    of_cover = photo_view(cover, event, gallery.urls)
    return {
        "id": person.id,
        "photo_count": person.photo_count,
        "face_count": person.face_count,
        "cover": {"photo_id": cover.id, "box": _box(person.cover)}
        | {key: of_cover[key] for key in _OF_COVER},
        "photos": [{"photo_id": face.photo_id, "box": _box(face)} for face in person.photos],
        # Added to all of these photos, but those they denied: the person has a name.
        "added_user_ids": sorted(
            user_id for user_id, in_photos in settled.items() if photo_ids <= set(in_photos)
        ),
    }


def _box(face: SeenFace) -> View:
    return {"left": face.left, "top": face.top, "width": face.width, "height": face.height}


def _id_of(view: View) -> int:
    photo_id = view["id"]
    assert isinstance(photo_id, int)  # noqa: S101 - as photo_view makes it
    return photo_id
