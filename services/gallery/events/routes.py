"""An event's QR code, and its time."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from libs.common.web.auth import PhotographerOrAdmin, require
from libs.common.web.tokens import Role
from services.gallery.accounts.register_participant import EventCodeUnknown
from services.gallery.events import repository as events
from services.gallery.events.qr import invite_url, qr_png
from services.gallery.events.reset_expiration import reset_expiration
from services.gallery.gallery import CurrentGallery
from services.gallery.web.answers import json_answer
from services.gallery.web.fields import PathId, Text

router = APIRouter(prefix="/api/admin", tags=["admin"])


@router.get(
    "/event-qr/{code:path}", dependencies=[Depends(require(Role.ADMIN))], response_class=Response
)
async def event_qr(
    code: Annotated[Text, Path()], request: Request, gallery: CurrentGallery
) -> Response:
    """A PNG that opens the event's invitation; see the setting INVITE_URL."""
    async with gallery.database.read() as connection:
        event = await events.find_open_event(connection, code)
    if event is None:
        raise EventCodeUnknown(code)
    url = invite_url(gallery.settings.invite_url, event.event_code, base_url=str(request.base_url))
    return Response(qr_png(url), media_type="image/png")


@router.post("/events/{event_id}/reset-expiration")
async def reset(
    event_id: PathId, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> Response:
    """Begin the event's lifetime anew; for its photographer too."""
    async with gallery.database.unit_of_work() as unit:
        expiration = await reset_expiration(
            event_id,
            lifetime=timedelta(days=gallery.settings.event_lifetime_days),
            principal=principal,
            unit=unit,
        )
    return json_answer(
        {
            "message": "The event's lifetime begins anew.",
            "event_id": event_id,
            "new_expiration": expiration.expires_at,
            "photos_updated": expiration.photos,
        }
    )
