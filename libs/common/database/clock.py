"""The one clock that all machines share: the database's. Rows are never compared with another."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection


async def present_moment(connection: AsyncConnection) -> datetime:
    """Return what the database's clock says; in a transaction, what it said at its beginning."""
    moment: datetime = (await connection.execute(select(func.now()))).scalar_one()
    return moment
