"""Events: what admins make and change of them, and who has which."""

import io
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

import segno
import structlog
from fastapi import APIRouter, Body, Depends, Response
from pydantic import BaseModel, BeforeValidator, Field

from libs.common.addresses import is_this_machine
from libs.common.errors import NotFound
from libs.common.rights.access import EventDuplicates
from libs.common.web.auth import (
    Admin,
    Participant,
    Photographer,
    PhotographerOrAdmin,
    Principal,
    Role,
    require,
)
from libs.common.web.ids import PathId, PathName, RowId
from libs.common.web.moments import Moment
from libs.common.web.openapi import binary, problems
from services.gallery.events import repository as events
from services.gallery.events import schemas
from services.gallery.events.access import require_open_event
from services.gallery.events.changes import (
    EventChange,
    NewEvent,
    change_event,
    create_event,
    delete_event,
    reset_expiration,
    set_duplicates,
    set_event_code,
    unused_code,
)
from services.gallery.events.rules import invite_url
from services.gallery.events.views import event_view, joined_event_view
from services.gallery.gallery import CurrentGallery, Gallery
from services.gallery.web.answers import json_answer
from services.gallery.web.requests import Text, none_if_empty
from services.gallery.web.schemas import Message

admin_router = APIRouter(
    prefix="/api/admin", tags=["admin"], dependencies=[Depends(require(Role.ADMIN))]
)
router = APIRouter(prefix="/api")

log = structlog.get_logger(__name__)

#: Pixels per module of a QR code: about 400 in all, sharp on a phone and at 4 cm on paper.
QR_SCALE = 10
#: Modules of white around it, as ISO/IEC 18004 asks.
QR_BORDER = 4


OptionalText = Annotated[Text | None, BeforeValidator(none_if_empty)]
OptionalId = Annotated[RowId | None, BeforeValidator(none_if_empty)]
OptionalDate = Annotated[Moment | None, BeforeValidator(none_if_empty)]

STRIP_METADATA = "Whether guests get photos without place, names and serial numbers."
TIME_ZONE = Field(default=None, description=schemas.TIME_ZONE, examples=["Europe/Paris"])


class EventData(BaseModel):
    """An event to be made."""

    name: Text = Field(examples=["Zoë and Max"])
    event_code: OptionalText = None
    date: OptionalDate = None
    photographer_id: OptionalId = None
    strip_metadata: bool = Field(default=True, description=STRIP_METADATA)
    time_zone: OptionalText = TIME_ZONE


class OwnEvent(BaseModel):
    """An event that a photographer makes; admins say whose it is."""

    name: Text = Field(examples=["Zoë and Max"])
    event_code: OptionalText = None
    date: OptionalDate = None
    expires_at: OptionalDate = Field(
        default=None, description="When it ends; without it, as `EVENT_LIFETIME_DAYS` says."
    )
    photographer_id: OptionalId = Field(default=None, description="Whose; for admins alone.")
    selected_only: bool = Field(
        default=False,
        description="Whether guests see, besides the photos of them, only those that are chosen.",
    )
    time_zone: OptionalText = TIME_ZONE


class EventChanges(BaseModel):
    """What is to change of an event; a form leaves empty what it does not change."""

    name: OptionalText = None
    event_code: OptionalText = None
    date: OptionalDate = None
    photographer_id: OptionalId = None
    strip_metadata: Annotated[bool | None, BeforeValidator(none_if_empty)] = Field(
        default=None, description=STRIP_METADATA
    )
    time_zone: OptionalText = TIME_ZONE


class UploadSettings(BaseModel):
    """How uploads to an event are treated."""

    duplicates: EventDuplicates | None = Field(description=schemas.DUPLICATES)


class EventReference(BaseModel):
    """Which event is meant."""

    event_id: RowId


class ChosenCode(EventReference):
    """A code for an event."""

    event_code: Text = Field(examples=["ZOEMAX26"])


