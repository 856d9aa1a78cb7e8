import asyncio
from pathlib import Path

from sqlalchemy import text, update

from libs.common.database.database import Database
from libs.common.database.tables import mails
from libs.common.settings import CommonSettings
from services.gallery.mail.queue import queue_mail
from services.gallery.mail.rules import Template
from tests.cli.test_status import findme
from tests.support.rows import Rows
from tests.support.settings import settings_of


async def test_mails_that_were_given_up_are_told_and_sent_again(
    database_url: str, tmp_path: Path
) -> None:
    async with Database.open(settings_of(CommonSettings, database_url)) as database:
        rows = Rows(database)
        person = await rows.person()
        for template in (Template.PASSWORD_CHANGED, Template.OPEN_ACCOUNT):
            async with database.unit_of_work() as unit:
                await queue_mail(unit.connection, template, user_id=person.id)
        await rows.execute(update(mails).values(status="dead", finished_at=text("now()")))

        async def said(*arguments: str) -> str:
            shown = await asyncio.to_thread(
                findme, *arguments, folder=tmp_path, DATABASE_URL=database_url
            )
            assert shown.returncode == 0, shown.stderr
            return " ".join(shown.stdout.split())

        assert "0 mails wait" in await said("mail", "status")
        assert await said("mail", "retry") == "1 mails will be sent again."
        assert "1 mails wait" in (told := await said("mail", "status"))
        assert "1 were given up" in told
