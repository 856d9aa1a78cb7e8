"""SQL of photos on their way through recognition, and of the faces found in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Float, and_, cast, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, faces, photos
from libs.common.rights.event_ends import is_erased, is_over
from libs.common.storage.whole_file import Content
from services.recognition.indexes.face_index import IndexedFace, IndexedPhoto


@dataclass(frozen=True, slots=True)
class PhotoRow:
    """What the handlers need to know of a photo."""

    id: int
    event_id: int
    filename: str
    status: str
    #: What was uploaded.
    content: Content
    lost_analyses: int
    traceparent: str | None
    #: Whose faces it has.
    engine: str | None = None
    #: It was finished before: guests know it.
    is_known: bool = False
    #: The replica that analyses it, None when none does.
    claimed_by: str | None = None
    #: When the latest analysis of it began, or renewed its claim; it need not be running.
    claimed_at: datetime | None = None
    #: Its event is over: nothing is begun for it any more.
    is_over: bool = False

    def waits_for(self, engine: str) -> bool:
        """Whether its faces are there to be matched by this engine, or by whichever there is."""
        return self.status == "analyzed" and self.engine in (None, engine)

    def is_of_another(self, engine: str) -> bool:
        """Whether it was analysed, but by another engine."""
        return self.status in ("analyzed", "done") and self.engine not in (None, engine)


async def find_photo(connection: AsyncConnection, photo_id: int) -> PhotoRow | None:
    """Return the photo, or None when it has been deleted."""
    return next(iter(await find_photos(connection, [photo_id])), None)


async def find_photos(connection: AsyncConnection, photo_ids: Sequence[int]) -> list[PhotoRow]:
    """Return the photos that have not been deleted, in the order of their ids."""
    rows = (
        await connection.execute(
            select(
                photos.c.id,
                photos.c.event_id,
                photos.c.filename,
                photos.c.processing_status,
                photos.c.size_bytes,
                photos.c.sha256,
                photos.c.lost_analyses,
                photos.c.traceparent,
                photos.c.engine,
                photos.c.finished_at,
                photos.c.claimed_by,
                photos.c.claimed_at,
                or_(is_over(), is_erased()).label("is_over"),
            )
            .join(events, events.c.id == photos.c.event_id)
            .where(photos.c.id == func.any(list(photo_ids)))
            .order_by(photos.c.id)
        )
    ).all()
    return [
        PhotoRow(
            id=row.id,
            event_id=row.event_id,
            filename=row.filename,
            status=row.processing_status,
            content=Content(row.size_bytes, row.sha256),
            lost_analyses=row.lost_analyses,
            traceparent=row.traceparent,
            engine=row.engine,
            is_known=row.finished_at is not None,
            claimed_by=row.claimed_by,
            claimed_at=row.claimed_at,
            is_over=row.is_over,
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class ClaimState:
    """What has become of a claim, by the database's clock."""

    is_over: bool
    is_owner_dead: bool


async def claim_state(
    connection: AsyncConnection,
    claimed_by: str,
    claimed_at: datetime,
    *,
    lease_seconds: float,
    replica_lease_seconds: float,
) -> ClaimState:
    """Say whether a claim is over, and whether its replica is dead.

    One that has claimed just now is not: it may not have been seen for the first time yet.
    """
    row = (
        await connection.execute(
            text(
                """
                SELECT CAST(:at AS timestamptz) < now() - make_interval(secs => :lease) AS is_over,
                       CAST(:at AS timestamptz) < now() - make_interval(secs => :replica_lease)
                       AND NOT EXISTS (
                           SELECT FROM recognition_replicas
                           WHERE replica_id = :by
                             AND seen_at > now() - make_interval(secs => :replica_lease))
                           AS is_owner_dead
                """
            ),
            {
                "by": claimed_by,
                "at": claimed_at,
                "lease": lease_seconds,
                "replica_lease": replica_lease_seconds,
            },
        )
    ).one()
    return ClaimState(is_over=row.is_over, is_owner_dead=row.is_owner_dead)


async def claim(connection: AsyncConnection, photo: PhotoRow, *, claimant: str) -> bool:
    """Claim the photo, unless its claim has changed since it was read.

    Keeps how many of its analyses are known to be lost.
    """
    claimed = await connection.execute(
        update(photos)
        .where(
            photos.c.id == photo.id,
            photos.c.claimed_by.is_not_distinct_from(photo.claimed_by),
            photos.c.claimed_at.is_not_distinct_from(photo.claimed_at),
        )
        .values(
            claimed_by=claimant,
            claimed_at=func.clock_timestamp(),
            lost_analyses=photo.lost_analyses,
        )
    )
    return bool(claimed.rowcount)


async def renew_claim(connection: AsyncConnection, *, photo_id: int, claimant: str) -> None:
    """Have the claim last for its lease from now on, where it is the claimant's still."""
    await connection.execute(
        update(photos)
        .where(photos.c.id == photo_id, photos.c.claimed_by == claimant)
        .values(claimed_at=func.clock_timestamp())
    )


async def give_back(
    connection: AsyncConnection, photo_ids: Sequence[int], *, claimant: str
) -> None:
    """End the claimant's claims of photos whose analysis came to nothing."""
    await connection.execute(
        update(photos)
        .where(photos.c.id == func.any(list(photo_ids)), photos.c.claimed_by == claimant)
        .values(claimed_by=None)
    )


async def count_lost(connection: AsyncConnection, photo_id: int) -> None:
    """Count an analysis as lost that took its worker with it, while others pass."""
    await connection.execute(
        update(photos)
        .where(photos.c.id == photo_id)
        .values(lost_analyses=photos.c.lost_analyses + 1)
    )


