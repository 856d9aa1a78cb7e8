"""Accounts by command: made, listed, given another password, locked."""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from cli.app import app
from libs.common.errors import Conflict, InvalidInput
from services.gallery.accounts.registration import AccountRefused
from services.gallery.accounts.rules import PASSWORD_RULE

GOOD, OTHER = "Quiet-Lake-12", "Loud-River-34"
Findme = Callable[..., Result]


@pytest.fixture
def findme(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Findme:
    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(*arguments: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(app, arguments, input=typed)

    return run


def made(findme: Findme, kind: str, name: str) -> None:
    account = ["--username", name, "--email", f"{name}@example.org", "--password", GOOD]
    done = findme(kind, "create", *account)
    assert done.exit_code == 0, done.output


def test_the_rule_is_said_before_a_password_is_asked_for_and_asked_again(findme: Findme) -> None:
    name = ["--username", "ann", "--email", "ann@example.org"]
    done = findme("admin", "create", *name, typed=f"short\nshort\n{GOOD}\n{GOOD}\n")
    assert done.exit_code == 0, done.output
    told = done.output
    assert told.index(PASSWORD_RULE) < told.index("Password:")
    assert told.index("Password:") < told.index("The password needs at least 8 characters, an")
    assert "Admin ann has the id" in told
    assert GOOD not in told


def test_they_are_listed_by_role_and_locked_ones_are_told(findme: Findme) -> None:
    assert "There is no photographer yet." in findme("photographer", "list").output
    made(findme, "admin", "boss")
    made(findme, "photographer", "ann")
    made(findme, "photographer", "bob")
    assert findme("photographer", "lock", "bob").exit_code == 0
    listed = findme("photographer", "list").output.splitlines()
    ann = next(line for line in listed if "ann@example.org" in line)
    bob = next(line for line in listed if "bob@example.org" in line)
    assert ann.rstrip().endswith("yes")
    assert bob.rstrip().endswith("no, locked")
    assert "boss" not in "".join(listed)
    assert findme("photographer", "unlock", "BOB@example.org").exit_code == 0
    assert "no, locked" not in findme("photographer", "list").output


def test_another_password_is_judged_as_the_first_one_is(findme: Findme) -> None:
    made(findme, "photographer", "ann")
    refused = findme("photographer", "password", "ann", "--password", "Password1!")
    assert isinstance(refused.exception, AccountRefused)
    done = findme("photographer", "password", "ann", typed=f"{OTHER}\n{OTHER}\n")
    assert "another password" in done.output
    assert "logged out everywhere" in done.output


@pytest.mark.parametrize("command", ["password", "lock", "unlock"])
def test_who_is_not_there_is_one_sentence_that_says_where_to_look(
    findme: Findme, command: str
) -> None:
    made(findme, "admin", "boss")
    given = ["--password", OTHER] if command == "password" else []
    refused = findme("photographer", command, "boss", *given)
    assert isinstance(refused.exception, InvalidInput)
    assert "findme photographer list" in str(refused.exception)


def test_the_last_admin_cannot_be_locked(findme: Findme) -> None:
    made(findme, "admin", "boss")
    refused = findme("admin", "lock", "boss")
    assert isinstance(refused.exception, Conflict)
    assert "last admin" in str(refused.exception)
    made(findme, "admin", "vice")
    assert findme("admin", "lock", "boss").exit_code == 0
    assert isinstance(findme("admin", "lock", "vice").exception, Conflict)
