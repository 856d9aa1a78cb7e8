"""What an operator wants to know first, of all parts at once."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import outbox
from libs.common.database.audit import Action, record
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import NotFound
from services.gallery.mail.queue import mails_waiting
from services.gallery.operations import repository as operations
from services.gallery.operations.schemas import (
    LettersOfQueue,
    Partition,
    Replica,
    Situation,
    WaitingWork,
)
from services.gallery.sessions.sessions import end_sessions


async def situation(connection: AsyncConnection, *, grafana_url: str | None) -> Situation:
    """Return what waits, what was given up, and who works."""
    photos = await operations.photos_waiting(connection)
    selfies = await operations.selfies_waiting(connection)
    messages, messages_seconds = await outbox.backlog(connection)
    mails = await mails_waiting(connection)
    faces, _ = await operations.erasures_waiting(connection)
    waiting = [
        WaitingWork(
            kind="photos_to_analyse",
            count=photos["queued"].count,
            oldest_seconds=photos["queued"].oldest_seconds,
        ),
        WaitingWork(
            kind="photos_to_match",
            count=photos["analyzed"].count,
            oldest_seconds=photos["analyzed"].oldest_seconds,
        ),
        WaitingWork(kind="selfies", count=selfies.count, oldest_seconds=selfies.oldest_seconds),
        WaitingWork(kind="messages", count=messages, oldest_seconds=messages_seconds),
        WaitingWork(kind="mails", count=mails.waiting, oldest_seconds=mails.oldest_seconds),
        WaitingWork(kind="erasures", count=faces.count, oldest_seconds=faces.oldest_seconds),
    ]
    letters = await operations.letters_by_queue(connection)
    partitions = await operations.partitions(connection)
    replicas = await operations.replicas(connection)
    return Situation(
        at=datetime.now(UTC),
        waiting=waiting,
        mails_dead=mails.dead,
        dead_letters=[LettersOfQueue.model_validate(one, from_attributes=True) for one in letters],
        failed_photos=await operations.count_failed_photos(connection),
        partitions=[Partition.model_validate(one, from_attributes=True) for one in partitions],
        replicas=[Replica.model_validate(one, from_attributes=True) for one in replicas],
        database_bytes=await operations.database_bytes(connection),
        grafana_url=grafana_url,
    )


async def log_out_colleague(user_id: int, *, actor_id: int, unit: UnitOfWork) -> int:
    """End all logins of a photographer or an admin; return how many. Raises NotFound."""
    if not await operations.keep_colleague(unit.connection, user_id):
        raise NotFound("Account", user_id)
    ended = await end_sessions(user_id, unit=unit)
    await record(
        unit.connection,
        Action.SESSION_ENDED,
        actor_id=actor_id,
        account_id=user_id,
        details={"ended": ended},
    )
    return ended
