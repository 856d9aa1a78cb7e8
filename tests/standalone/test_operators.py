"""What an operator makes on the machine itself."""

import pytest

from libs.common.database.database import Database
from libs.common.settings import CommonSettings
from libs.common.web.auth import Role
from services.gallery.events import repository as events
from standalone.operators import add_event
from tests.support.conflicts import OneDeadlock
from tests.support.rows import Rows
from tests.support.settings import settings_of


async def test_an_event_is_made_though_a_conflict_ended_the_first_try(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Database.open(settings_of(CommonSettings, database_url)) as database:
        rows = Rows(database)
        photographer = await rows.person(Role.PHOTOGRAPHER)
        monkeypatch.setattr(events, "insert_event", OneDeadlock(events.insert_event))
        made = await add_event(
            database, name="Gala", photographer=photographer.name, code=None, days=1
        )
        assert await rows.scalar("SELECT id FROM events") == made.event_id
