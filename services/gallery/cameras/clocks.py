"""An event's photographer sees its cameras, and puts their clocks right."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.audit import Action, record
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import NotFound
from libs.common.messaging.messages import EventChanged
from libs.common.web.auth import Principal
from services.gallery.cameras import repository
from services.gallery.cameras.repository import CameraRow, Sample
from services.gallery.events.access import require_visible_event
from services.gallery.events.rules import Event


@dataclass(frozen=True, slots=True)
class EventCameras:
    """The cameras of an event, each with its last photos."""

    event: Event
    cameras: list[tuple[CameraRow, list[Sample]]]


async def event_cameras(
    connection: AsyncConnection, event_id: int, *, principal: Principal
) -> EventCameras:
    """Return the event's cameras. Raises NotFound, also for others' events, EventErased."""
    event = await require_visible_event(connection, principal, event_id)
    found = await repository.cameras_of(connection, event_id)
    samples: defaultdict[int, list[Sample]] = defaultdict(list)
    for sample in await repository.samples_of(connection, [camera.id for camera in found]):
        samples[sample.camera_id].append(sample)
    return EventCameras(event, [(camera, samples[camera.id]) for camera in found])


async def set_clock(
    event_id: int, camera_id: int, shift_seconds: int, *, principal: Principal, unit: UnitOfWork
) -> None:
    """Have `taken_at` of a camera's photos be its clock and so many seconds, now and later.

    Raises what `event_cameras` does, also for another event's camera.
    """
    await require_visible_event(unit.connection, principal, event_id)
    before = await repository.lock_shift(unit.connection, event_id, camera_id)
    if before is None:
        raise NotFound("Camera", camera_id)
    if before == shift_seconds:
        return
    moved = await repository.shift_clock(unit.connection, camera_id, shift_seconds)
    await repository.forget_unused(unit.connection, [camera_id])
    await record(
        unit.connection,
        Action.CAMERA_CLOCK_SET,
        actor_id=principal.user_id,
        event_id=event_id,
        object_id=camera_id,
        details={"shift_seconds": shift_seconds, "before": before, "photos": moved},
    )
    unit.publish(EventChanged(event_id=event_id))


async def forget_cameras(camera_ids: Collection[int], *, unit: UnitOfWork) -> None:
    """Forget those of the cameras whose photos are all deleted, unless their clock was set."""
    await repository.forget_unused(unit.connection, camera_ids)
