"""The people of an event who have sent no selfie: asked of recognition, which has the faces."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self, TypeVar

import httpx
import structlog
from opentelemetry.trace import SpanKind
from pydantic import BaseModel, ValidationError

from libs.common.errors import Conflict, NotFound, Unavailable
from libs.common.telemetry import tracing
from libs.common.web.internal import internal_client
from services.gallery.settings import GallerySettings
from services.gallery.web.paging import CursorInvalid, packed, unpacked

#: A large event takes ten seconds where nothing else is going on.
TIMEOUT_SECONDS = 60.0
RETRY_SECONDS = 30

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PersonPlace:
    """Where a person stands in the list: those in most photos first, then by their ids."""

    photo_count: int
    person_id: int

    @classmethod
    def of_cursor(cls, cursor: str) -> Self:
        """Raises CursorInvalid when the word is not one of ours."""
        place = cls(*unpacked(cursor))
        if place.photo_count < 0:
            raise CursorInvalid
        return place

    def cursor(self) -> str:
        """Return the place as an opaque word that is safe in a URL."""
        return packed(self.photo_count, self.person_id)


class SeenFace(BaseModel):
    """A face of somebody in a photo, and where in it, in fractions of the upright photo."""

    photo_id: int
    left: float
    top: float
    width: float
    height: float


class SeenPerson(BaseModel):
    """Somebody; `photos` are some or all of their photos, the newest first."""

    id: int
    photo_count: int
    face_count: int
    cover: SeenFace
    photos: list[SeenFace]


class SeenPeople(BaseModel):
    """A page of people, from how many faces they were made, and when."""

    people: list[SeenPerson]
    has_more: bool
    faces_considered: int
    faces_in_all: int
    computed_at: datetime


A = TypeVar("A", bound=BaseModel)


class RecognitionPeople:
    """Asks recognition over HTTP.

    Every method raises Unavailable, and Conflict where the face engine in use cannot tell.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def page(
        self,
        event_id: int,
        *,
        min_photos: int,
        limit: int,
        after: PersonPlace | None,
        is_fresh: bool,
    ) -> SeenPeople:
        """Return people who are in `min_photos` photos or more. Raises NotFound."""
        query = {"min_photos": min_photos, "limit": limit, "fresh": int(is_fresh)}
        if after is not None:
            query |= {
                "after_photo_count": after.photo_count,
                "after_person_id": after.person_id,
            }
        return await self._ask(
            f"/internal/events/{event_id}/people", query, SeenPeople, NotFound("Event", event_id)
        )

    async def person(self, event_id: int, person_id: int) -> SeenPerson:
        """Return one of them, with all photos. Raises NotFound."""
        return await self._ask(
            f"/internal/events/{event_id}/people/{person_id}",
            {},
            SeenPerson,
            NotFound("Person", person_id),
        )

    async def _ask(self, path: str, query: dict[str, int], kind: type[A], not_found: NotFound) -> A:
        try:
            with tracing.span("ask for people", SpanKind.CLIENT):
                answer = await self._client.get(path, params=query, headers=tracing.headers())
            if answer.status_code == httpx.codes.NOT_FOUND:
                raise not_found
            if answer.status_code == httpx.codes.CONFLICT:
                raise Conflict(_Refusal.model_validate_json(answer.content).detail)
            answer.raise_for_status()
            return kind.model_validate_json(answer.content)
        except (httpx.HTTPError, ValidationError) as error:
            log.warning("people_unavailable", error=error)
            msg = "The people in this event are not known yet. Try again in half a minute."
            raise Unavailable(msg, retry_after_seconds=RETRY_SECONDS) from error


class _Refusal(BaseModel):
    detail: str


def recognition_client(
    settings: GallerySettings, transport: httpx.AsyncBaseTransport | None
) -> httpx.AsyncClient:
    """Return the one client of the process; `transport` reaches a service without a socket."""
    return internal_client(
        settings.recognition_url,
        keys=settings.signing_keys,
        timeout_seconds=TIMEOUT_SECONDS,
        transport=transport,
    )
