"""The `findme` command."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli import backup as backup_commands
from cli import bucket as bucket_command
from cli import dead_letters as dlq_commands
from cli import migrate as migrate_command
from cli import partitions as partition_commands
from cli.models import models_app
from cli.options import DataDir, settings_with
from libs.common.errors import FindMeError, Unavailable
from libs.common.web.tokens import Role
from services.gallery.accounts.rules import NewAccount
from standalone import operators
from standalone.operator_database import operator_database

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
admin_app = typer.Typer(no_args_is_help=True, help="Administrators.")
photographer_app = typer.Typer(no_args_is_help=True, help="Photographers.")
event_app = typer.Typer(no_args_is_help=True, help="Events.")
app.add_typer(admin_app, name="admin")
app.add_typer(photographer_app, name="photographer")
app.add_typer(event_app, name="event")
app.add_typer(models_app, name="models")
app.add_typer(dlq_commands.app, name="dlq")
app.command()(partition_commands.partitions)
app.command()(backup_commands.backup)
app.command()(backup_commands.restore)
app.command()(bucket_command.bucket)
app.command()(migrate_command.migrate)

console = Console()

Host = Annotated[str | None, typer.Option(help="Address to listen on [HOST, else 127.0.0.1].")]
Port = Annotated[int | None, typer.Option(help="Port to listen on, 0 for any [PORT, else 8000].")]
Username = Annotated[str, typer.Option(prompt=True)]
Email = Annotated[str, typer.Option(prompt=True)]
Password = Annotated[str, typer.Option(prompt=True, confirmation_prompt=True, hide_input=True)]


@app.command()
def up(
    data_dir: DataDir = None,
    host: Host = None,
    port: Port = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="Write the URL there once requests are answered.")
    ] = None,
) -> None:
    """Run FindMe: all services in one process, on one folder. Ctrl-C stops it."""
    with _all_of_findme():
        from standalone.serve import serve

    def announce(url: str) -> None:
        console.print(f"FindMe is ready at [bold]{url}[/] (Ctrl-C stops it)", highlight=False)
        if ready_file is not None:
            ready_file.write_text(url + "\n")

    serve(settings_with(data_dir, host=host, port=port), on_ready=announce)


@app.command()
def demo(
    data_dir: DataDir = None,
    host: Host = None,
    port: Port = None,
    photos: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Your own photos.")
    ] = None,
    selfie: Annotated[
        list[Path] | None, typer.Option(exists=True, dir_okay=False, help="A guest's selfie.")
    ] = None,
    count: Annotated[int, typer.Option(min=5, help="How many photos to compose.")] = 100,
    *,
    exit_: Annotated[bool, typer.Option("--exit", help="End when the job is done.")] = False,
) -> None:
    """Show the whole job: photos come in, selfies come in, guests get theirs."""
    with _all_of_findme():
        from demo.command import DemoOptions, run_demo
    if (photos is None) != (not selfie):
        msg = "--photos and --selfie go together: the photos, and whom to look for in them"
        raise typer.BadParameter(msg)
    options = DemoOptions(photos=photos, selfies=selfie or [], count=count, exit_when_done=exit_)
    run_demo(settings_with(data_dir, host=host, port=port), options, console)


@app.command()
def status(data_dir: DataDir = None) -> None:
    """Show how much there is, and how much of it waits."""

    async def read() -> operators.Status:
        async with operator_database(settings_with(data_dir)) as database:
            return await operators.read_status(database)

    found = asyncio.run(read())
    table = Table(show_header=False)
    for name, value in (
        ("accounts", found.accounts),
        ("events", found.events),
        ("selfies", found.selfies),
        ("matches", found.matches),
        *((f"photos {status}", found.photos.get(status, 0)) for status in _PHOTO_STATUSES),
        *((f"photos by {engine}", count) for engine, count in found.photos_by_engine.items()),
        ("messages waiting", found.outbox_messages),
        ("oldest, seconds", round(found.outbox_oldest_seconds, 1)),
        ("dead letters", found.dead_letters),
    ):
        table.add_row(name, str(value))
    console.print(table)


_PHOTO_STATUSES = ("queued", "analyzed", "done", "failed")


@admin_app.command("create")
def admin_create(
    username: Username, email: Email, password: Password, data_dir: DataDir = None
) -> None:
    """Create an administrator."""
    _create_account(NewAccount.of(username, email, password), Role.ADMIN, data_dir)


@photographer_app.command("create")
def photographer_create(
    username: Username, email: Email, password: Password, data_dir: DataDir = None
) -> None:
    """Create a photographer."""
    _create_account(NewAccount.of(username, email, password), Role.PHOTOGRAPHER, data_dir)


@event_app.command("create")
def event_create(
    name: Annotated[str, typer.Option(prompt=True)],
    photographer: Annotated[str, typer.Option(prompt=True, help="The photographer's username.")],
    code: Annotated[str | None, typer.Option(help="The guests' code; random when unset.")] = None,
    days: Annotated[int, typer.Option(min=1, help="Days until the event expires.")] = 60,
    data_dir: DataDir = None,
) -> None:
    """Create an event and print the code its guests join with."""

    async def create() -> str:
        async with operator_database(settings_with(data_dir)) as database:
            made = await operators.add_event(
                database, name=name, photographer=photographer, code=code, days=days
            )
            return f"Event {made.event_id}: guests join with the code {made.event_code}"

    console.print(asyncio.run(create()))


@contextmanager
def _all_of_findme() -> Iterator[None]:
    """Import within this what the operators' own image leaves out: services, PostgreSQL, demo."""
    try:
        yield
    except ModuleNotFoundError as error:
        msg = f"This needs all of FindMe, of which {error.name} is not installed here."
        raise Unavailable(msg) from error


def _create_account(account: NewAccount, role: Role, data_dir: Path | None) -> None:
    async def create() -> int:
        async with operator_database(settings_with(data_dir)) as database:
            return await operators.add_account(database, account, role)

    user_id = asyncio.run(create())
    console.print(f"{role.name.lower().capitalize()} {account.username} has the id {user_id}.")


def main() -> None:
    """Run the command; an error on purpose is one sentence, not a traceback."""
    try:
        app()
    except FindMeError as error:
        Console(stderr=True).print(f"[red]{error}[/]", highlight=False)
        raise SystemExit(1) from error
