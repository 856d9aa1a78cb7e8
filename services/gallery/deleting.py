"""Deletions that take much with them, beside services that are at work on it."""

from collections.abc import Awaitable, Callable

from sqlalchemy.exc import DBAPIError

from libs.common.database.database import Database, UnitOfWork
from libs.common.errors import TransientError

ATTEMPTS = 5
#: What a service that died at the wrong moment had written to the store without a row is
#: removed by a second look, long after anything that was in flight at the deletion.
LOOK_AGAIN_SECONDS = 3600.0
#: PostgreSQL documentation, appendix A.
_DEADLOCK_DETECTED = "40P01"


async def deleting(database: Database, delete: Callable[[UnitOfWork], Awaitable[None]]) -> None:
    """Run the deletion in a transaction.

    A cascade locks rows in an order of its own. Where matching holds some of them it may be
    the one that is given up: it is then run again. Raises TransientError when it always is.
    """
    for _ in range(ATTEMPTS):
        try:
            async with database.unit_of_work() as unit:
                await delete(unit)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _DEADLOCK_DETECTED:
                raise
        else:
            return
    msg = "Too much is being matched at this moment. Try again in a few seconds."
    raise TransientError(msg)
