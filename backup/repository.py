"""All SQL of backup and restore."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    Text,
    cast,
    column,
    delete,
    func,
    literal,
    select,
    table,
    text,
    union_all,
    update,
)
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import (
    account_links,
    mails,
    metadata,
    photos,
    resumable_uploads,
    selfies,
    sessions,
)
from libs.common.storage.keys import UPLOAD_PREFIX, photo_key, upload_prefix

#: Rows read at once.
CHUNK = 5000
#: Longer than anybody should keep a backup; older ones bring deleted things back.
ERASURES_KEPT_DAYS = 400

_IS_RESTORING = "findme_restore"


@dataclass(frozen=True, slots=True)
class NamedObject:
    """An object that a row names, and what it is."""

    key: str
    size: int
    sha256: str
    content_type: str


async def named_objects(connection: AsyncConnection) -> AsyncIterator[NamedObject]:
    """Yield every photo's and selfie's object; renditions are made anew when asked for."""
    photo_rows = select(
        photos.c.event_id, photos.c.filename, photos.c.size_bytes, photos.c.sha256,
        photos.c.content_type,
    ).order_by(photos.c.id)  # fmt: skip
    result = await connection.stream(photo_rows, execution_options={"yield_per": CHUNK})
    async for row in result:
        yield NamedObject(
            photo_key(row.event_id, row.filename), row.size_bytes, row.sha256.hex(),
            row.content_type,
        )  # fmt: skip
    selfie_rows = select(
        selfies.c.object_key, selfies.c.size_bytes, selfies.c.sha256, selfies.c.content_type
    ).order_by(selfies.c.id)
    result = await connection.stream(selfie_rows, execution_options={"yield_per": CHUNK})
    async for row in result:
        yield NamedObject(row.object_key, row.size_bytes, row.sha256.hex(), row.content_type)


async def still_named(connection: AsyncConnection, keys: Sequence[str]) -> set[str]:
    """Return those keys, and prefixes of uploads, that rows name now."""
    names = [key.rpartition("/")[2] for key in keys]
    found = {
        photo_key(row.event_id, row.filename)
        for row in await connection.execute(
            select(photos.c.event_id, photos.c.filename).where(photos.c.filename.in_(names))
        )
    }
    kept: Iterable[str] = await connection.scalars(
        select(selfies.c.object_key).where(selfies.c.object_key.in_(keys))
    )
    uploads = [key.split("/")[3] for key in keys if UPLOAD_PREFIX.fullmatch(key)]
    prefixes = {
        upload_prefix(row.event_id, row.id)
        for row in await connection.execute(
            select(resumable_uploads.c.event_id, resumable_uploads.c.id).where(
                cast(resumable_uploads.c.id, Text).in_(uploads)
            )
        )
    }
    return (found | set(kept) | prefixes) & set(keys)


async def row_counts(connection: AsyncConnection) -> dict[str, int]:
    """Return the number of rows of every table; unlogged ones are in no backup."""
    names = sorted(name for name, table in metadata.tables.items() if not table._prefixes)  # noqa: SLF001
    counts = union_all(
        *(
            select(literal(name).label("name"), func.count().label("rows")).select_from(
                metadata.tables[name]
            )
            for name in names
        )
    )
    return {row.name: row.rows for row in await connection.execute(counts)}


async def server_major(connection: AsyncConnection) -> int:
    """Return the server's major version."""
    number = await connection.scalar(text("SHOW server_version_num"))
    return int(str(number)) // 10_000


async def schema_revision(connection: AsyncConnection) -> str | None:
    """Return the schema's revision; None when there is no schema of ours."""
    try:
        found = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    except ProgrammingError:
        return None
    return None if found is None else str(found)


async def table_names(connection: AsyncConnection) -> set[str]:
    """Return the tables that are there, ours or not; not the marker of a restore."""
    names = await connection.scalars(
        text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
    )
    return set(names) - {_IS_RESTORING}


async def begin_restoring(connection: AsyncConnection, backup: str) -> None:
    """Remember that this backup is being restored, so that it can be resumed."""
    await connection.execute(text(f"CREATE TABLE {_IS_RESTORING} (backup text NOT NULL)"))
    await connection.execute(table(_IS_RESTORING, column("backup")).insert(), {"backup": backup})


async def being_restored(connection: AsyncConnection) -> str | None:
    """Return the backup whose restore did not end."""
    exists = await connection.scalar(
        text("SELECT to_regclass(:name) IS NOT NULL"), {"name": _IS_RESTORING}
    )
    if not exists:
        return None
    return await connection.scalar(select(column("backup")).select_from(table(_IS_RESTORING)))


async def end_restoring(connection: AsyncConnection) -> None:
    """The restore has come to its end."""
    await connection.execute(text(f"DROP TABLE {_IS_RESTORING}"))


