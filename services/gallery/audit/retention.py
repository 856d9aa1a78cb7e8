"""The audit's rows are deleted once they are older than is to be kept."""

from datetime import timedelta
from functools import partial
from typing import NoReturn

from libs.common.database.database import Database
from libs.common.database.expired_rows import keep_deleting
from services.gallery.audit import repository as audit

EVERY_SECONDS = 3600.0
#: Rows that are deleted in a transaction.
DELETED_AT_ONCE = 5_000


async def delete_old_rows(database: Database, *, age: timedelta) -> NoReturn:
    """Do so until cancelled; of several replicas one deletes, and the others find nothing."""
    await keep_deleting(
        partial(audit.delete_older, age=age),
        database,
        every_seconds=EVERY_SECONDS,
        at_once=DELETED_AT_ONCE,
        waits="old_audit_rows_wait",
    )
