import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from cli.app import app
from libs.common.database.database import Database
from libs.common.database.tables import dead_letters
from libs.common.errors import NotFound
from libs.common.settings import CommonSettings
from tests.support.rows import Rows
from tests.support.settings import settings_of

LANE, PARTITION = "findme.analyze.03", "findme.match.05"
NOT_THERE = 999

Dlq = Callable[..., Awaitable[Result]]


@pytest.fixture
async def rows(database_url: str) -> AsyncIterator[Rows]:
    async with Database.open(settings_of(CommonSettings, database_url)) as database:
        yield Rows(database)


@pytest.fixture
def dlq(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dlq:
    """Run `findme dlq` with these arguments, on a wide terminal."""
    monkeypatch.setattr("cli.dead_letters.console", Console(width=200))
    environment = {"DATABASE_URL": database_url, "LOG_FORMAT": "console"}

    async def run(*arguments: object, answer: str | None = None) -> Result:
        # A thread of its own, as the command has an event loop of its own.
        return await asyncio.to_thread(
            CliRunner().invoke,
            app,
            ["dlq", *map(str, arguments), "--data-dir", str(tmp_path)],
            input=answer,
            env=environment,
        )

    return run


async def letter(rows: Rows, number: int = 0, *, queue: str = LANE, reason: str = "no") -> int:
    values = {
        "message_id": f"message {number}",
        "queue": queue,
        "routing_key": "photo.uploaded.03",
        "body": f'{{"photo_id":{number}}}'.encode(),
        "reason": reason,
        "attempts": 4,
    }
    return await rows.insert(dead_letters, values)


async def waiting(rows: Rows) -> int:
    return int(await rows.scalar("SELECT count(*) FROM dead_letters"))


async def outbox(rows: Rows) -> int:
    return int(await rows.scalar("SELECT count(*) FROM outbox"))


async def test_the_list_shows_what_died_where_and_why_the_newest_first(
    rows: Rows, dlq: Dlq
) -> None:
    old = await letter(rows, 1, reason="TransientError: no disk [/red] left")
    new = await letter(rows, 2, queue=PARTITION)
    result = await dlq("list")
    assert result.exit_code == 0, result.output
    assert "TransientError: no disk [/red] left" in result.output
    assert result.output.index(f" {new} ") < result.output.index(f" {old} ")
    assert f"{LANE}: 1 waiting" in result.output
    assert f"{PARTITION}: 1 waiting" in result.output


async def test_the_list_is_read_page_by_page_and_queue_by_queue(rows: Rows, dlq: Dlq) -> None:
    ids = [await letter(rows, number) for number in range(3)]
    await letter(rows, 3, queue=PARTITION)
    first = await dlq("list", "--queue", LANE, "--limit", 2)
    assert f"Older ones: --before {ids[1]}" in first.output
    second = await dlq("list", "--queue", LANE, "--before", ids[1])
    assert "Older ones" not in second.output
    shown = [[one for one in ids if f"│ {one} " in result.output] for result in (first, second)]
    assert shown == [ids[1:], ids[:1]]


async def test_an_empty_list_says_so(dlq: Dlq) -> None:
    assert (await dlq("list")).output == "There are no dead letters.\n"


async def test_one_letter_is_shown_as_json_with_its_message(rows: Rows, dlq: Dlq) -> None:
    letter_id = await letter(rows, 7)
    shown = json.loads((await dlq("show", letter_id)).output)
    assert shown["id"] == letter_id
    assert shown["body"] == {"photo_id": 7}
    assert isinstance((await dlq("show", NOT_THERE)).exception, NotFound)


async def test_named_letters_are_replayed_and_missing_ones_named(rows: Rows, dlq: Dlq) -> None:
    ids = [await letter(rows, number) for number in range(3)]
    result = await dlq("replay", *ids[:2], NOT_THERE)
    assert result.exit_code == 1
    assert "2 dead letters replayed." in result.output
    assert f"Not there (any more): {NOT_THERE}" in result.output
    assert (await waiting(rows), await outbox(rows)) == (1, 2)
    assert (await dlq("replay", ids[2])).output == "1 dead letter replayed.\n"


async def test_all_letters_of_a_queue_or_of_all_are_replayed(rows: Rows, dlq: Dlq) -> None:
    for number in range(3):
        await letter(rows, number, queue=LANE if number else PARTITION)
    assert (await dlq("replay", "--all", "--queue", LANE)).output == "2 dead letters replayed.\n"
    assert (await waiting(rows), await outbox(rows)) == (1, 2)
    assert (await dlq("replay", "--all")).exit_code == 0
    assert (await waiting(rows), await outbox(rows)) == (0, 3)


async def test_dropping_all_asks_first(rows: Rows, dlq: Dlq) -> None:
    for number in range(2):
        await letter(rows, number, queue=LANE if number else PARTITION)
    refused = await dlq("drop", "--all", answer="n\n")
    assert refused.exit_code == 1
    assert await waiting(rows) == 2
    agreed = await dlq("drop", "--all", "--queue", LANE, answer="y\n")
    assert f"Drop all dead letters of {LANE} for good?" in agreed.output
    assert await waiting(rows) == 1
    assert (await dlq("drop", "--all", "--yes")).output == "1 dead letter dropped.\n"
    assert (await waiting(rows), await outbox(rows)) == (0, 0)


async def test_a_named_letter_is_dropped_without_asking(rows: Rows, dlq: Dlq) -> None:
    dropped, _ = await letter(rows, 1), await letter(rows, 2)
    assert (await dlq("drop", dropped)).output == "1 dead letter dropped.\n"
    assert await waiting(rows) == 1


@pytest.mark.parametrize("command", ["replay", "drop"])
@pytest.mark.parametrize(
    "arguments", [[], [1, "--all", "--yes"], [1, "--queue", LANE], ["--queue", LANE]]
)
async def test_a_choice_that_is_not_clear_changes_nothing(
    rows: Rows, dlq: Dlq, command: str, arguments: list[object]
) -> None:
    await letter(rows)
    if command == "replay":
        arguments = [argument for argument in arguments if argument != "--yes"]
    result = await dlq(command, *arguments)
    assert result.exit_code == 2
    assert await waiting(rows) == 1
