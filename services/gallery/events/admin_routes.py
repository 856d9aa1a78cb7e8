"""What admins do: accounts, events, the queue and the cache."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Response
from pydantic import BaseModel, BeforeValidator

from libs.common.errors import NotFound
from libs.common.web.auth import Admin, require
from libs.common.web.tokens import Role
from services.gallery.accounts import repository as accounts
from services.gallery.accounts.create_account import create_account, create_first_admin
from services.gallery.accounts.routes import UserData
from services.gallery.events import repository as events
from services.gallery.events.create_event import NewEvent, create_event, set_event_code, unused_code
from services.gallery.gallery import CurrentGallery, Gallery
from services.gallery.matching.request_rematch import request_rematch
from services.gallery.operations.queue_stats import photo_job, queue_stats
from services.gallery.web.answers import json_answer
from services.gallery.web.fields import PathId, RowId, Text, none_if_empty
from services.gallery.web.views import account_view, event_view

#: Open while there is no admin.
first_admin_router = APIRouter(prefix="/api", tags=["admin"])
router = APIRouter(prefix="/api/admin", tags=["admin"], dependencies=[Depends(require(Role.ADMIN))])


class EventData(BaseModel):
    """An event to be made."""

    name: Text
    event_code: Annotated[Text | None, BeforeValidator(none_if_empty)] = None
    date: Annotated[datetime | None, BeforeValidator(none_if_empty)] = None
    photographer_id: Annotated[RowId | None, BeforeValidator(none_if_empty)] = None


class EventReference(BaseModel):
    """Which event is meant."""

    event_id: RowId


class ChosenCode(EventReference):
    """A code for an event."""

    event_code: Text


@first_admin_router.post("/register-admin")
@first_admin_router.post("/admin/register-admin", include_in_schema=False)
async def register_admin(asked: UserData, gallery: CurrentGallery) -> Response:
    """Make the first admin; 403 once there is one."""
    async with gallery.database.unit_of_work() as unit:
        user_id = await create_first_admin(asked.account(), unit=unit, passwords=gallery.passwords)
    return json_answer({"message": "Admin created.", "user_id": user_id})


@router.post("/create-admin")
async def create_admin(asked: UserData, gallery: CurrentGallery) -> Response:
    """Make another admin."""
    return await _create(asked, Role.ADMIN, gallery)


@router.post("/create-photographer")
@router.post("/photographers")
async def create_photographer(asked: UserData, gallery: CurrentGallery) -> Response:
    """Make a photographer."""
    return await _create(asked, Role.PHOTOGRAPHER, gallery)


@router.get("/photographers")
async def photographers(gallery: CurrentGallery) -> Response:
    """All photographers."""
    async with gallery.database.read() as connection:
        found = await accounts.find_accounts(connection, role=Role.PHOTOGRAPHER)
    return json_answer([account_view(account) for account in found])


@router.get("/events")
async def all_events(gallery: CurrentGallery) -> Response:
    """All events."""
    async with gallery.database.read() as connection:
        found = await events.all_events(connection)
    return json_answer([event_view(event) for event in found])


@router.post("/create-event")
async def create(asked: EventData, gallery: CurrentGallery) -> Response:
    """Make an event; without a code it gets a random one."""
    date = asked.date
    if date is not None and date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    event = NewEvent(
        name=asked.name,
        lifetime=timedelta(days=gallery.settings.event_lifetime_days),
        event_code=asked.event_code,
        date=date,
        photographer_id=asked.photographer_id,
    )
    async with gallery.database.unit_of_work() as unit:
        created = await create_event(event, unit=unit)
    return json_answer(
        {
            "message": "Event created.",
            "event_id": created.event_id,
            "event_code": created.event_code,
        }
    )


@router.post("/generate-event-code")
async def generate_event_code(
    gallery: CurrentGallery, asked: Annotated[EventReference | RowId | None, Body()] = None
) -> Response:
    """Give the event a random code; without an event only propose one that is free."""
    event_id = asked.event_id if isinstance(asked, EventReference) else asked
    async with gallery.database.unit_of_work() as unit:
        code = await unused_code(unit=unit)
        if event_id is not None:
            code = await set_event_code(event_id, code, unit=unit)
    return json_answer({"message": "Event code generated.", "event_code": code})


@router.post("/set-event-code")
async def choose_event_code(asked: ChosenCode, gallery: CurrentGallery) -> Response:
    """Give the event a code of one's own."""
    async with gallery.database.unit_of_work() as unit:
        code = await set_event_code(asked.event_id, asked.event_code, unit=unit)
    return json_answer({"message": "Event code set.", "event_code": code})


@router.get("/events/{event_id}/users")
async def users_of_event(event_id: PathId, gallery: CurrentGallery) -> Response:
    """The event's participants."""
    async with gallery.database.read() as connection:
        if await events.find_event(connection, event_id) is None:
            raise NotFound("Event", event_id)
        found = await accounts.find_accounts(connection, joined_event_id=event_id)
    return json_answer([account_view(account) for account in found])


@router.post("/events/{event_id}/rematch")
async def rematch(event_id: PathId, principal: Admin, gallery: CurrentGallery) -> Response:
    """Have the event's selfies matched again."""
    async with gallery.database.unit_of_work() as unit:
        await request_rematch(event_id, principal=principal, unit=unit)
    return json_answer({"scheduled": True, "event_id": event_id})


@router.get("/queue/stats")
async def stats(gallery: CurrentGallery) -> Response:
    """How far processing is, and what this process's cache did."""
    return json_answer(await queue_stats(gallery=gallery))


@router.get("/queue/jobs/{job_id}")
async def job(job_id: str, gallery: CurrentGallery) -> Response:
    """How far one uploaded photo is."""
    return json_answer(await photo_job(job_id, database=gallery.database))


@router.post("/cache/clear")
async def clear_cache(gallery: CurrentGallery) -> Response:
    """Forget the lists that this process has cached."""
    gallery.cache.clear()
    gallery.main_events.clear()
    return json_answer({"message": "Cache cleared.", "cleared": ["photo_lists", "main_events"]})


async def _create(asked: UserData, role: Role, gallery: Gallery) -> Response:
    async with gallery.database.unit_of_work() as unit:
        user_id = await create_account(
            asked.account(), role=role, unit=unit, passwords=gallery.passwords
        )
    return json_answer({"message": f"{role.name.capitalize()} created.", "user_id": user_id})
