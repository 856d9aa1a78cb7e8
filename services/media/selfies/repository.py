"""SQL of selfies; this service reads, and writes nothing."""

from dataclasses import dataclass

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, memberships, selfies
from libs.common.rights.event_ends import is_erased


@dataclass(frozen=True, slots=True)
class SelfieRecord:
    """What serving a selfie needs of its row."""

    object_key: str
    filename: str
    content_type: str


async def selfie_of(
    connection: AsyncConnection, user_id: int, *, selfie_id: int | None = None
) -> SelfieRecord | None:
    """The guest's newest selfie or a certain one, None when there is none."""
    query = (
        select(selfies.c.object_key, selfies.c.filename, selfies.c.content_type)
        .where(selfies.c.user_id == user_id)
        .order_by(selfies.c.id.desc())
        .limit(1)
    )
    if selfie_id is not None:
        query = query.where(selfies.c.id == selfie_id)
    row = (await connection.execute(query)).one_or_none()
    return SelfieRecord(**row._asdict()) if row else None


async def is_guest_of(connection: AsyncConnection, user_id: int, photographer_id: int) -> bool:
    """Whether the guest has joined an event of the photographer's that is not erased."""
    found = await connection.scalar(
        select(
            exists().where(
                memberships.c.user_id == user_id,
                memberships.c.event_id == events.c.id,
                events.c.photographer_id == photographer_id,
                ~is_erased(),
            )
        )
    )
    return bool(found)
