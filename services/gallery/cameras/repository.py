"""SQL of an event's cameras and of their clocks."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, delete, exists, func, literal, select, text, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import cameras, photos

#: The most cameras that are told of: guests' phones may be hundreds.
MAX_CAMERAS = 200
SAMPLES = 6


@dataclass(frozen=True, slots=True)
class CameraRow:
    """A camera, how many photos of the event it took, and from when to when.

    By its clock, put right; and the instants, where the event has a time zone.
    """

    id: int
    make: str
    model: str
    serial: str
    shift_seconds: int
    photos: int
    first_taken_at: datetime | None
    last_taken_at: datetime | None
    first_instant: datetime | None
    last_instant: datetime | None


@dataclass(frozen=True, slots=True)
class Sample:
    """One of a camera's last photos."""

    camera_id: int
    id: int
    filename: str
    taken_at: datetime | None
    taken_instant: datetime | None


async def cameras_of(connection: AsyncConnection, event_id: int) -> list[CameraRow]:
    """Return the cameras that took most of the event's photos, those with most first.

    Also those that took none that is there, if their clocks were set.
    """
    taken = (
        select(
            photos.c.camera_id,
            func.count().label("photos"),
            func.min(photos.c.taken_at).label("first"),
            func.max(photos.c.taken_at).label("last"),
            func.min(photos.c.taken_instant).label("first_instant"),
            func.max(photos.c.taken_instant).label("last_instant"),
        )
        .where(photos.c.camera_id.in_(select(cameras.c.id).where(cameras.c.event_id == event_id)))
        .group_by(photos.c.camera_id)
        .subquery()
    )
    count = func.coalesce(taken.c.photos, 0)
    rows = await connection.execute(
        select(
            cameras.c.id,
            cameras.c.make,
            cameras.c.model,
            cameras.c.serial,
            cameras.c.shift_seconds,
            count,
            taken.c.first,
            taken.c.last,
            taken.c.first_instant,
            taken.c.last_instant,
        )
        .outerjoin(taken, taken.c.camera_id == cameras.c.id)
        .where(cameras.c.event_id == event_id, (count > 0) | (cameras.c.shift_seconds != 0))
        .order_by(count.desc(), cameras.c.id)
        .limit(MAX_CAMERAS)
    )
    return [_camera(row) for row in rows]


async def samples_of(connection: AsyncConnection, camera_ids: Sequence[int]) -> list[Sample]:
    """Return the last photos of each camera."""
    last = (
        select(photos.c.id, photos.c.filename, photos.c.taken_at, photos.c.taken_instant)
        .where(photos.c.camera_id == cameras.c.id, photos.c.taken_at.is_not(None))
        .order_by(photos.c.taken_at.desc(), photos.c.id.desc())
        .limit(SAMPLES)
        .lateral()
    )
    rows = await connection.execute(
        select(cameras.c.id, *last.c)
        .join(last, true())
        .where(cameras.c.id == func.any(list(camera_ids)))
        .order_by(cameras.c.id, last.c.taken_at.desc(), last.c.id.desc())
    )
    return [_sample(row) for row in rows]


async def lock_shift(connection: AsyncConnection, event_id: int, camera_id: int) -> int | None:
    """Return what the camera's clock is shifted by, and keep others from it; None without one.

    Photos of it that are on their way in come first, or wait. Those that are there are locked
    before, in the order of their ids, as whoever locks several does.
    """
    await connection.execute(
        select(photos.c.id)
        .where(photos.c.camera_id == camera_id, photos.c.event_id == event_id)
        .order_by(photos.c.id)
        .with_for_update(key_share=True)
    )
    found: int | None = await connection.scalar(
        select(cameras.c.shift_seconds)
        .where(cameras.c.id == camera_id, cameras.c.event_id == event_id)
        .with_for_update(key_share=True)
    )
    return found


async def shift_clock(connection: AsyncConnection, camera_id: int, shift_seconds: int) -> int:
    """Put the clock right from now on, and of all photos that are there; return how many."""
    await connection.execute(
        update(cameras).where(cameras.c.id == camera_id).values(shift_seconds=shift_seconds)
    )
    second = text("interval '1 second'")
    # From decades back to decades ahead is more than 32 bits hold.
    wanted = literal(shift_seconds, BigInteger)
    moved = await connection.execute(
        update(photos)
        .where(photos.c.camera_id == camera_id, photos.c.clock_shift != shift_seconds)
        .values(
            taken_at=photos.c.taken_at + (wanted - photos.c.clock_shift) * second,
            clock_shift=shift_seconds,
        )
    )
    return moved.rowcount


async def forget_unused(connection: AsyncConnection, camera_ids: Collection[int]) -> None:
    """Delete those of the cameras that took no photo that is there, unless their clock was set.

    What somebody said of a clock holds for photos that come again. One that is on its way in has
    locked its camera's row, and is waited for and seen; one that comes later makes a new row.
    """
    if not camera_ids:
        return
    is_meant = cameras.c.id == func.any(list(camera_ids))
    await connection.execute(
        select(cameras.c.id).where(is_meant).order_by(cameras.c.id).with_for_update()
    )
    # Another statement, which sees what the lock waited for.
    await connection.execute(
        delete(cameras).where(
            is_meant,
            cameras.c.shift_seconds == 0,
            ~exists().where(photos.c.camera_id == cameras.c.id),
        )
    )


def _camera(row: Sequence[Any]) -> CameraRow:
    return CameraRow(*row)


def _sample(row: Sequence[Any]) -> Sample:
    return Sample(*row)
