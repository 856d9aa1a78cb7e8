"""Keep a guest's selfie, and have it matched in every event they joined."""

import asyncio
import hashlib
import uuid
from collections.abc import Iterable, Sequence

from libs.common.database.database import Database, UnitOfWork
from libs.common.errors import InvalidInput, NotAuthenticated
from libs.common.messaging.messages import SelfieDeleted, SelfieUploaded
from libs.common.storage.keys import selfie_key
from libs.common.storage.protocol import ObjectStore
from services.ingest import repository
from services.ingest.metrics import SELFIES
from services.ingest.receive_selfie import Selfie
from services.ingest.repository import NewSelfie, OldSelfie

#: A guest looks different with glasses or a hat; more selfies than this help nobody.
MAX_SELFIES = 5


async def store_selfie(
    selfie: Selfie, user_id: int, *, replaces: bool, store: ObjectStore, database: Database
) -> int:
    """Return how many photos were the guest's by the selfies that it replaces, if it does.

    Raises NotAuthenticated when the account is gone, and InvalidInput when a further selfie
    would be one too many.
    """
    filename = f"{uuid.uuid4().hex}.{selfie.format.extension}"
    new = NewSelfie(
        user_id=user_id,
        filename=filename,
        object_key=selfie_key(user_id, filename),
        content_type=selfie.format.media_type,
        sha256=hashlib.sha256(selfie.content).digest(),
        size_bytes=len(selfie.content),
        engine=selfie.face.engine if selfie.face else None,
        embedding=selfie.face.embedding if selfie.face else None,
    )
    await store.put(new.object_key, selfie.content, content_type=new.content_type)
    try:
        deleted = await _record(new, database, replaces=replaces)
    except BaseException:
        # Unlike a photo's, a selfie's bytes must not outlive a failure: the guest is told that
        # it failed and sends another one.
        await asyncio.shield(store.delete(new.object_key))
        raise
    SELFIES.labels("stored").inc()
    return deleted


async def _record(new: NewSelfie, database: Database, *, replaces: bool) -> int:
    async with database.unit_of_work() as unit:
        connection = unit.connection
        # Two selfies of one guest at once: the second one sees the first.
        if not await repository.lock_user(connection, new.user_id):
            msg = "This account does not exist any more. Log in again."
            raise NotAuthenticated(msg)
        event_ids = await repository.joined_event_ids(connection, new.user_id)
        deleted = 0
        if replaces:
            old_selfies, deleted = await repository.remove_selfies(connection, new.user_id)
            _publish_deleted(unit, new.user_id, old_selfies, event_ids)
        elif await repository.count_selfies(connection, new.user_id) >= MAX_SELFIES:
            msg = f"You have {MAX_SELFIES} selfies already. Delete one before you add another."
            raise InvalidInput(msg)
        selfie_id = await repository.add_selfie(connection, new)
        for event_id in event_ids:
            unit.publish(
                SelfieUploaded(event_id=event_id, user_id=new.user_id, selfie_id=selfie_id)
            )
    return deleted


def _publish_deleted(
    unit: UnitOfWork, user_id: int, old_selfies: Sequence[OldSelfie], joined: Iterable[int]
) -> None:
    for old in old_selfies:
        # Events that were left since may still hold an index entry of the selfie.
        for message in SelfieDeleted.for_events(
            (*joined, *old.event_ids), user_id=user_id, selfie_id=old.id, object_key=old.object_key
        ):
            unit.publish(message)
