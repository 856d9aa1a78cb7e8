"""Who is in a photo: its faces, and the guests it is shown to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, and_, bindparam, column, exists, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import (
    events,
    faces,
    match_overrides,
    matches,
    memberships,
    photos,
    selfies,
    users,
)
from libs.common.rights.counted_matches import ADDED, guest_photos, shows_guest
from libs.common.rights.event_ends import EventState, is_erased, is_over
from libs.common.rights.photos import may_see
from libs.common.web.auth import Principal


@dataclass(frozen=True, slots=True)
class PhotoSize:
    """A photo's event, what is left of that, and the photo's pixels once it is upright."""

    id: int
    event_id: int
    width: int
    height: int
    is_over: bool
    is_erased: bool

    @property
    def event(self) -> EventState:
        """What is left of its event."""
        return EventState(self.is_over, self.is_erased)


@dataclass(frozen=True, slots=True)
class Face:
    """A face as fractions of the upright photo; `matched` if it is the caller's."""

    left: float
    top: float
    width: float
    height: float
    confidence: float
    matched: bool


@dataclass(frozen=True, slots=True)
class GuestInPhoto:
    """Similarity of the best face, None where no face is alike; whether and by whom added."""

    user_id: int
    username: str
    similarity: float | None
    is_added: bool
    added_by: int | None

    @property
    def is_confirmed(self) -> bool:
        """The guest said "it's me"."""
        return self.is_added and self.added_by == self.user_id


@dataclass(frozen=True, slots=True)
class GuestOfEvent:
    """Somebody who joined the event."""

    user_id: int
    username: str
    joined_at: datetime
    has_selfie: bool
    photos: int


async def find_photo(
    connection: AsyncConnection, photo_id: int, principal: Principal
) -> PhotoSize | None:
    """Return the photo if the caller may see it."""
    row = (
        await connection.execute(
            select(
                photos.c.id,
                photos.c.event_id,
                photos.c.width,
                photos.c.height,
                is_over().label("is_over"),
                is_erased().label("is_erased"),
            )
            .join(events, events.c.id == photos.c.event_id)
            .where(photos.c.id == photo_id, may_see(principal))
        )
    ).one_or_none()
    return PhotoSize(**row._asdict()) if row else None


async def faces_in_photo(
    connection: AsyncConnection, photo: PhotoSize, *, user_id: int
) -> list[Face]:
    """Return the photo's faces; `matched` is about this user."""
    of_user = (
        select(matches.c.face_id)
        .where(
            matches.c.user_id == user_id,
            matches.c.event_id == photo.event_id,
            matches.c.photo_id == photo.id,
            shows_guest(photo.event_id),
        )
        # Several selfies may point to several faces; nobody is in a photo twice.
        .order_by(matches.c.similarity.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = await connection.execute(
        select(
            faces.c.left,
            faces.c.top,
            faces.c.width,
            faces.c.height,
            faces.c.confidence,
            func.coalesce(faces.c.id == of_user, False).label("matched"),
        )
        .where(faces.c.photo_id == photo.id)
        .order_by(faces.c.position)
    )
    return [Face(**row._asdict()) for row in rows]


async def guests_in_photo(
    connection: AsyncConnection, event_id: int, photo_id: int
) -> list[GuestInPhoto]:
    """Return who is in the photo, the most alike first."""
    shown = guest_photos(event_id, photo_ids=[photo_id])
    similarity = func.max(shown.c.similarity)
    # Of one who is in it, what was said cannot be a denial.
    added = match_overrides.c.verdict == ADDED
    rows = await connection.execute(
        select(
            shown.c.user_id,
            users.c.username,
            similarity.label("similarity"),
            func.coalesce(func.bool_or(added), False).label("is_added"),
            func.max(match_overrides.c.added_by).label("added_by"),
        )
        .join(users, users.c.id == shown.c.user_id)
        .outerjoin(
            match_overrides,
            and_(
                match_overrides.c.user_id == shown.c.user_id,
                match_overrides.c.event_id == event_id,
                match_overrides.c.photo_id == shown.c.photo_id,
            ),
        )
        .group_by(shown.c.user_id, users.c.username)
        .order_by(similarity.desc().nulls_last(), users.c.username)
    )
    return [GuestInPhoto(**row._asdict()) for row in rows]


async def guests_of_event(connection: AsyncConnection, event_id: int) -> list[GuestOfEvent]:
    """Return everybody who joined the event, by name, and in how many photos each was found."""
    shown = guest_photos(event_id)
    found = (
        select(shown.c.user_id, func.count(shown.c.photo_id.distinct()).label("photos"))
        .group_by(shown.c.user_id)
        .subquery("found")
    )
    rows = await connection.execute(
        select(
            memberships.c.user_id,
            users.c.username,
            memberships.c.joined_at,
            exists().where(selfies.c.user_id == memberships.c.user_id).label("has_selfie"),
            func.coalesce(found.c.photos, 0).label("photos"),
        )
        .join(users, users.c.id == memberships.c.user_id)
        .outerjoin(found, found.c.user_id == memberships.c.user_id)
        .where(memberships.c.event_id == event_id)
        .order_by(users.c.username)
    )
    return [GuestOfEvent(**row._asdict()) for row in rows]


@dataclass(frozen=True, slots=True)
class Box:
    """A face's place as fractions of the upright photo."""

    left: float
    top: float
    width: float
    height: float


async def best_faces(
    connection: AsyncConnection, event_id: int, pairs: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], Box]:
    """Return the boxes by (user id, photo id), of an event; those without a match are left out.

    Both steps are look-ups by key: matches by guest and photo, faces by id.
    """
    asked = func.unnest(
        bindparam("user_ids", [user_id for user_id, _ in pairs], ARRAY(BigInteger)),
        bindparam("photo_ids", [photo_id for _, photo_id in pairs], ARRAY(BigInteger)),
    ).table_valued(column("user_id", BigInteger), column("photo_id", BigInteger))
    wanted = asked.render_derived("wanted")
    rows = await connection.execute(
        select(
            wanted.c.user_id,
            wanted.c.photo_id,
            faces.c.left,
            faces.c.top,
            faces.c.width,
            faces.c.height,
        )
        .select_from(wanted)
        .join(
            matches,
            and_(
                matches.c.user_id == wanted.c.user_id,
                matches.c.event_id == event_id,
                matches.c.photo_id == wanted.c.photo_id,
            ),
        )
        .join(faces, faces.c.id == matches.c.face_id)
        .order_by(wanted.c.user_id, wanted.c.photo_id, matches.c.similarity.desc())
        .ext(distinct_on(wanted.c.user_id, wanted.c.photo_id))
    )
    return {(row[0], row[1]): Box(*row[2:]) for row in rows.all()}
