"""Take in a file that a camera sends, from its beginning or where it broke off."""

import time
import uuid
from dataclasses import dataclass

from libs.common.accounts.accounts import Accounts
from libs.common.errors import InvalidInput
from services.ingest.context import Context
from services.ingest.ftp import broken_files
from services.ingest.ftp.broken_files import BrokenFile, NotSoMuchCame
from services.ingest.ftp.login import Login, destination
from services.ingest.ftp.pieces import Pieces
from services.ingest.photos.names import display_name
from services.ingest.photos.store_photo import Destination, Kept, Salvaged
from services.ingest.photos.take_file import take_file
from services.ingest.request_body import BrokenBody
from services.ingest.resumable.parts import RememberingSource
from services.ingest.resumable.protocol import CONTENT_TYPE

#: Fewer bytes of a file that broke off are not worth an object.
LEAST_KEPT_BYTES = 1024


@dataclass(frozen=True, slots=True)
class ExpectedFile:
    """A file before its bytes come: where it goes, and at which of them its sender begins."""

    path: bytes
    destination: Destination
    resumes_as: bytes
    broken: BrokenFile | None
    starts_at: int


async def expect_file(
    login: Login, path: bytes, starts_at: int | None, *, accounts: Accounts, context: Context
) -> ExpectedFile:
    """Return what is to come, before a byte of it is asked for.

    `starts_at` is None for a sender who goes on where the file broke off, at its beginning if it
    did not. Raises NotSoMuchCame, and what `login.destination` and `Context.check_upload` raise.
    """
    database = context.resources.database
    goes_to = await destination(login, accounts=accounts, database=database)
    await context.check_upload(login.event_id)
    broken = None
    if starts_at != 0:
        broken = await broken_files.find(login, path, context=context)
        known = 0 if broken is None else broken.told_bytes
        if starts_at is not None and starts_at > known:
            raise NotSoMuchCame(known)
        starts_at = known if starts_at is None else starts_at
    digest = broken_files.resumes_as(login, path)
    return ExpectedFile(path, goes_to, digest, broken, starts_at)


async def receive_file(pieces: Pieces, file: ExpectedFile, *, context: Context) -> Kept:
    """Return what became of the file. Raises what `take_file` raises.

    What came of one that broke off is kept, and forgotten where it is stored or refused.
    """
    began = time.monotonic()
    goes_to = file.destination
    store, database = context.resources.store, context.resources.database
    name = display_name(file.path)
    new_id = uuid.uuid4()
    async with (
        context.upload_turn(goes_to.photographer_id, waited_seconds=0),
        broken_files.going_on(file.broken, pieces, starts_at=file.starts_at, store=store) as whole,
    ):
        source = RememberingSource(whole)
        try:
            kept = await take_file(
                source,
                name,
                goes_to,
                keep_at=BrokenFile(new_id, goes_to.event_id, 0).key,
                waited_seconds=time.monotonic() - began,
                limits=context.photo_limits,
                room=context.room,
                store=store,
                database=database,
            )
        except BrokenBody as broken:
            stored_bytes = broken.size_bytes if isinstance(broken, Salvaged) else 0
            rest = BrokenFile(new_id, goes_to.event_id, stored_bytes or len(source.beginning))
            if rest.size_bytes >= LEAST_KEPT_BYTES:
                if not stored_bytes:
                    # It broke off before anything was.
                    await store.put(rest.key, source.beginning, content_type=CONTENT_TYPE)
                await broken_files.keep(
                    rest, name, file.resumes_as, goes_to.photographer_id, context=context
                )
            raise
        except InvalidInput:
            await broken_files.forget(goes_to.event_id, file.resumes_as, context=context)
            raise
    await broken_files.forget(goes_to.event_id, file.resumes_as, context=context)
    return kept
