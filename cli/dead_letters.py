"""`findme dlq`: messages that were given up, to look at, replay and drop."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.options import DataDir, settings_with
from libs.common.database.database import Database
from libs.common.errors import NotFound
from libs.common.messaging.dead_letters import repository
from libs.common.messaging.dead_letters.repository import DeadLetterRow
from libs.common.messaging.dead_letters.settle import Settlement, settle, settle_all
from libs.common.messaging.dead_letters.view import details
from libs.common.messaging.messages import MAX_ID
from standalone.operators import operator_database

app = typer.Typer(no_args_is_help=True, help="Messages that were given up (dead letters).")
console = Console()

Ids = Annotated[
    list[int] | None, typer.Argument(metavar="ID...", min=1, max=MAX_ID, show_default=False)
]
All = Annotated[bool, typer.Option("--all", help="All letters, or all of --queue.")]
Queue = Annotated[str | None, typer.Option(help="Only letters that died in this queue.")]


@app.command("list")
def list_letters(
    queue: Queue = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    before: Annotated[
        int | None, typer.Option(min=1, max=MAX_ID, help="Only letters older than this.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """List dead letters, the newest first."""

    async def read() -> tuple[list[DeadLetterRow], dict[str, int]]:
        async with _database(data_dir) as database, database.read() as connection:
            page = await repository.page(connection, queue=queue, before=before, limit=limit + 1)
            return page, await repository.count_by_queue(connection)

    letters, counts = asyncio.run(read())
    if letters:
        console.print(_table(letters[:limit]))
    for name, count in counts.items():
        console.print(f"{name}: {count} waiting", highlight=False)
    if not counts:
        console.print("There are no dead letters.")
    if len(letters) > limit:
        console.print(f"Older ones: --before {letters[limit - 1].id}", highlight=False)


@app.command()
def show(
    letter_id: Annotated[int, typer.Argument(metavar="ID", min=1, max=MAX_ID)],
    data_dir: DataDir = None,
) -> None:
    """Show one dead letter as JSON, with its message."""

    async def read() -> DeadLetterRow:
        async with _database(data_dir) as database, database.read() as connection:
            found = await repository.find(connection, letter_id)
        if found is None:
            raise NotFound(f"Dead letter {letter_id}", letter_id)
        return found

    console.print_json(orjson.dumps(details(asyncio.run(read()))).decode())


@app.command()
def replay(
    ids: Ids = None,
    *,
    all_: All = False,
    queue: Queue = None,
    data_dir: DataDir = None,
) -> None:
    """Publish messages again, from their first attempt, and their photos or selfies wait again."""
    _check_choice(ids, all_=all_, queue=queue)
    _settle(ids, queue, Settlement.REPLAYED, data_dir)


@app.command()
def drop(
    ids: Ids = None,
    *,
    all_: All = False,
    queue: Queue = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before dropping all.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Forget messages; their photos or selfies stay failed."""
    _check_choice(ids, all_=all_, queue=queue)
    if all_ and not yes:
        typer.confirm(f"Drop all dead letters of {queue or 'all queues'} for good?", abort=True)
    _settle(ids, queue, Settlement.DROPPED, data_dir)


def _database(data_dir: Path | None) -> AbstractAsyncContextManager[Database]:
    return operator_database(settings_with(data_dir))


def _check_choice(ids: Sequence[int] | None, *, all_: bool, queue: str | None) -> None:
    if bool(ids) == all_:
        msg = "name the letters by their ids, or say --all"
        raise typer.BadParameter(msg)
    if queue is not None and not all_:
        msg = "--queue goes together with --all"
        raise typer.BadParameter(msg)


def _settle(
    ids: Sequence[int] | None, queue: str | None, settlement: Settlement, data_dir: Path | None
) -> None:
    """Settle the named letters, or all; exit with 1 when a named one was not there."""

    async def work() -> tuple[int, list[int]]:
        async with _database(data_dir) as database:
            if not ids:
                return await settle_all(queue, settlement, database=database), []
            settled = await settle(ids, settlement, database=database)
            return len(settled), sorted(set(ids) - set(settled))

    count, missing = asyncio.run(work())
    console.print(
        f"{count} dead letter{'' if count == 1 else 's'} {settlement.value}.", highlight=False
    )
    if missing:
        names = ", ".join(map(str, missing))
        Console(stderr=True).print(f"[red]Not there (any more): {names}[/]", highlight=False)
        raise typer.Exit(1)


def _table(letters: Sequence[DeadLetterRow]) -> Table:
    table = Table("id", "died", "queue", "message", "attempts")
    table.add_column("reason", overflow="fold")
    for letter in letters:
        table.add_row(
            str(letter.id),
            f"{letter.died_at.astimezone():%Y-%m-%d %H:%M:%S}",
            letter.queue,
            letter.topic,
            str(letter.attempts),
            # It may hold anything: no markup.
            Text(letter.reason),
        )
    return table
