"""An event's cameras and their clocks, for its photographer and admins."""

from datetime import datetime

from fastapi import APIRouter, Response

from libs.common.web.auth import PhotographerOrAdmin
from libs.common.web.ids import PathId
from libs.common.web.openapi import problems
from services.gallery.cameras import schemas
from services.gallery.cameras.clocks import EventCameras, event_cameras, set_clock
from services.gallery.cameras.repository import CameraRow, Sample
from services.gallery.events.links import PhotoLinks
from services.gallery.events.rules import Event
from services.gallery.events.time_zones import shown_clock
from services.gallery.gallery import CurrentGallery
from services.gallery.web.answers import View, json_answer

router = APIRouter(prefix="/api/photographer/events/{event_id}/cameras", tags=["photographers"])


@router.get(
    "",
    operation_id="list_cameras_of_event",
    response_model=list[schemas.Camera],
    responses=problems(404, 410),
)
async def cameras_of_event(
    event_id: PathId, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> Response:
    """The cameras that took the event's photos, as these name them, those with most first."""
    async with gallery.database.snapshot() as connection:
        found = await event_cameras(connection, event_id, principal=principal)
    return json_answer(_views(found, gallery.links))


@router.put(
    "/{camera_id}/clock",
    operation_id="set_camera_clock",
    response_model=list[schemas.Camera],
    responses=problems(404, 410),
)
async def set_camera_clock(
    event_id: PathId,
    camera_id: PathId,
    asked: schemas.CameraClock,
    principal: PhotographerOrAdmin,
    gallery: CurrentGallery,
) -> Response:
    """Put a camera's clock right, for the photos that are there and those that come."""
    async for attempt in gallery.database.attempts(patient=True):
        async with attempt as unit:
            await set_clock(
                event_id, camera_id, asked.shift_seconds, principal=principal, unit=unit
            )
            found = await event_cameras(unit.connection, event_id, principal=principal)
    return json_answer(_views(found, gallery.links))


def _views(found: EventCameras, links: PhotoLinks) -> list[View]:
    return [_view(camera, samples, found.event, links) for camera, samples in found.cameras]


def _view(camera: CameraRow, samples: list[Sample], event: Event, links: PhotoLinks) -> View:
    def shown(taken_at: datetime | None, instant: datetime | None) -> datetime | None:
        # As lists show it: who says when a photo was taken goes by the same clock.
        return shown_clock(event.time_zone, instant, camera=taken_at)[0]

    thumbnails = {
        one.id: links.of_photo(event.id, one.filename, event.end, for_guest=False).thumbnail
        for one in samples
    }
    return {
        "id": camera.id,
        "make": camera.make,
        "model": camera.model,
        "serial": camera.serial,
        "photos": camera.photos,
        "first_taken_at": shown(camera.first_taken_at, camera.first_instant),
        "last_taken_at": shown(camera.last_taken_at, camera.last_instant),
        "shift_seconds": camera.shift_seconds,
        "samples": [
            {
                "id": one.id,
                "thumbnail_url": thumbnails[one.id],
                "taken_at": shown(one.taken_at, one.taken_instant),
            }
            for one in samples
        ],
    }
