"""Streams end with the login that they were opened by, and with what somebody is in the event.

Also where no message tells of it.
"""

import asyncio
from typing import NoReturn

from libs.common.accounts import repository as statuses
from libs.common.accounts.statuses import KEPT_SECONDS
from libs.common.database.database import Database
from libs.common.database.sqlstates import is_away
from libs.common.rights.access import members_of, photographers_of
from services.gallery.live.updates import LiveUpdates


async def watch_rights(live: LiveUpdates, database: Database) -> NoReturn:
    """Keep looking whether those who watch still may: three statements for all."""
    while True:
        await asyncio.sleep(KEPT_SECONDS)
        try:
            await end_logged_out(live, database)
            await end_given_away(live, database)
            await end_removed(live, database)
        except Exception as error:
            if not is_away(error):
                raise


async def end_logged_out(live: LiveUpdates, database: Database) -> None:
    """End the streams of logins that have ended or expired."""
    watching = live.sessions()
    if not watching:
        return
    async with database.look() as connection:
        found = await statuses.find_statuses(connection, watching)
    for session_id, user_id in watching.items():
        if session_id not in found:
            live.end_sessions(user_id, [session_id])


async def end_given_away(live: LiveUpdates, database: Database) -> None:
    """End the streams of photographers whose event was given to another one, or is gone."""
    watching = live.photographers()
    if not watching:
        return
    async with database.look() as connection:
        found = await photographers_of(connection, watching)
    for event_id in watching:
        live.end_photographers(event_id, besides=found.get(event_id))


async def end_removed(live: LiveUpdates, database: Database) -> None:
    """End the streams of guests who were taken out of the event, or left it."""
    watching = live.guests()
    if not watching:
        return
    async with database.look() as connection:
        found = await members_of(connection, watching)
    for event_id, user_ids in watching.items():
        if gone := user_ids - found.get(event_id, set()):
            live.end_guests(event_id, gone)
