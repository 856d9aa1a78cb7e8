"""SQL of partition ownership; every moment is the database's own, no replica's clock counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.recognition.partitions.assignment import PartitionRow

#: Somebody came, went or freed a partition: the others look at once.
NOTIFY_CHANNEL = "findme_partitions"
#: Replicas that died are forgotten after this many leases.
_FORGET_AFTER_LEASES = 30


@dataclass(frozen=True, slots=True)
class Claimed:
    """A partition that is ours now; `seconds_free` is how long it had no owner, if it had one."""

    partition: int
    epoch: int
    previous: str | None
    seconds_free: float | None


async def add_missing(connection: AsyncConnection, partitions: Sequence[int]) -> None:
    """Make the rows of a new installation."""
    await connection.execute(
        text(
            "INSERT INTO match_partitions (partition)"
            " SELECT unnest(CAST(:partitions AS smallint[])) ON CONFLICT DO NOTHING"
        ),
        {"partitions": list(partitions)},
    )


async def announce(
    connection: AsyncConnection, replica: str, *, lease_seconds: float, engine: str | None = None
) -> bool:
    """Say that the replica is alive; return whether it is new."""
    is_new: bool = (
        await connection.execute(
            text(
                """
                WITH forgotten AS (
                    DELETE FROM recognition_replicas
                    WHERE seen_at < now() - make_interval(secs => :forget_seconds)
                      AND replica_id <> :replica)
                INSERT INTO recognition_replicas (replica_id, engine)
                VALUES (:replica, CAST(:engine AS text))
                ON CONFLICT (replica_id) DO UPDATE SET seen_at = now(), engine = excluded.engine
                RETURNING xmax = 0
                """
            ),
            {
                "replica": replica,
                "engine": engine,
                "forget_seconds": lease_seconds * _FORGET_AFTER_LEASES,
            },
        )
    ).scalar_one()
    return is_new


async def withdraw(connection: AsyncConnection, replica: str) -> None:
    """Say that the replica is leaving: what it frees goes to the others."""
    await connection.execute(
        text("DELETE FROM recognition_replicas WHERE replica_id = :replica"), {"replica": replica}
    )


async def live_replicas(connection: AsyncConnection, *, lease_seconds: float) -> set[str]:
    """Return the replicas that were seen within a lease's length."""
    return set(
        await connection.scalars(
            text(
                "SELECT replica_id FROM recognition_replicas"
                " WHERE seen_at > now() - make_interval(secs => :lease_seconds)"
            ),
            {"lease_seconds": lease_seconds},
        )
    )


async def read_all(connection: AsyncConnection) -> list[PartitionRow]:
    """Return every partition, in order."""
    rows = await connection.execute(
        text(
            "SELECT partition, owner, epoch,"
            " coalesce(extract(epoch FROM lease_until - now()), 0) AS seconds_left"
            " FROM match_partitions ORDER BY partition"
        )
    )
    return [
        PartitionRow(row.partition, row.owner, row.epoch, float(row.seconds_left)) for row in rows
    ]


async def renew(
    connection: AsyncConnection, replica: str, epochs: Mapping[int, int], *, lease_seconds: float
) -> set[int]:
    """Prolong the leases of these partitions; return those that are still the replica's.

    Also one whose lease ran out: nobody took it, or its epoch would have changed.
    """
    return set(
        await connection.scalars(
            text(
                """
                UPDATE match_partitions AS p
                SET lease_until = now() + make_interval(secs => :lease_seconds)
                FROM unnest(CAST(:partitions AS smallint[]), CAST(:epochs AS bigint[]))
                     AS held (partition, epoch)
                WHERE p.partition = held.partition AND p.epoch = held.epoch AND p.owner = :replica
                RETURNING p.partition
                """
            ),
            {
                "replica": replica,
                "partitions": list(epochs.keys()),
                "epochs": list(epochs.values()),
                "lease_seconds": lease_seconds,
            },
        )
    )


async def claim(
    connection: AsyncConnection, replica: str, partitions: Sequence[int], *, lease_seconds: float
) -> list[Claimed]:
    """Take those of the partitions that may be taken, each under a new epoch."""
    rows = await connection.execute(
        text(
            """
            WITH free AS (
                SELECT partition, owner, epoch,
                       extract(epoch FROM now() - coalesce(lease_until, changed_at)) AS seconds
                FROM match_partitions
                WHERE partition = ANY(CAST(:partitions AS smallint[]))
                  AND (owner IS NULL OR owner = :replica OR lease_until <= now())
                FOR UPDATE SKIP LOCKED)
            UPDATE match_partitions AS p
            SET owner = :replica, epoch = p.epoch + 1, changed_at = now(),
                lease_until = now() + make_interval(secs => :lease_seconds)
            FROM free WHERE p.partition = free.partition
            RETURNING p.partition, p.epoch, free.owner AS previous,
                      CASE WHEN free.epoch > 0 THEN greatest(free.seconds, 0) END AS seconds_free
            """
        ),
        {
            "replica": replica,
            "partitions": list(partitions),
            "lease_seconds": lease_seconds,
        },
    )
    return [
        Claimed(
            row.partition,
            row.epoch,
            row.previous,
            None if row.seconds_free is None else float(row.seconds_free),
        )
        for row in rows
    ]


async def release(connection: AsyncConnection, replica: str, epochs: Mapping[int, int]) -> None:
    """Free these partitions, unless somebody has taken them already."""
    await connection.execute(
        text(
            """
            UPDATE match_partitions AS p
            SET owner = NULL, lease_until = NULL, changed_at = now()
            FROM unnest(CAST(:partitions AS smallint[]), CAST(:epochs AS bigint[]))
                 AS held (partition, epoch)
            WHERE p.partition = held.partition AND p.epoch = held.epoch AND p.owner = :replica
            """
        ),
        {
            "replica": replica,
            "partitions": list(epochs.keys()),
            "epochs": list(epochs.values()),
        },
    )


async def notify(connection: AsyncConnection) -> None:
    """Have all replicas look at the partitions now."""
    await connection.execute(text(f"NOTIFY {NOTIFY_CHANNEL}"))
