"""Where people are in photos: of each the face that is most like one of their selfies."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ARRAY, BigInteger, and_, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import faces, matches


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
