"""Changing an event; deleting events and accounts."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, BeforeValidator

from libs.common.web.auth import TOKEN_COOKIE, CurrentPrincipal, require
from libs.common.web.tokens import Role
from services.gallery.accounts.delete_account import delete_account
from services.gallery.deleting import deleting
from services.gallery.events.change_event import EventChange, change_event
from services.gallery.events.delete_event import delete_event
from services.gallery.gallery import CurrentGallery
from services.gallery.web.answers import json_answer
from services.gallery.web.fields import PathId, RowId, Text, none_if_empty
from services.gallery.web.views import event_view

router = APIRouter(prefix="/api/admin", tags=["admin"], dependencies=[Depends(require(Role.ADMIN))])
own_router = APIRouter(prefix="/api", tags=["accounts"])


class EventChanges(BaseModel):
    """What is to change of an event."""

    name: Annotated[Text | None, BeforeValidator(none_if_empty)] = None
    event_code: Annotated[Text | None, BeforeValidator(none_if_empty)] = None
    date: Annotated[datetime | None, BeforeValidator(none_if_empty)] = None
    photographer_id: Annotated[RowId | None, BeforeValidator(none_if_empty)] = None

    def change(self) -> EventChange:
        """Return it for the use case; a date without a zone is UTC."""
        date = self.date
        if date is not None and date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        return EventChange(self.name, self.event_code, date, self.photographer_id)


@router.put("/events/{event_id}")
async def change(event_id: PathId, asked: EventChanges, gallery: CurrentGallery) -> Response:
    """Change an event; what is not named, or null, stays as it is."""
    lifetime = timedelta(days=gallery.settings.event_lifetime_days)
    async with gallery.database.unit_of_work() as unit:
        changed = await change_event(event_id, asked.change(), lifetime=lifetime, unit=unit)
    return json_answer({"message": "Event updated."} | event_view(changed))


@router.delete("/events/{event_id}")
async def remove_event(event_id: PathId, gallery: CurrentGallery) -> Response:
    """Delete an event with its photos, faces and matches; the guests' accounts stay."""
    await deleting(gallery.database, partial(delete_event, event_id))
    return json_answer({"message": "Event deleted."})


@router.delete("/users/{user_id}")
async def remove_user(user_id: PathId, gallery: CurrentGallery) -> Response:
    """Delete an account with its selfies and matches."""
    await deleting(gallery.database, partial(delete_account, user_id))
    return json_answer({"message": "Account deleted."})


@own_router.delete("/me")
async def remove_me(principal: CurrentPrincipal, gallery: CurrentGallery) -> Response:
    """Delete the caller's account with its selfies and matches."""
    await deleting(gallery.database, partial(delete_account, principal.user_id))
    answer = json_answer({"message": "Your account is deleted."})
    answer.delete_cookie(TOKEN_COOKIE)
    return answer
