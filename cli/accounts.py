"""`findme admin` and `findme photographer`: accounts are made, listed, changed, locked."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.options import DataDir, settings_with
from libs.common.database.database import Database
from libs.common.web.auth import Role
from services.gallery.accounts.changes import AccountChange, accounts_of, named_account
from services.gallery.accounts.rules import PASSWORD_RULE, NewAccount
from standalone.operators import (
    add_account,
    alter_account,
    operator_database,
    operator_passwords,
)

console = Console()

Username = Annotated[str, typer.Option(prompt=True)]
Email = Annotated[str, typer.Option(prompt=True)]
Password = Annotated[
    str | None, typer.Option(help=f"Asked for where it is not given. {PASSWORD_RULE}")
]
Who = Annotated[str, typer.Argument(help="Username or email address.")]


class AccountCommands:
    """What operators do with the accounts of one role."""

    def __init__(self, role: Role) -> None:
        self._role = role
        self._name = role.name.lower()

    def app(self, about: str) -> typer.Typer:
        """Return the commands."""
        app = typer.Typer(no_args_is_help=True, help=about)
        app.command("create")(self.create)
        app.command("list")(self.show_all)
        app.command("password")(self.change_password)
        app.command("lock")(self.lock)
        app.command("unlock")(self.unlock)
        return app

    def create(
        self, username: Username, email: Email, password: Password = None, data_dir: DataDir = None
    ) -> None:
        """Create an account that may log in at once."""

        async def add(database: Database) -> None:
            chosen = password or await _ask_password([username, email])
            account = NewAccount.of(username, email, chosen)
            user_id = await add_account(database, account, self._role)
            _say(f"{self._name.capitalize()} {account.username} has the id {user_id}.")

        _on_database(data_dir, add)

    def show_all(self, data_dir: DataDir = None) -> None:
        """List all accounts, the newest first."""

        async def show(database: Database) -> None:
            table = Table("id", "username", "address", "since", "may log in", box=None)
            for account in await accounts_of(self._role, database=database):
                table.add_row(
                    str(account.id),
                    account.username,
                    account.email or "",
                    f"{account.created_at:%Y-%m-%d}",
                    "yes" if account.is_active else "no, locked",
                )
            console.print(table if table.row_count else f"There is no {self._name} yet.")

        _on_database(data_dir, show)

    def change_password(
        self, who: Who, password: Password = None, data_dir: DataDir = None
    ) -> None:
        """Give an account another password; its logins end."""

        async def change(database: Database) -> None:
            account = await named_account(who, self._role, database=database)
            chosen = password or await _ask_password([account.username, account.email or ""])
            await alter_account(database, who, self._role, AccountChange(password=chosen))
            _say(f"{account.username} has another password, and is logged out everywhere.")

        _on_database(data_dir, change)

    def lock(self, who: Who, data_dir: DataDir = None) -> None:
        """End an account's logins, and let it log in no more."""
        self._set_active(who, data_dir, to=False)

    def unlock(self, who: Who, data_dir: DataDir = None) -> None:
        """Let a locked account log in again."""
        self._set_active(who, data_dir, to=True)

    def _set_active(self, who: str, data_dir: Path | None, *, to: bool) -> None:
        async def change(database: Database) -> None:
            name = await alter_account(database, who, self._role, AccountChange(is_active=to))
            told = "may log in again" if to else f"is locked, until `findme {self._name} unlock`"
            _say(f"{name} {told}.")

        _on_database(data_dir, change)


admin_app = AccountCommands(Role.ADMIN).app("Administrators.")
photographer_app = AccountCommands(Role.PHOTOGRAPHER).app("Photographers.")


def _on_database(data_dir: Path | None, work: Callable[[Database], Awaitable[None]]) -> None:
    async def run() -> None:
        async with operator_database(settings_with(data_dir)) as database:
            await work(database)

    asyncio.run(run())


async def _ask_password(about: list[str]) -> str:
    """Say what a password must be like, and ask until one is."""
    _say(PASSWORD_RULE)
    passwords = operator_passwords()
    while True:
        chosen: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        problems = await passwords.problems(chosen, about=about)
        if not problems:
            return chosen
        for problem in problems:
            _say(problem)


def _say(text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)
