"""For the photographer: people in an event who have sent no selfie, and adding them by hand."""

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass

from libs.common.database.audit import Action, record
from libs.common.database.transactions import UnitOfWork
from libs.common.web.auth import Principal
from services.gallery.events.access import require_visible_event
from services.gallery.events.rules import Event
from services.gallery.gallery import Gallery
from services.gallery.in_photo import verdicts_repository as overrides
from services.gallery.in_photo.verdicts import add_guest_to_photos
from services.gallery.in_photo.verdicts_repository import Additions
from services.gallery.lists.answer import encode_page
from services.gallery.lists.list_page import ListPage, PlacedView
from services.gallery.lists.photographer_lists import chosen_photos, photos_by_id
from services.gallery.people.recognition_client import PersonPlace, SeenFace, SeenPeople, SeenPerson
from services.gallery.web.answers import View, box_view
from services.gallery.web.paging import Page

#: What is shown of a cover's photo.
_OF_COVER = ("width", "height", "url", "thumbnail_url", "preview_url", "placeholder")


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """Which part of the list is wanted."""

    min_photos: int
    limit: int
    after: PersonPlace | None


async def people_of_event(
    event_id: int, page: PeoplePage, *, principal: Principal, gallery: Gallery
) -> tuple[View, str | None]:
    """Return a page of people, and the cursor of the next one.

    Raises NotFound, also for others' events, Unavailable, and Conflict where the face engine
    cannot tell.
    """
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            event = await require_visible_event(unit.connection, principal, event_id)
            if page.after is None:  # once a list, not once a page
                await _record_view(event_id, principal, unit)
    # What recognition knows may be a moment old; a photo may have been deleted since.
    seen, covers = await _seen_with_covers(event, page, gallery, is_fresh=False)
    if len(covers) < len({person.cover.photo_id for person in seen.people}):
        seen, covers = await _seen_with_covers(event, page, gallery, is_fresh=True)
    people = [person for person in seen.people if person.cover.photo_id in covers]
    photo_ids = {face.photo_id for person in people for face in person.photos}
    async with gallery.database.read() as connection:
        decided = await overrides.decided_photos(connection, event_id, list(photo_ids))
    cursor = None
    if seen.has_more and seen.people:
        last = seen.people[-1]
        cursor = PersonPlace(last.photo_count, last.id).cursor()
    view: View = {
        "event_id": event_id,
        "people": [
            _person_view(person, covers[person.cover.photo_id], decided) for person in people
        ],
        "faces_considered": seen.faces_considered,
        "faces_in_all": seen.faces_in_all,
        "computed_at": seen.computed_at,
    }
    return view, cursor


async def photos_of_person(
    event_id: int, person_id: int, page: Page, *, principal: Principal, gallery: Gallery
) -> ListPage:
    """Return the person's photos, each with their face. Raises what `people_of_event` does."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            await require_visible_event(unit.connection, principal, event_id)
            if page.after is None:
                await _record_view(event_id, principal, unit)
    person = await gallery.recognition.person(event_id, person_id)
    face_in = {face.photo_id: face for face in person.photos}
    async with gallery.list_turn(principal.user_id), gallery.database.snapshot() as connection:
        photos = chosen_photos(connection, event_id, face_in, page, gallery.links)
        return await encode_page(_with_boxes(photos, face_in), page)


async def add_guest_to_person(
    event_id: int, person_id: int, user_id: int, *, principal: Principal, gallery: Gallery
) -> Additions:
    """Show the guest all photos of the person, but those that they denied.

    Raises NotFound for a person or guest that the event has not, and what `people_of_event` does.
    """
    async with gallery.database.read() as connection:
        await require_visible_event(connection, principal, event_id)
    person = await gallery.recognition.person(event_id, person_id)
    photo_ids = [face.photo_id for face in person.photos]
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            additions = await add_guest_to_photos(
                event_id, photo_ids, user_id, principal=principal, unit=unit
            )
    return additions


async def _record_view(event_id: int, principal: Principal, unit: UnitOfWork) -> None:
    await record(
        unit.connection,
        Action.FACES_VIEWED,
        actor_id=principal.user_id,
        event_id=event_id,
        details={"of": "people without a selfie"},
    )


async def _seen_with_covers(
    event: Event, page: PeoplePage, gallery: Gallery, *, is_fresh: bool
) -> tuple[SeenPeople, dict[int, View]]:
    seen = await gallery.recognition.page(
        event.id,
        min_photos=page.min_photos,
        limit=page.limit,
        after=page.after,
        is_fresh=is_fresh,
    )
    covers = {person.cover.photo_id for person in seen.people}
    async with gallery.database.read() as connection:
        return seen, await photos_by_id(connection, event, covers, gallery.links)


async def _with_boxes(
    chunks: AsyncIterator[list[PlacedView]], face_in: Mapping[int, SeenFace]
) -> AsyncIterator[list[PlacedView]]:
    async for placed in chunks:
        yield [(view | {"box": box_view(face_in[place.photo_id])}, place) for view, place in placed]


def _person_view(person: SeenPerson, cover: View, decided: Mapping[int, Collection[int]]) -> View:
    photo_ids = {face.photo_id for face in person.photos}
    return {
        "id": person.id,
        "photo_count": person.photo_count,
        "face_count": person.face_count,
        "cover": {"photo_id": cover["id"], "box": box_view(person.cover)}
        | {key: cover[key] for key in _OF_COVER},
        "photos": [{"photo_id": face.photo_id, "box": box_view(face)} for face in person.photos],
        # Added to all of these photos, but those they denied: the person has a name.
        "added_user_ids": sorted(
            user_id for user_id, in_photos in decided.items() if photo_ids <= set(in_photos)
        ),
    }
