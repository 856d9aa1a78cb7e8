"""What guests and photographers said of who is in a photo; it overrules what was matched."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Row,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, match_overrides, matches, memberships, photos, users
from libs.common.rights.counted_matches import ADDED, NOT_ME, NOT_THEM, is_nearly_alike
from libs.common.rights.event_ends import EventState, is_erased, is_over
from libs.common.rights.photos import may_see
from libs.common.web.auth import Principal, Role


@dataclass(frozen=True, slots=True)
class GuestAndPhoto:
    """A guest and a photo of an event that they joined."""

    user_id: int
    event_id: int
    photo_id: int


async def lock_guest_and_photo(
    connection: AsyncConnection, *, user_id: int, photo_id: int
) -> GuestAndPhoto | None:
    """Keep both from being deleted; None unless the photo is of an event the guest joined."""
    row = await _lock(connection, true(), user_id=user_id, photo_id=photo_id)
    return GuestAndPhoto(user_id, row.event_id, photo_id) if row else None


async def lock_own_photo(
    connection: AsyncConnection, *, user_id: int, photo_id: int
) -> GuestAndPhoto | None:
    """The same for a photo that the guest may see, or has denied: then they saw it before.

    Raises EventOver.
    """
    denied = (
        select(match_overrides.c.photo_id)
        .where(
            match_overrides.c.user_id == user_id,
            match_overrides.c.event_id == photos.c.event_id,
            match_overrides.c.photo_id == photos.c.id,
            match_overrides.c.verdict == NOT_ME,
        )
        .correlate(photos)
        .exists()
    )
    guest = Principal(user_id, Role.PARTICIPANT)
    condition = or_(may_see(guest), denied)
    row = await _lock(connection, condition, user_id=user_id, photo_id=photo_id)
    if row is None:
        return None
    EventState(row.is_over, row.is_erased).require_open(row.event_id, runs_event=False)
    return GuestAndPhoto(user_id, row.event_id, photo_id)


async def _lock(
    connection: AsyncConnection, condition: ColumnElement[bool], *, user_id: int, photo_id: int
) -> Row[int, bool, bool] | None:
    return (
        await connection.execute(
            select(photos.c.event_id, is_over().label("is_over"), is_erased().label("is_erased"))
            .join(events, events.c.id == photos.c.event_id)
            .join(memberships, memberships.c.event_id == photos.c.event_id)
            .join(users, users.c.id == memberships.c.user_id)
            .where(photos.c.id == photo_id, users.c.id == user_id, condition)
            # In the order in which deletions lock what they take with them.
            .with_for_update(read=True, key_share=True, of=[events, users, photos])
        )
    ).one_or_none()


async def lock_adder(connection: AsyncConnection, user_id: int) -> bool:
    """Keep whoever adds a guest from being deleted; False when they are gone."""
    found = await connection.scalar(
        select(users.c.id).where(users.c.id == user_id).with_for_update(read=True, key_share=True)
    )
    return found is not None


async def may_be_in_photo(connection: AsyncConnection, of: GuestAndPhoto) -> bool:
    """Whether a face is at least nearly like the guest, or somebody added them."""
    nearly = select(matches.c.photo_id).where(
        matches.c.user_id == of.user_id,
        matches.c.event_id == of.event_id,
        matches.c.photo_id == of.photo_id,
        is_nearly_alike(of.event_id),
    )
    added = select(match_overrides.c.photo_id).where(
        _is_about(of),
        or_(match_overrides.c.verdict == ADDED, match_overrides.c.added_by.is_not(None)),
    )
    return bool(await connection.scalar(select(or_(nearly.exists(), added.exists()))))


async def deny(connection: AsyncConnection, of: GuestAndPhoto) -> bool:
    """Record the guest's "not me"; False when they said so before."""
    done = await connection.execute(
        insert(match_overrides)
        .values(_key(of) | {"verdict": NOT_ME})
        .on_conflict_do_update(
            index_elements=list(_key(of)),
            # The photographer's word stays, for the time after the guest has changed their mind.
            set_={
                "verdict": NOT_ME,
                "excluded": match_overrides.c.verdict == NOT_THEM,
                "decided_at": func.now(),
            },
            where=match_overrides.c.verdict != NOT_ME,
        )
    )
    return bool(done.rowcount)


