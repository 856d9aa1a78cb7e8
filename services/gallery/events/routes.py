"""Events: what admins make and change of them, and who has which."""

import io
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import quote

import segno
from fastapi import APIRouter, Body, Depends, Path, Request, Response
from pydantic import AfterValidator, BaseModel, BeforeValidator

from libs.common.errors import NotFound
from libs.common.web.auth import Participant, Photographer, PhotographerOrAdmin, Role, require
from libs.common.web.ids import PathId, RowId
from services.gallery.events import repository as events
from services.gallery.events.access import require_open_event
from services.gallery.events.changes import (
    EventChange,
    NewEvent,
    change_event,
    create_event,
    delete_event,
    reset_expiration,
    set_event_code,
    unused_code,
)
from services.gallery.events.rules import Event, JoinedEvent
from services.gallery.gallery import CurrentGallery
from services.gallery.web.answers import View, json_answer
from services.gallery.web.requests import Text, none_if_empty

admin_router = APIRouter(
    prefix="/api/admin", tags=["admin"], dependencies=[Depends(require(Role.ADMIN))]
)
router = APIRouter(prefix="/api")

#: Pixels per module of a QR code: about 400 in all, sharp on a phone and at 4 cm on paper.
QR_SCALE = 10
#: Modules of white around it, as ISO/IEC 18004 asks.
QR_BORDER = 4


def _with_zone(date: datetime | None) -> datetime | None:
    """A date without a zone is UTC."""
    return date.replace(tzinfo=UTC) if date is not None and date.tzinfo is None else date


OptionalText = Annotated[Text | None, BeforeValidator(none_if_empty)]
OptionalId = Annotated[RowId | None, BeforeValidator(none_if_empty)]
OptionalDate = Annotated[
    datetime | None, BeforeValidator(none_if_empty), AfterValidator(_with_zone)
]


class EventData(BaseModel):
    """An event to be made."""

    name: Text
    event_code: OptionalText = None
    date: OptionalDate = None
    photographer_id: OptionalId = None


class EventChanges(BaseModel):
    """What is to change of an event; a form leaves empty what it does not change."""

    name: OptionalText = None
    event_code: OptionalText = None
    date: OptionalDate = None
    photographer_id: OptionalId = None


class EventReference(BaseModel):
    """Which event is meant."""

    event_id: RowId


class ChosenCode(EventReference):
    """A code for an event."""

    event_code: Text


@admin_router.get("/events")
async def all_events(gallery: CurrentGallery) -> Response:
    """All events."""
    async with gallery.database.read() as connection:
        found = await events.all_events(connection)
    return json_answer([_event_view(event) for event in found])


@admin_router.post("/create-event")
async def create(asked: EventData, gallery: CurrentGallery) -> Response:
    """Make an event; without a code it gets a random one."""
    event = NewEvent(
        name=asked.name,
        lifetime=timedelta(days=gallery.settings.event_lifetime_days),
        event_code=asked.event_code,
        date=asked.date,
        photographer_id=asked.photographer_id,
    )
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            created = await create_event(event, unit=unit)
    return json_answer(
        {
            "message": "Event created.",
            "event_id": created.event_id,
            "event_code": created.event_code,
        }
    )


@admin_router.put("/events/{event_id}")
async def change(event_id: PathId, asked: EventChanges, gallery: CurrentGallery) -> Response:
    """Change an event; what is not named, or null, stays as it is."""
    lifetime = timedelta(days=gallery.settings.event_lifetime_days)
    wanted = EventChange(asked.name, asked.event_code, asked.date, asked.photographer_id)
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            changed = await change_event(event_id, wanted, lifetime=lifetime, unit=unit)
    return json_answer({"message": "Event updated."} | _event_view(changed))


@admin_router.delete("/events/{event_id}")
async def remove(event_id: PathId, gallery: CurrentGallery) -> Response:
    """Delete an event with its photos, faces and matches; the guests' accounts stay."""
    async for attempt in gallery.database.attempts(patient=True):
        async with attempt as unit:
            await delete_event(event_id, unit=unit)
    return json_answer({"message": "Event deleted."})


