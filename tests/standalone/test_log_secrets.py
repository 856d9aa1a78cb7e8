"""Whatever fails, and whoever asked: nobody's secrets are in a log."""

import asyncio
import itertools
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from libs.common.database.tables import metadata
from libs.common.web.auth import Role
from tests.support.http_server import serving
from tests.support.logged import written_logs
from tests.support.people import Person, bearer
from tests.support.polling import PATIENCE_SECONDS
from tests.support.postgres_gate import PostgresGate
from tests.support.stack import Stack, running_stack
from tests.support.tiny_jpeg import tiny_jpeg

#: In everything that is sent: names, addresses, passwords, tokens, codes, files.
MARK = "s3cr3t"
FIELDS = {
    "username": f"{MARK}-name",
    "email": f"{MARK}@example.org",
    "password": f"{MARK}-Passw0rd!",
    "current": f"{MARK}-Passw0rd!",
    "new_password": f"{MARK}-Passw0rd!",
    "token": f"{MARK}-reset",
    "setup_token": f"{MARK}-setup",
    "name": f"{MARK} Schmidt",
    "event_code": f"{MARK}0code".upper(),
    "language": MARK,
    "latitude": f"{MARK}48.85",
}
#: What each route is sent: as it may be, of wrong types, and as nonsense.
BODIES: list[dict[str, Any]] = [
    {"json": FIELDS | {"user_data": FIELDS, "user_id": 1, "event_id": 1, "photo_ids": [1]}},
    {"json": {name: {"inner": value} for name, value in FIELDS.items()}},
    {"content": f'{{"password": "{MARK}', "headers": {"Content-Type": "application/json"}},
    {"files": {"file": (f"{MARK}.jpg", b"\xff\xd8\xff " + MARK.encode())}},
    # Python's own words of a failure in a worker: invalid literal for int(): '…'.
    {"files": {"files": (f"{MARK}.jpg", tiny_jpeg(f"people {MARK}"))}},
]
#: Those that stay open.
_STREAM = re.compile(r"/stream$")
AT_ONCE = 8


#: What is broken, what then is answered among others, and how often the log tells of it at least.
BROKEN: dict[str, tuple[set[int], str, int]] = {
    "tables": ({401, 403, 422, 500}, "SQLSTATE 42P01", 100),
    "database": ({401, 403, 422, 503}, "database_unavailable", 100),
    "store": ({200, 400, 401, 403, 404, 422}, "NotADirectoryError", 1),
}


@pytest.mark.parametrize("broken", BROKEN)
async def test_nothing_of_what_was_sent_is_logged_whatever_fails(
    database_url: str, tmp_path: Path, broken: str
) -> None:
    gate = PostgresGate(database_url)
    objects = tmp_path / "objects"
    async with AsyncExitStack() as running:
        await running.enter_async_context(gate.running())
        logged = running.enter_context(written_logs("json", "console"))
        stack = await running.enter_async_context(
            running_stack(gate.url, photo_store_dir=objects, db_pool_timeout=2)
        )
        urls = {
            name: await running.enter_async_context(serving(service))
            for name, service in stack.services.items()
        }
        tokens = [person.token for person in await people_of(stack)]
        match broken:
            case "tables":
                await without_tables(stack)
            case "database":
                gate.close()
            case _:
                objects.rename(tmp_path / "moved")
                objects.touch()
                event_id = await stack.world.scalar("SELECT min(id) FROM events")
                answer = await stack.client.post(
                    f"/api/photographer/events/{event_id}/upload-photos",
                    headers=bearer(tokens[1]),
                    files={"files": (f"{MARK}.jpg", tiny_jpeg(f"people {MARK}"))},
                )
                assert answer.status_code == 503, answer.text
        answered = await call_all(
            stack,
            urls,
            [None, *tokens, f"{MARK}.{MARK}.{MARK}"],
            # What is there must stay there, so that its bytes are asked for.
            without={"DELETE"} if broken == "store" else set(),
        )
        gate.open()
        told = logged()
    expected, words, times = BROKEN[broken]
    assert answered >= expected
    assert told.count(words) >= times
    assert [line for line in told.splitlines() if MARK in line.lower()][:3] == []
    assert [token for token in tokens if token in told] == []
    assert not re.search(r"SELECT \w+\.|INSERT INTO|UPDATE \w+ SET", told)


async def people_of(stack: Stack) -> list[Person]:
    """One of each role; the first three rows, to which the routes' ids belong."""
    admin = await stack.world.person(Role.ADMIN)
    photographer = await stack.world.person(Role.PHOTOGRAPHER)
    event_id = await stack.world.event(photographer)
    guest = await stack.world.person(joined=event_id)
    await stack.world.photo(event_id, tiny_jpeg("people 1"), name=f"{MARK}.jpg", publish=False)
    return [admin, photographer, guest]


async def without_tables(stack: Stack) -> None:
    """Give every table another name: whatever asks for one fails, and nothing expects that."""
    async with stack.resources.database.engine.begin() as connection:
        for table in metadata.tables:
            await connection.execute(text(f"ALTER TABLE {table} RENAME TO {table}_moved"))


def routes_of(service: FastAPI) -> Iterator[tuple[str, str]]:
    """Every method and path of a service: ids are of rows, texts are secrets."""
    for route in service.routes:
        path = getattr(route, "path", "")
        if _STREAM.search(path):
            continue
        path = re.sub(r"\{\w*id\}", "1", path)
        path = re.sub(r"\{[^}]*\}", MARK, path)
        for method in sorted(getattr(route, "methods", None) or ()):
            yield method, path


async def call_all(
    stack: Stack, urls: dict[str, str], tokens: list[str | None], *, without: set[str]
) -> set[int]:
    """Send something of every kind to every route by everybody; return what was answered."""
    answered: set[int] = set()
    places = asyncio.Semaphore(AT_ONCE)
    query = {"cb": MARK, "cursor": MARK, "s": MARK, "e": MARK}

    async def call(method: str, url: str, token: str | None, body: dict[str, Any]) -> None:
        headers = bearer(token) if token else {}
        async with places:
            answer = await client.request(
                method,
                url,
                params=query,
                **(body | {"headers": headers | body.get("headers", {})}),
            )
            answered.add(answer.status_code)

    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client, asyncio.TaskGroup() as calls:
        for name, service in stack.services.items():
            for method, path in routes_of(service):
                if method in without:
                    continue
                bodies = BODIES if method in {"POST", "PUT", "DELETE"} else [{}]
                for body, token in itertools.product(bodies[:1], tokens):
                    calls.create_task(call(method, urls[name] + path, token, body))
                for body in bodies[1:]:
                    calls.create_task(call(method, urls[name] + path, tokens[1], body))
    return answered
