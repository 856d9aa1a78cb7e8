"""SQL of the selfies' index state: which replica indexes a selfie in an event, and what came of it.

A row in the database, claimed once per selfie and event.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ARRAY, BigInteger, ColumnElement, and_, cast, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, selfie_indexes, selfies
from libs.common.rights.counted_matches import guest_photos
from libs.common.rights.event_ends import is_erased, is_over
from libs.common.storage.whole_file import Content
from services.recognition.indexes.face_index import FaceKey


class ClaimOutcome(StrEnum):
    """What a claim found."""

    CLAIMED = "claimed"
    INDEXED = "indexed"
    FINISHED = "finished"
    BUSY = "busy"
    GONE = "gone"


NOTHING = Content(0, b"")


@dataclass(frozen=True, slots=True)
class Claim:
    """The outcome; when it was claimed, where the selfie lies, and whether it was before."""

    outcome: ClaimOutcome
    object_key: str = ""
    #: What was uploaded.
    content: Content = NOTHING
    is_repeat: bool = False


# Of an inserted row xmax is 0, of an updated one it is not.
_CLAIM = text(
    """
    INSERT INTO selfie_indexes AS i (selfie_id, event_id, user_id, status, claimed_by)
    SELECT s.id, m.event_id, s.user_id, 'claimed', :claimant
    FROM selfies s JOIN memberships m ON m.user_id = s.user_id JOIN events e ON e.id = m.event_id
    WHERE s.id = :selfie_id AND m.event_id = :event_id
      AND e.expires_at > now() AND e.erasure_began_at IS NULL
    FOR KEY SHARE OF s, m
    ON CONFLICT (selfie_id, event_id) DO UPDATE
    SET claimed_by = excluded.claimed_by, claimed_at = now()
    WHERE i.status = 'claimed'
      AND (i.claimed_by = excluded.claimed_by
           OR i.claimed_at < now() - make_interval(secs => :lease_seconds)
           OR NOT EXISTS (
               SELECT FROM recognition_replicas r
               WHERE r.replica_id = i.claimed_by
                 AND r.seen_at > now() - make_interval(secs => :replica_lease_seconds)))
    RETURNING (SELECT object_key FROM selfies WHERE id = i.selfie_id) AS object_key,
              (SELECT size_bytes FROM selfies WHERE id = i.selfie_id) AS size_bytes,
              (SELECT sha256 FROM selfies WHERE id = i.selfie_id) AS sha256,
              xmax <> 0 AS is_repeat
    """
)


async def claim_selfie(
    connection: AsyncConnection,
    *,
    selfie_id: int,
    event_id: int,
    claimant: str,
    lease_seconds: float,
    replica_lease_seconds: float,
    engine: str | None = None,
) -> Claim:
    """Claim the selfie for indexing in the event, unless it is indexed, taken or gone.

    In an event that is over nothing is begun, as if it were gone.

    A claim lasts for its lease, from its last renewal, but not longer than its replica is seen to
    live. What another engine than this one has indexed is not ours to finish.
    """
    claimed = await connection.execute(
        _CLAIM,
        {
            "selfie_id": selfie_id,
            "event_id": event_id,
            "claimant": claimant,
            "lease_seconds": lease_seconds,
            "replica_lease_seconds": replica_lease_seconds,
        },
    )
    if (row := claimed.one_or_none()) is not None:
        content = Content(row.size_bytes, row.sha256)
        return Claim(ClaimOutcome.CLAIMED, row.object_key, content, row.is_repeat)
    return Claim(
        await find_outcome(connection, selfie_id=selfie_id, event_id=event_id, engine=engine)
    )


async def find_outcome(
    connection: AsyncConnection, *, selfie_id: int, event_id: int, engine: str | None
) -> ClaimOutcome:
    """Return what became of the selfie in the event; GONE where nobody has begun, too."""
    found = await connection.execute(
        select(selfie_indexes.c.status, selfie_indexes.c.engine)
        .join(events, events.c.id == selfie_indexes.c.event_id)
        .where(
            selfie_indexes.c.selfie_id == selfie_id,
            selfie_indexes.c.event_id == event_id,
            ~is_over(),
            ~is_erased(),
        )
    )
    index = found.one_or_none()
    match index and index.status:
        case None:
            return ClaimOutcome.GONE
        case "indexed" if index is not None and engine not in (None, index.engine):
            return ClaimOutcome.FINISHED
        case "indexed":
            return ClaimOutcome.INDEXED
        case "done" | "failed":
            return ClaimOutcome.FINISHED
        case _:
            return ClaimOutcome.BUSY


async def renew_claim(
    connection: AsyncConnection, *, selfie_id: int, event_id: int, claimant: str
) -> None:
    """Have the claim last for its lease from now on, where it is the claimant's still."""
    await connection.execute(
        update(selfie_indexes)
        .where(_is_claimed(selfie_id, event_id), selfie_indexes.c.claimed_by == claimant)
        .values(claimed_at=func.clock_timestamp())
    )