async def forget_old_erasures(connection: AsyncConnection) -> None:
    """Drop what only backups could need that are too old by now."""
    await connection.execute(
        text("DELETE FROM erasures WHERE erased_at < now() - make_interval(days => :days)"),
        {"days": ERASURES_KEPT_DAYS},
    )


async def read_erasures(connection: AsyncConnection) -> AsyncIterator[Mapping[str, str]]:
    """Yield what was deleted: kind, key and moment."""
    rows = await connection.stream(
        text("SELECT kind, key, erased_at::text AS erased_at FROM erasures ORDER BY erased_at"),
        execution_options={"yield_per": CHUNK},
    )
    async for row in rows:
        yield {"kind": row.kind, "key": row.key, "erased_at": row.erased_at}


async def erase_again(connection: AsyncConnection, erased: Iterable[Mapping[str, str]]) -> int:
    """Delete the rows that were deleted after the backup; return how many, without cascades."""
    batch = list(erased)
    if batch:
        await connection.execute(
            text(
                "INSERT INTO erasures (kind, key, erased_at)"
                " VALUES (:kind, :key, CAST(CAST(:erased_at AS text) AS timestamptz))"
                " ON CONFLICT DO NOTHING"
            ),
            batch,
        )
    gone = 0
    for kind, key in _KEYS.items():
        deleted = await connection.execute(
            text(
                f"DELETE FROM {kind} t USING erasures e WHERE e.kind = :kind AND e.key = {key}"  # noqa: S608 - constants
            ),
            {"kind": kind},
        )
        gone += deleted.rowcount
    gone += await connection.scalar(text(_LEAVE_AGAIN)) or 0
    for statement in _ERASE_EVENTS_AGAIN:
        gone += (await connection.execute(text(statement))).rowcount
    await connection.execute(text(_FORGET_CAMERAS))
    return gone


async def end_logins(connection: AsyncConnection) -> None:
    """Log everybody out: those who logged out since the backup would be logged in again.

    Links of mails may have been used since, and mails that waited then have been sent since: the
    former are void, the latter are kept as not sent (`findme mail retry`).
    """
    await connection.execute(delete(sessions))
    await connection.execute(delete(account_links))
    await connection.execute(
        update(mails)
        .where(mails.c.status == "waiting")
        .values(status="dead", finished_at=func.now(), error="It waited in a restored backup.")
    )


_MADE_AT = "md5(t.id || ' ' || extract(epoch FROM t.created_at))"
#: As the triggers of the schema write them.
_KEYS = {
    "selfies": "t.filename",
    "photos": "t.filename",
    "events": _MADE_AT,
    "users": _MADE_AT,
    "api_keys": "t.id::text",
    "walls": "t.id::text",
}
#: Who left an event: with the membership goes what the event has of them, as when they left.
_LEAVE_AGAIN = """
WITH departed AS (
    DELETE FROM memberships t USING erasures e
    WHERE e.kind = 'memberships'
      AND e.key = md5(t.user_id || ' ' || t.event_id || ' ' || extract(epoch FROM t.joined_at))
    RETURNING t.user_id, t.event_id
), unmatched AS (
    DELETE FROM matches t USING departed d WHERE (t.user_id, t.event_id) = (d.user_id, d.event_id)
), unsaid AS (
    DELETE FROM match_overrides t USING departed d
    WHERE (t.user_id, t.event_id) = (d.user_id, d.event_id)
), unindexed AS (
    DELETE FROM selfie_indexes t USING departed d
    WHERE (t.user_id, t.event_id) = (d.user_id, d.event_id)
), unkept AS (
    DELETE FROM favourites t USING departed d, photos p
    WHERE p.id = t.photo_id AND (t.user_id, p.event_id) = (d.user_id, d.event_id)
)
SELECT count(*) FROM departed
"""
#: As when the last of their photos was deleted.
_FORGET_CAMERAS = """
DELETE FROM cameras c
WHERE shift_seconds = 0 AND NOT EXISTS (SELECT FROM photos p WHERE p.camera_id = c.id)
"""
#: The events that were erased after their end: their rows stay, closed, and have nothing any more.
#: What is left to do the gallery does at its start.
_ERASE_EVENTS_AGAIN = (
    "UPDATE events t SET erasure_began_at = e.erased_at FROM erasures e"  # noqa: S608 - constants
    f" WHERE e.kind = 'erased_events' AND e.key = {_MADE_AT} AND t.erasure_began_at IS NULL",
    "DELETE FROM photos p USING events e"
    " WHERE e.id = p.event_id AND e.erasure_began_at IS NOT NULL",
    "DELETE FROM selfie_indexes i USING events e"
    " WHERE e.id = i.event_id AND e.erasure_began_at IS NOT NULL",
    "UPDATE selfies SET engine = NULL, embedding = NULL WHERE embedding IS NOT NULL"
    " AND NOT EXISTS (SELECT FROM memberships m JOIN events e ON e.id = m.event_id"
    " WHERE m.user_id = selfies.user_id AND e.erasure_began_at IS NULL)",
)
