"""`findme admin`, `findme photographer` and `findme event`: make accounts and events."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.options import DataDir, settings_with
from libs.common.web.auth import Role
from services.gallery.accounts.rules import NewAccount
from standalone.operators import add_account, add_event, operator_database

admin_app = typer.Typer(no_args_is_help=True, help="Administrators.")
photographer_app = typer.Typer(no_args_is_help=True, help="Photographers.")
event_app = typer.Typer(no_args_is_help=True, help="Events.")
console = Console()

Username = Annotated[str, typer.Option(prompt=True)]
Email = Annotated[str, typer.Option(prompt=True)]
Password = Annotated[str, typer.Option(prompt=True, confirmation_prompt=True, hide_input=True)]


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
            made = await add_event(
                database, name=name, photographer=photographer, code=code, days=days
            )
            return f"Event {made.event_id}: guests join with the code {made.event_code}"

    console.print(asyncio.run(create()))


def _create_account(account: NewAccount, role: Role, data_dir: Path | None) -> None:
    async def create() -> int:
        async with operator_database(settings_with(data_dir)) as database:
            return await add_account(database, account, role)

    user_id = asyncio.run(create())
    console.print(f"{role.name.lower().capitalize()} {account.username} has the id {user_id}.")