@admin_router.post("/generate-event-code")
async def generate_event_code(
    gallery: CurrentGallery, asked: Annotated[EventReference | RowId | None, Body()] = None
) -> Response:
    """Give the event a random code; without an event only propose one that is free."""
    event_id = asked.event_id if isinstance(asked, EventReference) else asked
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            code = await unused_code(unit=unit)
            if event_id is not None:
                code = await set_event_code(event_id, code, unit=unit)
    return json_answer({"message": "Event code generated.", "event_code": code})


@admin_router.post("/set-event-code")
async def choose_event_code(asked: ChosenCode, gallery: CurrentGallery) -> Response:
    """Give the event a code of one's own."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            code = await set_event_code(asked.event_id, asked.event_code, unit=unit)
    return json_answer({"message": "Event code set.", "event_code": code})


@admin_router.get("/event-qr/{code:path}", response_class=Response)
async def event_qr(
    code: Annotated[Text, Path()], request: Request, gallery: CurrentGallery
) -> Response:
    """A PNG that opens the event's invitation; see the setting INVITE_URL."""
    async with gallery.database.read() as connection:
        event = await require_open_event(connection, code)
    url = invite_url(gallery.settings.invite_url, event.event_code, base_url=str(request.base_url))
    return Response(qr_png(url), media_type="image/png")


@router.post("/admin/events/{event_id}/reset-expiration", tags=["admin"])
async def reset(
    event_id: PathId, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> Response:
    """Begin the event's lifetime anew; for its photographer too."""
    lifetime = timedelta(days=gallery.settings.event_lifetime_days)
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            expiration = await reset_expiration(
                event_id, lifetime=lifetime, principal=principal, unit=unit
            )
    return json_answer(
        {
            "message": "The event's lifetime begins anew.",
            "event_id": event_id,
            "new_expiration": expiration.expires_at,
            "photos_updated": expiration.photos,
        }
    )


@router.get("/photographer/events", tags=["photographers"])
async def photographers_events(principal: Photographer, gallery: CurrentGallery) -> Response:
    """The photographer's events."""
    async with gallery.database.read() as connection:
        found = await events.all_events(connection, photographer_id=principal.user_id)
    return json_answer([_event_view(event) for event in found])


@router.get("/photographer/my-event", tags=["photographers"])
async def photographers_first_event(principal: Photographer, gallery: CurrentGallery) -> Response:
    """The photographer's first event."""
    async with gallery.database.read() as connection:
        found = await events.all_events(connection, photographer_id=principal.user_id)
    if not found:
        raise NotFound("Event", principal.user_id)
    return json_answer(_event_view(found[0]))


@router.get("/user/events", tags=["participants"])
async def joined_events(principal: Participant, gallery: CurrentGallery) -> Response:
    """The participant's events, the main one first."""
    async with gallery.database.read() as connection:
        joined = await events.joined_events(connection, principal.user_id)
    return json_answer([_joined_event_view(one) for one in joined])


def _event_view(event: Event) -> View:
    """Return `event`."""
    return {
        "id": event.id,
        "name": event.name,
        "event_code": event.event_code,
        "date": event.date,
        "photographer_id": event.photographer_id,
        "expires_at": event.expires_at,
    }


def _joined_event_view(joined: JoinedEvent) -> View:
    """Return `event` as a participant sees it."""
    view = _event_view(joined.event)
    del view["photographer_id"]
    view["joined_at"] = joined.joined_at
    return view


def invite_url(template: str, code: str, *, base_url: str) -> str:
    """Return the address for an event's code; one without a host is below `base_url`."""
    url = template.replace("{code}", quote(code, safe=""))
    return base_url.rstrip("/") + url if url.startswith("/") else url


def qr_png(text: str) -> bytes:
    """Return the text as a QR code that is read with 15 % of it covered."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="png", scale=QR_SCALE, border=QR_BORDER)
    return out.getvalue()
