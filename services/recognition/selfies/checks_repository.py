"""SQL of the results of checks that are kept for minutes."""

from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class KeptRow:
    """What made the result, and the embedding, hidden."""

    made_by: str
    sealed: bytes | None = field(repr=False)


_IS_KEPT = "name = :name AND made_at > clock_timestamp() - make_interval(secs => :seconds)"
_FIND = text(f"SELECT made_by, sealed FROM face_checks WHERE {_IS_KEPT}")  # noqa: S608 - ours
_TAKE = text(
    f"""
    WITH gone AS (DELETE FROM face_checks WHERE name = :name RETURNING *)
    SELECT made_by, sealed FROM gone WHERE {_IS_KEPT}
    """  # noqa: S608 - a text of ours
)
_KEEP = text(
    """
    INSERT INTO face_checks (name, made_by, sealed, made_at)
    VALUES (:name, :made_by, :sealed, clock_timestamp())
    ON CONFLICT (name) DO UPDATE
    SET made_by = excluded.made_by, sealed = excluded.sealed, made_at = excluded.made_at
    """
)
_SWEEP = text(
    """
    DELETE FROM face_checks WHERE name IN (
        SELECT name FROM face_checks
        WHERE made_at <= clock_timestamp() - make_interval(secs => :seconds)
        UNION ALL
        (SELECT name FROM face_checks ORDER BY made_at DESC OFFSET :most))
    """
)


async def find(connection: AsyncConnection, name: bytes, *, seconds: float) -> KeptRow | None:
    """Return what is kept under the name for not longer than that."""
    return await _kept(connection, name, seconds, takes=False)


async def take(connection: AsyncConnection, name: bytes, *, seconds: float) -> KeptRow | None:
    """The same, and delete it, however long it was kept."""
    return await _kept(connection, name, seconds, takes=True)


async def keep(
    connection: AsyncConnection, name: bytes, *, made_by: str, sealed: bytes | None
) -> None:
    """Keep a result from now on, instead of another of the same name."""
    await connection.execute(_KEEP, {"name": name, "made_by": made_by, "sealed": sealed})


async def sweep(connection: AsyncConnection, *, seconds: float, most: int) -> int:
    """Delete what was kept for so long, and all but the newest so many; return how many."""
    return (await connection.execute(_SWEEP, {"seconds": seconds, "most": most})).rowcount


async def _kept(
    connection: AsyncConnection, name: bytes, seconds: float, *, takes: bool
) -> KeptRow | None:
    row = (
        await connection.execute(_TAKE if takes else _FIND, {"name": name, "seconds": seconds})
    ).one_or_none()
    return None if row is None else KeptRow(row.made_by, row.sealed)
