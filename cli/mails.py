"""`findme mail`: mails that were given up are sent again."""

import asyncio

import typer
from rich.console import Console

from cli.options import DataDir, settings_with
from services.gallery.mail.queue import MailBacklog, mails_waiting, send_again
from standalone.operators import operator_database

app = typer.Typer(no_args_is_help=True, help="Mails that wait, or were given up.")
console = Console()


@app.command()
def status(data_dir: DataDir = None) -> None:
    """Say how many mails wait, and how many were given up."""

    async def read() -> MailBacklog:
        async with (
            operator_database(settings_with(data_dir)) as database,
            database.read() as connection,
        ):
            return await mails_waiting(connection)

    found = asyncio.run(read())
    console.print(
        f"{found.waiting} mails wait, the oldest for {found.oldest_seconds:.0f} s;"
        f" {found.dead} were given up.",
        highlight=False,
    )


@app.command()
def retry(data_dir: DataDir = None) -> None:
    """Send the mails that were given up once more, but for those with one-time links."""

    async def revive() -> int:
        async with operator_database(settings_with(data_dir)) as database:
            async for attempt in database.attempts():
                async with attempt as unit:
                    count = await send_again(unit.connection)
            return count

    console.print(f"{asyncio.run(revive())} mails will be sent again.", highlight=False)
