"""Reads whose session is ended under them are asked once more, of a new session.

Source: "How do I retry a statement execution automatically?" in SQLAlchemy's frequently asked
questions, for connections in autocommit.
"""

from typing import Any

import structlog
from sqlalchemy import event
from sqlalchemy.engine import Engine, ExecutionContext
from sqlalchemy.engine.interfaces import DBAPICursor

from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.sqlstates import is_session_lost

#: An execution option of those connections, which are in autocommit: nothing is lost with their
#: session but the answer.
REPEATS_READS = "findme_repeats_reads"

log = structlog.get_logger(__name__)


def repeat_lost_reads(engine: Engine) -> None:
    """Have statements of connections with that option repeated once."""
    event.listen(engine, "do_execute", _execute)


def _execute(
    cursor: DBAPICursor,
    statement: str,
    parameters: Any,  # noqa: ANN401 - the driver's own
    context: ExecutionContext,
) -> bool:
    """Return whether the statement was executed here."""
    connection = context.root_connection
    if not connection.get_execution_options().get(REPEATS_READS):
        return False
    execute = connection.dialect.do_execute
    try:
        execute(cursor, statement, parameters, context)
    except Exception as error:
        if not is_session_lost(error):
            raise
        log.warning("read_repeated", error=error)
        connection.invalidate(error)
        # Without an end of what it calls a transaction SQLAlchemy makes no new connection.
        if (transaction := connection.get_transaction()) is not None:
            transaction.rollback()
        try:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            again = connection.connection.cursor()
        except DATABASE_ERRORS:
            raise error from None
        context.cursor = again
        execute(again, statement, parameters, context)
    return True