class WantedCode(BaseModel):
    """For which event a random code is; without one it is only proposed."""

    event_id: RowId | None = None


@admin_router.get("/events", operation_id="list_all_events", response_model=list[schemas.Event])
async def all_events(gallery: CurrentGallery) -> Response:
    """All events."""
    async with gallery.database.read() as connection:
        found = await events.all_events(connection)
    return json_answer([event_view(event) for event in found])


@admin_router.post(
    "/create-event", operation_id="create_event", response_model=schemas.CreatedEvent
)
async def create(asked: EventData, principal: Admin, gallery: CurrentGallery) -> Response:
    """Make an event; without a code it gets a random one."""
    event = NewEvent(
        name=asked.name,
        lifetime=timedelta(days=gallery.settings.event_lifetime_days),
        event_code=asked.event_code,
        date=asked.date,
        photographer_id=asked.photographer_id,
        strip_metadata=asked.strip_metadata,
        time_zone=asked.time_zone,
    )
    return await _create(event, principal, gallery)


@admin_router.put(
    "/events/{event_id}",
    operation_id="change_event",
    response_model=schemas.ChangedEvent,
    responses=problems(404),
)
async def change(
    event_id: PathId, asked: EventChanges, principal: Admin, gallery: CurrentGallery
) -> Response:
    """Change an event; what is not named, or null, stays as it is."""
    lifetime = timedelta(days=gallery.settings.event_lifetime_days)
    wanted = EventChange(
        asked.name,
        asked.event_code,
        asked.date,
        asked.photographer_id,
        asked.strip_metadata,
        asked.time_zone,
    )
    async for attempt in gallery.database.attempts(patient=wanted.time_zone is not None):
        async with attempt as unit:
            changed = await change_event(
                event_id, wanted, lifetime=lifetime, actor_id=principal.user_id, unit=unit
            )
    return json_answer({"message": "Event updated."} | event_view(changed))


@admin_router.delete(
    "/events/{event_id}",
    operation_id="delete_event",
    response_model=Message,
    responses=problems(404),
)
async def remove(event_id: PathId, principal: Admin, gallery: CurrentGallery) -> Response:
    """Delete an event with its photos, faces and matches; the guests' accounts stay."""
    async for attempt in gallery.database.attempts(patient=True):
        async with attempt as unit:
            await delete_event(event_id, actor_id=principal.user_id, unit=unit)
    return json_answer({"message": "Event deleted."})


@admin_router.post(
    "/generate-event-code", response_model=schemas.GivenCode, responses=problems(404)
)
async def generate_event_code(
    principal: Admin,
    gallery: CurrentGallery,
    asked: Annotated[WantedCode | RowId | None, Body()] = None,
) -> Response:
    """Give the event a random code; without an event only propose one that is free."""
    event_id = asked.event_id if isinstance(asked, WantedCode) else asked
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            code = await unused_code(unit=unit)
            if event_id is not None:
                code = await set_event_code(event_id, code, actor_id=principal.user_id, unit=unit)
    return json_answer({"message": "Event code generated.", "event_code": code})


@admin_router.post(
    "/set-event-code",
    operation_id="set_event_code",
    response_model=schemas.GivenCode,
    responses=problems(404),
)
async def choose_event_code(
    asked: ChosenCode, principal: Admin, gallery: CurrentGallery
) -> Response:
    """Give the event a code of one's own."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            code = await set_event_code(
                asked.event_id, asked.event_code, actor_id=principal.user_id, unit=unit
            )
    return json_answer({"message": "Event code set.", "event_code": code})


@admin_router.get(
    "/event-qr/{code:path}",
    response_class=Response,
    operation_id="get_event_qr_code",
    responses=binary("image/png", description="The QR code.") | problems(404, 410),
)
async def event_qr(code: PathName, gallery: CurrentGallery) -> Response:
    """A PNG that opens the event's invitation; see the settings INVITE_URL and PUBLIC_URL."""
    async with gallery.database.read() as connection:
        event = await require_open_event(connection, code)
    url = invite_url(
        gallery.settings.invite_url, event.event_code, base_url=gallery.settings.links_begin_with
    )
    if is_this_machine(urlsplit(url).hostname or ""):
        log.warning("qr_code_leads_to_this_machine", todo="set PUBLIC_URL to where guests come")
    return Response(qr_png(url), media_type="image/png")