async def lose_claims(connection: AsyncConnection, claimant: str) -> None:
    """End all claims of a claimant that died, and count their analyses as lost."""
    await connection.execute(
        update(photos)
        .where(
            or_(photos.c.processing_status == "queued", photos.c.reindexing_since.is_not(None)),
            photos.c.claimed_by == claimant,
        )
        .values(claimed_by=None, lost_analyses=photos.c.lost_analyses + 1)
    )


async def save_analysis(
    connection: AsyncConnection, photo: PhotoRow, analysis: IndexedPhoto, *, engine: str
) -> bool:
    """Store the faces of a queued photo, or of one that another engine has analysed.

    Ends its claim. False when somebody else was first, or it is gone. A photo without faces has
    nothing to match: it is done.
    """
    updated = await connection.execute(
        update(photos)
        .where(
            photos.c.id == photo.id,
            or_(photos.c.processing_status == "queued", _is_of_another(engine)),
        )
        .values(
            processing_status="analyzed" if analysis.faces else "done",
            width=analysis.width,
            height=analysis.height,
            placeholder=analysis.placeholder,
            processing_note=analysis.note,
            engine=engine,
            reindexing_since=None,
            claimed_by=None,
            analyzed_at=func.now(),
            # Kept where it is there: the photo was finished before, by another engine.
            finished_at=(
                photos.c.finished_at
                if analysis.faces
                else func.coalesce(photos.c.finished_at, func.now())
            ),
            enqueued_at=func.now(),
        )
    )
    if not updated.rowcount:
        return False
    if photo.engine is not None:
        await connection.execute(delete(faces).where(faces.c.photo_id == photo.id))
    if analysis.faces:
        await connection.execute(
            insert(faces).on_conflict_do_nothing(),
            [
                _face_values(photo, position, face, engine)
                for position, face in enumerate(analysis.faces)
            ],
        )
    return True


async def keep_without_embeddings(
    connection: AsyncConnection, photo: PhotoRow, *, engine: str
) -> bool:
    """Keep the boxes and matches that another engine made of a photo this one cannot read.

    The embeddings of its faces are deleted, or their ids at a service: this engine compares
    nothing with them. False when somebody else was first, or the photo is gone.
    """
    updated = await connection.execute(
        update(photos)
        .where(photos.c.id == photo.id, _is_of_another(engine))
        .values(
            processing_status="done",
            engine=engine,
            reindexing_since=None,
            claimed_by=None,
            finished_at=func.coalesce(photos.c.finished_at, func.now()),
        )
    )
    if not updated.rowcount:
        return False
    await connection.execute(_REMOVE_EXTERNAL, {"photo_id": photo.id})
    await connection.execute(
        update(faces)
        .where(faces.c.photo_id == photo.id)
        .values(embedding=None, external_face_id=None)
    )
    return True


_REMOVE_EXTERNAL = text(
    """
    INSERT INTO face_removals (event_id, external_face_id)
    SELECT event_id, external_face_id FROM faces
    WHERE photo_id = :photo_id AND external_face_id IS NOT NULL
    """
)


def _is_of_another(engine: str) -> ColumnElement[bool]:
    return and_(
        photos.c.processing_status.in_(("analyzed", "done")),
        photos.c.engine.is_not(None),
        photos.c.engine != engine,
    )


def _face_values(
    photo: PhotoRow, position: int, face: IndexedFace, engine: str
) -> dict[str, object]:
    return {
        "photo_id": photo.id,
        "event_id": photo.event_id,
        "position": position,
        "left": face.left,
        "top": face.top,
        "width": face.width,
        "height": face.height,
        "confidence": face.confidence,
        "quality": face.quality,
        "engine": engine,
        "embedding": face.key.embedding,
        "external_face_id": face.key.external_face_id,
    }


async def mark_photo_failed(
    connection: AsyncConnection, photo_id: int, reason: str, *, status: str = "queued"
) -> bool:
    """Record why a photo cannot be processed; False when its status is another by now."""
    updated = await connection.execute(
        update(photos)
        .where(photos.c.id == photo_id, photos.c.processing_status == status)
        .values(
            processing_status="failed",
            processing_error=reason,
            claimed_by=None,
            finished_at=func.now(),
        )
    )
    return bool(updated.rowcount)


async def mark_photos_done(connection: AsyncConnection, photo_ids: Sequence[int]) -> None:
    """Record that analysed photos have been matched; of others nothing changes.

    They are locked in the order of their ids, as whoever locks several does.
    """
    analyzed = and_(
        photos.c.id == func.any(list(photo_ids)), photos.c.processing_status == "analyzed"
    )
    await connection.execute(
        select(photos.c.id).where(analyzed).order_by(photos.c.id).with_for_update(key_share=True)
    )
    await connection.execute(
        update(photos)
        .where(analyzed)
        .values(
            processing_status="done", finished_at=func.coalesce(photos.c.finished_at, func.now())
        )
    )


async def seconds_since_upload(
    connection: AsyncConnection, photo_ids: Sequence[int]
) -> dict[int, float]:
    """Return how long ago photos were uploaded, by the clock that noted it.

    Never less than 0, though after a failover the clock is another machine's.
    """
    age = func.extract("epoch", func.clock_timestamp() - photos.c.uploaded_at)
    rows = await connection.execute(
        select(photos.c.id, func.greatest(cast(age, Float), 0.0).label("seconds")).where(
            photos.c.id == func.any(list(photo_ids))
        )
    )
    return {row.id: row.seconds for row in rows}