async def known_embedding(
    connection: AsyncConnection, selfie_id: int, *, engine: str
) -> bytes | None:
    """Return the selfie's embedding from its check or another event, so that it is made once."""
    checked = select(selfies.c.embedding).where(
        selfies.c.id == selfie_id,
        selfies.c.engine == engine,
        selfies.c.embedding.is_not(None),
    )
    indexed = select(selfie_indexes.c.embedding).where(
        selfie_indexes.c.selfie_id == selfie_id,
        selfie_indexes.c.engine == engine,
        selfie_indexes.c.embedding.is_not(None),
    )
    found: bytes | None = await connection.scalar(checked.union_all(indexed).limit(1))
    return found


async def save_face_key(
    connection: AsyncConnection, *, selfie_id: int, event_id: int, key: FaceKey, engine: str
) -> bool:
    """Store what a claimed selfie's face is found by: from here on, photos see it.

    False when somebody else was first, or the selfie is gone.
    """
    saved = await connection.execute(
        update(selfie_indexes)
        .where(_is_claimed(selfie_id, event_id))
        .values(
            status="indexed",
            embedding=key.embedding,
            external_face_id=key.external_face_id,
            engine=engine,
            indexed_at=func.now(),
        )
    )
    return bool(saved.rowcount)


@dataclass(frozen=True, slots=True)
class FinishedSelfie:
    """Whose selfie it is, and how many photos of the event show them, by whichever selfie."""

    selfie_id: int
    user_id: int
    matched: int


async def finish_selfies(
    connection: AsyncConnection, event_id: int, selfie_ids: Sequence[int]
) -> list[FinishedSelfie]:
    """Record that these selfies were matched, in their order; those that are gone are left out.

    So are those whose face is not known any more: a guest left and came back during a rematch.
    """
    of_event = and_(
        selfie_indexes.c.event_id == event_id,
        selfie_indexes.c.selfie_id == func.any(list(selfie_ids)),
        selfie_indexes.c.status != "claimed",
    )
    user_ids: set[int] = set(
        await connection.scalars(select(selfie_indexes.c.user_id).where(of_event))
    )
    shown = guest_photos(event_id)
    counts = (
        select(shown.c.user_id, func.count(shown.c.photo_id.distinct()).label("matched"))
        .where(shown.c.user_id == func.any(sorted(user_ids)))
        .group_by(shown.c.user_id)
        .subquery("counts")
    )
    guests = select(
        func.unnest(cast(sorted(user_ids), ARRAY(BigInteger))).column_valued("user_id")
    ).subquery("guests")
    matched = (
        select(guests.c.user_id, func.coalesce(counts.c.matched, 0).label("matched"))
        .join_from(guests, counts, counts.c.user_id == guests.c.user_id, isouter=True)
        .subquery("found")
    )
    rows = await connection.execute(
        update(selfie_indexes)
        .where(of_event, selfie_indexes.c.user_id == matched.c.user_id)
        .values(status="done", finished_at=func.now(), matched=matched.c.matched)
        .returning(selfie_indexes.c.selfie_id, selfie_indexes.c.user_id, selfie_indexes.c.matched)
    )
    return sorted(
        (FinishedSelfie(row.selfie_id, row.user_id, row.matched) for row in rows),
        key=lambda finished: finished.selfie_id,
    )


async def fail_selfie(
    connection: AsyncConnection, *, selfie_id: int, event_id: int, error: str, engine: str
) -> None:
    """Record why a claimed selfie cannot be indexed by this engine."""
    await connection.execute(
        update(selfie_indexes)
        .where(_is_claimed(selfie_id, event_id))
        .values(status="failed", error=error, engine=engine, finished_at=func.now())
    )


_GIVE_UP = text(
    """
    INSERT INTO selfie_indexes AS i
        (selfie_id, event_id, user_id, status, claimed_by, error, finished_at)
    SELECT s.id, m.event_id, s.user_id, 'failed', '', :error, now()
    FROM selfies s JOIN memberships m ON m.user_id = s.user_id JOIN events e ON e.id = m.event_id
    WHERE s.id = :selfie_id AND m.event_id = :event_id
      AND e.expires_at > now() AND e.erasure_began_at IS NULL
    FOR KEY SHARE OF s, m
    ON CONFLICT (selfie_id, event_id) DO UPDATE
    SET status = 'failed', error = excluded.error, finished_at = excluded.finished_at
    WHERE i.status IN ('claimed', 'indexed')
    """
)


async def give_up_selfie(
    connection: AsyncConnection, *, selfie_id: int, event_id: int, error: str
) -> bool:
    """Fail a selfie that no attempt has finished, whether or not one came as far as claiming it.

    False when it is finished, or gone.
    """
    failed = await connection.execute(
        _GIVE_UP, {"selfie_id": selfie_id, "event_id": event_id, "error": error}
    )
    return bool(failed.rowcount)


def _is_claimed(selfie_id: int, event_id: int) -> ColumnElement[bool]:
    return and_(
        selfie_indexes.c.selfie_id == selfie_id,
        selfie_indexes.c.event_id == event_id,
        selfie_indexes.c.status == "claimed",
    )
