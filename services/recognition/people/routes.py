"""The people of an event without a selfie, for the gallery. No embedding leaves this service."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel

from libs.common.errors import NotFound
from libs.common.web.ids import PathId, RowId
from libs.common.web.internal import require_internal
from services.recognition.people.find_people import PeopleFinder
from services.recognition.people.people import ListPosition, Person, PhotoFace

#: Photos of each person in a list of people.
FIRST_PHOTOS = 50

router = APIRouter(
    prefix="/internal/events/{event_id}/people",
    include_in_schema=False,
    dependencies=[Depends(require_internal)],
)


class PersonAnswer(BaseModel):
    """Somebody; `photos` are some or all of their photos."""

    id: int
    photo_count: int
    face_count: int
    cover: PhotoFace
    photos: list[PhotoFace]


class PeopleAnswer(BaseModel):
    """A page of people; `has_more` where others come behind the last one."""

    people: list[PersonAnswer]
    has_more: bool
    faces_considered: int
    faces_in_all: int
    computed_at: datetime


async def _finder(request: Request) -> PeopleFinder:
    finder: PeopleFinder = request.app.state.people
    return finder


Finder = Annotated[PeopleFinder, Depends(_finder)]


@router.get("")
async def people_of_event(
    event_id: PathId,
    finder: Finder,
    min_photos: Annotated[int, Query(ge=1)],
    limit: Annotated[int, Query(ge=1)],
    after_photo_count: int | None = None,
    after_person_id: RowId | None = None,
    fresh: bool = False,  # noqa: FBT001, FBT002 - a query parameter
) -> PeopleAnswer:
    """People who are in `min_photos` photos or more, those in most first."""
    found = await finder.find(event_id, is_fresh=fresh)
    after = None
    if after_photo_count is not None and after_person_id is not None:
        after = ListPosition(after_photo_count, after_person_id)
    page = found.people.page(min_photos=min_photos, limit=limit + 1, after=after)
    return PeopleAnswer(
        people=[_answer(person, most_photos=FIRST_PHOTOS) for person in page[:limit]],
        has_more=len(page) > limit,
        faces_considered=found.faces_considered,
        faces_in_all=found.faces_in_all,
        computed_at=found.computed_at,
    )


@router.get("/{person_id}")
async def one_person(event_id: PathId, person_id: PathId, finder: Finder) -> PersonAnswer:
    """One of them, with all photos."""
    found = await finder.find(event_id)
    person = found.people.find(person_id)
    if person is None:
        raise NotFound("Person", person_id)
    return _answer(person)


def _answer(person: Person, *, most_photos: int | None = None) -> PersonAnswer:
    return PersonAnswer(
        id=person.id,
        photo_count=person.photo_count,
        face_count=person.face_count,
        cover=person.cover,
        photos=list(person.faces[:most_photos]),
    )