async def undo_denial(connection: AsyncConnection, of: GuestAndPhoto) -> bool:
    """Take back a "not me" and bring back what it overruled; False when there is none."""
    denied = and_(_is_about(of), match_overrides.c.verdict == NOT_ME)
    restored = await connection.execute(
        update(match_overrides)
        .where(denied, or_(match_overrides.c.excluded, match_overrides.c.added_by.is_not(None)))
        .values(
            verdict=case((match_overrides.c.excluded, NOT_THEM), else_=ADDED),
            excluded=False,
            decided_at=func.now(),
        )
    )
    removed = await connection.execute(delete(match_overrides).where(denied))
    return bool(restored.rowcount or removed.rowcount)


async def confirm(connection: AsyncConnection, of: GuestAndPhoto) -> bool:
    """Record the guest's "it's me", also in place of a "not me"; False when it was said before."""
    done = await connection.execute(
        insert(match_overrides)
        .values(_key(of) | {"verdict": ADDED, "added_by": of.user_id})
        .on_conflict_do_update(
            index_elements=list(_key(of)),
            set_={
                "verdict": ADDED,
                "added_by": of.user_id,
                "excluded": False,
                "decided_at": func.now(),
            },
            where=or_(
                match_overrides.c.verdict != ADDED,
                match_overrides.c.added_by.is_distinct_from(of.user_id),
            ),
        )
    )
    return bool(done.rowcount)


@dataclass(frozen=True, slots=True)
class Addition:
    """What became of adding a guest: whether it is new, or the guest said "not me"."""

    is_new: bool
    is_denied: bool


async def add(connection: AsyncConnection, of: GuestAndPhoto, *, added_by: int) -> Addition:
    """Record that somebody else sees the guest in the photo; what they said themselves stays."""
    await take_back_exclusion(connection, of)
    row = (
        await connection.execute(
            insert(match_overrides)
            .values(_key(of) | {"verdict": ADDED, "added_by": added_by})
            .on_conflict_do_update(
                index_elements=list(_key(of)),
                # Changes nothing, and answers what is there.
                set_={"verdict": match_overrides.c.verdict},
            )
            # Of an inserted row xmax is 0, of an updated one it is not.
            .returning(match_overrides.c.verdict, literal_column("xmax = 0").label("is_new"))
        )
    ).one()
    return Addition(is_new=row.is_new, is_denied=row.verdict == NOT_ME)


async def take_back(connection: AsyncConnection, of: GuestAndPhoto) -> bool:
    """Remove a guest whom somebody else had added; False when nobody had.

    Under a guest's "not me" it is forgotten too: taking that back must not bring them back.
    """
    by_hand = and_(_is_about(of), match_overrides.c.added_by.is_distinct_from(of.user_id))
    removed = await connection.execute(
        delete(match_overrides).where(by_hand, match_overrides.c.verdict == ADDED)
    )
    forgotten = await connection.execute(
        update(match_overrides)
        .where(by_hand, match_overrides.c.added_by.is_not(None))
        .values(added_by=None)
    )
    return bool(removed.rowcount or forgotten.rowcount)


async def exclude(connection: AsyncConnection, of: GuestAndPhoto) -> bool:
    """Record that the photo does not show the guest; False where they said themselves what is so.

    Also where it was said before. Under a guest's "not me" it is kept for when they take that back.
    """
    is_denied = match_overrides.c.verdict == NOT_ME
    done = await connection.execute(
        insert(match_overrides)
        .values(_key(of) | {"verdict": NOT_THEM})
        .on_conflict_do_update(
            index_elements=list(_key(of)),
            set_={
                "verdict": case((is_denied, NOT_ME), else_=NOT_THEM),
                "excluded": is_denied,
                "added_by": None,
                "decided_at": func.now(),
            },
            where=and_(
                or_(
                    match_overrides.c.verdict == ADDED,
                    and_(is_denied, ~match_overrides.c.excluded),
                ),
                match_overrides.c.added_by.is_distinct_from(of.user_id),
            ),
        )
    )
    return bool(done.rowcount)


async def take_back_exclusion(connection: AsyncConnection, of: GuestAndPhoto) -> bool:
    """Let count again what was matched; False where nobody said that it is not them.

    Under a guest's "not me" it is forgotten too.
    """
    removed = await connection.execute(
        delete(match_overrides).where(_is_about(of), match_overrides.c.verdict == NOT_THEM)
    )
    forgotten = await connection.execute(
        update(match_overrides)
        .where(_is_about(of), match_overrides.c.excluded)
        .values(excluded=False)
    )
    return bool(removed.rowcount or forgotten.rowcount)


