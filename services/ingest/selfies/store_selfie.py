"""Keep a guest's selfie, and have it matched in every event they joined."""

import asyncio
import dataclasses
import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog

from libs.common.database.consents import give_consent
from libs.common.database.database import Database
from libs.common.database.transactions import UnitOfWork, is_given_up
from libs.common.errors import AccountGone, InvalidInput
from libs.common.messaging.messages import SelfieDeleted, SelfieUploaded
from libs.common.storage.keys import selfie_key
from libs.common.storage.protocol import ObjectStore
from services.ingest.metrics import SELFIES
from services.ingest.selfies import repository
from services.ingest.selfies.receive_selfie import Selfie
from services.ingest.selfies.repository import NewSelfie, OldSelfie

#: A guest looks different with glasses or a hat; more selfies than this help nobody.
MAX_SELFIES = 5

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ShownConsent:
    """Which text about consent the guest was shown; older clients do not say."""

    version: str | None = None
    language: str | None = None


async def store_selfie(
    selfie: Selfie,
    user_id: int,
    *,
    replaces: bool,
    consent: ShownConsent,
    store: ObjectStore,
    database: Database,
) -> int:
    """Return how many photos were the guest's by the selfies that it replaces, if it does.

    It is the guest's consent to face matching, and recorded as such. Raises AccountGone,
    EventOver when all of the guest's events are over, ConsentOutdated, and InvalidInput when a
    further selfie would be one too many.
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
    deleted: int | None = None
    deadline = asyncio.get_running_loop().time() + database.answer_seconds
    try:
        async for attempt in database.attempts():
            deleted = None
            async with attempt as unit:
                deleted = await _record(new, unit, replaces=replaces, consent=consent)
    except BaseException as error:
        # Unlike a photo's, a selfie's bytes must not outlive a failure: the guest is told that
        # it failed and sends another one.
        is_recorded: bool | None = False
        if deleted is not None and not is_given_up(error):
            is_recorded = await asyncio.shield(
                asyncio.ensure_future(_is_recorded(new, deadline, database))
            )
        if is_recorded is False:
            await asyncio.shield(store.delete(new.object_key))
        if not is_recorded or not isinstance(error, Exception):
            raise
    SELFIES.labels("stored").inc()
    return deleted or 0


async def _record(
    new: NewSelfie, unit: UnitOfWork, *, replaces: bool, consent: ShownConsent
) -> int:
    connection = unit.connection
    # Two selfies of one guest at once: the second one sees the first.
    if not await repository.lock_user(connection, new.user_id):
        raise AccountGone(new.user_id)
    joined = await repository.joined_events(connection, new.user_id)
    joined.require_open()
    deleted = 0
    if replaces:
        old_selfies, deleted = await repository.remove_selfies(connection, new.user_id)
        _publish_deleted(unit, new.user_id, old_selfies, joined.all)
    elif await repository.count_selfies(connection, new.user_id) >= MAX_SELFIES:
        msg = f"You have {MAX_SELFIES} selfies already. Delete one before you add another."
        raise InvalidInput(msg)
    # An embedding stays no longer than the guest's last event, and this one may have gone just now.
    kept = new if joined.open else dataclasses.replace(new, engine=None, embedding=None)
    selfie_id = await repository.add_selfie(connection, kept)
    await give_consent(
        connection,
        new.user_id,
        version=consent.version,
        language=consent.language,
        given_by="selfie",
    )
    for event_id in joined.open:
        unit.publish(SelfieUploaded(event_id=event_id, user_id=new.user_id, selfie_id=selfie_id))
    return deleted


async def _is_recorded(new: NewSelfie, deadline: float, database: Database) -> bool | None:
    """Whether the commit whose answer was lost was made; None where nobody can say by then.

    Then the object stays: a selfie without its bytes is lost.
    """
    try:
        async with asyncio.timeout_at(deadline), database.unit_of_work() as unit:
            # The transaction in question has this lock until its end.
            await repository.lock_user(unit.connection, new.user_id)
            return await repository.has_selfie(unit.connection, new.filename)
    except Exception as error:  # noqa: BLE001 - the caller raises the first one
        log.warning("selfie_commit_unknown", filename=new.filename, error=error)
        return None


def _publish_deleted(
    unit: UnitOfWork, user_id: int, old_selfies: Sequence[OldSelfie], joined: Iterable[int]
) -> None:
    for old in old_selfies:
        # Events that were left since may still hold an index entry of the selfie.
        for message in SelfieDeleted.for_events(
            (*joined, *old.event_ids), user_id=user_id, selfie_id=old.id, object_key=old.object_key
        ):
            unit.publish(message)
