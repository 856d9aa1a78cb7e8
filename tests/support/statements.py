"""What is asked of a database by this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.pool import ConnectionPoolEntry

from libs.common.database.connections import LimitedConnection
from libs.common.database.database import Database

#: Statements in their order, with their parameters.
Statements = list[tuple[str, Any]]


@contextmanager
def statements(database: Database) -> Iterator[Statements]:
    """Collect every statement that is sent in the block: by SQLAlchemy, or by the driver alone."""
    seen: Statements = []
    fetch = LimitedConnection.fetch

    def note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        seen.append((statement, parameters))

    def note_and_fetch(self: Any, statement: str, *parameters: Any) -> Any:
        if self in own:
            seen.append((statement, parameters))
        return fetch(self, statement, *parameters)

    engine = database.engine.sync_engine
    own: set[Any] = set()

    def note_connection(_: object, record: ConnectionPoolEntry, __: object) -> None:
        own.add(record.driver_connection)

    event.listen(engine, "before_cursor_execute", note)
    event.listen(engine.pool, "checkout", note_connection)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LimitedConnection, "fetch", note_and_fetch)
        try:
            yield seen
        finally:
            event.remove(engine, "before_cursor_execute", note)
            event.remove(engine.pool, "checkout", note_connection)