@router.post(
    "/admin/events/{event_id}/reset-expiration",
    tags=["admin"],
    operation_id="reset_event_expiration",
    response_model=schemas.NewExpiration,
    responses=problems(400, 404),
)
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


@router.put(
    "/photographer/events/{event_id}/upload-settings",
    tags=["photographers"],
    operation_id="change_upload_settings",
    response_model=schemas.ChangedEvent,
    responses=problems(404, 410),
)
async def change_upload_settings(
    event_id: PathId, asked: UploadSettings, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> Response:
    """Say what becomes of photos that are uploaded again; for the event's photographer too."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            changed = await set_duplicates(
                event_id, asked.duplicates, principal=principal, unit=unit
            )
    return json_answer({"message": "Event updated."} | event_view(changed))


@router.get(
    "/photographer/events",
    tags=["photographers"],
    operation_id="list_photographer_events",
    response_model=list[schemas.Event],
)
async def photographers_events(principal: Photographer, gallery: CurrentGallery) -> Response:
    """The photographer's events."""
    async with gallery.database.read() as connection:
        found = await events.all_events(connection, photographer_id=principal.user_id)
    return json_answer([event_view(event) for event in found])


@router.post(
    "/photographer/events",
    tags=["photographers"],
    operation_id="create_own_event",
    response_model=schemas.CreatedEvent,
    responses=problems(404),
)
async def create_own(
    asked: OwnEvent, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> Response:
    """Make an event of one's own; an admin's is a photographer's, or nobody's yet."""
    is_own = principal.role is Role.PHOTOGRAPHER
    if is_own and asked.photographer_id not in (None, principal.user_id):
        raise NotFound("Photographer", asked.photographer_id)
    event = NewEvent(
        name=asked.name,
        lifetime=timedelta(days=gallery.settings.event_lifetime_days),
        expires_at=asked.expires_at,
        event_code=asked.event_code,
        date=asked.date,
        photographer_id=principal.user_id if is_own else asked.photographer_id,
        selected_only=asked.selected_only,
        time_zone=asked.time_zone,
    )
    return await _create(event, principal, gallery)


@router.get(
    "/photographer/my-event",
    tags=["photographers"],
    operation_id="get_photographer_event",
    response_model=schemas.Event,
    responses=problems(404),
)
async def photographers_first_event(principal: Photographer, gallery: CurrentGallery) -> Response:
    """The photographer's first event."""
    async with gallery.database.read() as connection:
        found = await events.all_events(connection, photographer_id=principal.user_id)
    if not found:
        raise NotFound("Event", principal.user_id)
    return json_answer(event_view(found[-1]))


@router.get(
    "/user/events",
    tags=["participants"],
    operation_id="list_joined_events",
    response_model=list[schemas.JoinedEvent],
)
async def joined_events(principal: Participant, gallery: CurrentGallery) -> Response:
    """The participant's events, the main one first."""
    async with gallery.database.read() as connection:
        joined = await events.joined_events(connection, principal.user_id)
    return json_answer([joined_event_view(one) for one in joined])


async def _create(event: NewEvent, principal: Principal, gallery: Gallery) -> Response:
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            created = await create_event(event, actor_id=principal.user_id, unit=unit)
    return json_answer(
        {
            "message": "Event created.",
            "event_id": created.event_id,
            "event_code": created.event_code,
        }
    )


def qr_png(text: str) -> bytes:
    """Return the text as a QR code that is read with 15 % of it covered."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="png", scale=QR_SCALE, border=QR_BORDER)
    return out.getvalue()