async def is_confirmed(connection: AsyncConnection, of: GuestAndPhoto) -> bool:
    """Whether the guest confirmed that they are in the photo."""
    found = await connection.scalar(
        select(match_overrides.c.photo_id).where(
            _is_about(of),
            match_overrides.c.verdict == ADDED,
            match_overrides.c.added_by == of.user_id,
        )
    )
    return found is not None


@dataclass(frozen=True, slots=True)
class Additions:
    """What became of adding a guest to photos: how many are new, denied by them, added before."""

    new: int
    denied: int
    before: int


async def lock_guest(connection: AsyncConnection, user_id: int, event_id: int) -> bool:
    """Keep the guest and the event from being deleted; False unless they joined it."""
    found = await connection.scalar(
        select(literal(1))
        .select_from(events)
        .join(memberships, memberships.c.event_id == events.c.id)
        .join(users, users.c.id == memberships.c.user_id)
        .where(events.c.id == event_id, users.c.id == user_id)
        # In the order in which deletions lock what they take with them; photos come next.
        .with_for_update(read=True, key_share=True, of=[events, users])
    )
    return found is not None


async def add_to_photos(
    connection: AsyncConnection,
    user_id: int,
    event_id: int,
    photo_ids: Sequence[int],
    *,
    added_by: int,
) -> Additions:
    """Record that the guest is in these photos; what was said of any before stays.

    Photos that are gone, or another event's, are left out. Call `lock_guest` first.
    """
    wanted = photos.c.id == func.any(bindparam("photo_ids", list(photo_ids), ARRAY(BigInteger)))
    there: list[int] = list(
        await connection.scalars(
            select(photos.c.id)
            .where(photos.c.event_id == event_id, wanted)
            .order_by(photos.c.id)
            .with_for_update(read=True, key_share=True)
        )
    )
    ids = bindparam("ids", there, ARRAY(BigInteger))
    # Who is in a photo is not kept out of it by an older word on another face.
    await connection.execute(
        delete(match_overrides).where(
            match_overrides.c.user_id == user_id,
            match_overrides.c.event_id == event_id,
            match_overrides.c.photo_id == func.any(ids),
            match_overrides.c.verdict == NOT_THEM,
        )
    )
    key = (match_overrides.c.user_id, match_overrides.c.event_id, match_overrides.c.photo_id)
    added = await connection.execute(
        insert(match_overrides)
        .from_select(
            [*key, match_overrides.c.verdict, match_overrides.c.added_by],
            select(
                literal(user_id, BigInteger),
                literal(event_id, BigInteger),
                func.unnest(ids),
                literal(ADDED),
                literal(added_by, BigInteger),
            ),
        )
        .on_conflict_do_nothing()
    )
    denied = await connection.scalar(
        select(func.count()).where(
            match_overrides.c.user_id == user_id,
            match_overrides.c.event_id == event_id,
            match_overrides.c.photo_id == func.any(ids),
            match_overrides.c.verdict == NOT_ME,
        )
    )
    return Additions(added.rowcount, denied or 0, len(there) - added.rowcount - (denied or 0))


async def decided_photos(
    connection: AsyncConnection, event_id: int, photo_ids: Sequence[int]
) -> dict[int, set[int]]:
    """Return for each guest who was added to any of these photos those that are decided.

    That is where somebody added them, or they said "not me".
    """
    rows = await connection.execute(
        select(
            match_overrides.c.user_id, match_overrides.c.photo_id, match_overrides.c.verdict
        ).where(
            match_overrides.c.event_id == event_id,
            match_overrides.c.photo_id
            == func.any(bindparam("photo_ids", list(photo_ids), ARRAY(BigInteger))),
        )
    )
    decided: dict[int, set[int]] = {}
    added = set()
    for row in rows:
        decided.setdefault(row.user_id, set()).add(row.photo_id)
        if row.verdict == ADDED:
            added.add(row.user_id)
    return {user_id: decided[user_id] for user_id in added}


def _key(of: GuestAndPhoto) -> dict[str, int]:
    return {"user_id": of.user_id, "event_id": of.event_id, "photo_id": of.photo_id}


def _is_about(of: GuestAndPhoto) -> ColumnElement[bool]:
    return and_(
        match_overrides.c.user_id == of.user_id,
        match_overrides.c.event_id == of.event_id,
        match_overrides.c.photo_id == of.photo_id,
    )
