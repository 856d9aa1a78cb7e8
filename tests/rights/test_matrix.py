"""Every route of all services, called by everybody there can be: who may, and who may not."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Route

from libs.common import tasks
from libs.common.web.at_once import AnswersAtOnce
from services.gallery.browser_app.pages_route import PagesRoute
from tests.rights.rules import RULES, About, Rule, Viewer
from tests.rights.scene import Scene, Scenes
from tests.support.all_services import AllServices, running_services
from tests.support.at_once import at_hand
from tests.support.scripted_engine import ScriptedEngine

CALLS_AT_ONCE = 16


@pytest.fixture
async def services(database_url: str, tmp_path: Path) -> AsyncIterator[AllServices]:
    async with running_services(database_url, tmp_path / "objects", ScriptedEngine) as services:
        yield services


def routes(app: FastAPI) -> set[tuple[str, str]]:
    """Methods and paths, the names of their parts left out."""
    found = set()
    for route in app.routes:
        if isinstance(route, PagesRoute):
            continue  # Built files, which are for everybody.
        assert isinstance(route, APIRoute | Route), f"{route} has no methods to have rules for"
        found |= {(method, shape(route.path)) for method in route.methods or ()}
    return found


def shape(path: str) -> str:
    """The path with its parts' names left out."""
    return re.sub(r"\{[^}]+\}", "{}", path)


async def test_every_route_answers_everybody_by_its_rule(services: AllServices) -> None:
    scenes = Scenes(services.resources.database, services.resources.store)
    scene = await scenes.scene()
    places = asyncio.Semaphore(CALLS_AT_ONCE)
    wrong: list[str] = []

    async def check(rule: Rule, viewer: Viewer, on: Scene) -> None:
        async with places:
            status = await answered(services, rule, viewer, on)
        expected = rule.expected(viewer)
        if status not in expected:
            wanted = " or ".join(map(str, expected))
            wrong.append(f"{rule.method} {rule.path} by {viewer}: {status}, not {wanted}")

    harmless: list[tuple[Rule, Viewer]] = []
    harmful: list[tuple[Rule, Viewer]] = []
    for rule in RULES:
        for viewer in Viewer:
            is_refused = rule.expected(viewer) != rule.ok
            (harmless if is_refused or not rule.harms else harmful).append((rule, viewer))
    before = await scenes.photos_there()
    await asyncio.gather(*(check(rule, viewer, scene) for rule, viewer in harmless))
    assert not wrong, "\n".join(sorted(wrong))
    assert await scenes.photos_there() == before

    async def check_apart(rule: Rule, viewer: Viewer) -> None:
        async with places:
            on = await scenes.scene()
        await check(rule, viewer, on)

    await asyncio.gather(*(check_apart(rule, viewer) for rule, viewer in harmful))
    assert not wrong, "\n".join(sorted(wrong))


async def test_no_route_is_without_a_rule_and_no_rule_without_a_route(
    services: AllServices,
) -> None:
    served: set[tuple[str, str]] = set().union(*(routes(app) for app in services.apps))
    ruled = {(rule.method, shape(rule.path)) for rule in RULES}
    assert served - ruled == set(), "add a line to tests/rights/rules.py"
    assert ruled - served == set(), "take the line out of tests/rights/rules.py"
    assert len(RULES) == len(ruled)


async def answered(services: AllServices, rule: Rule, viewer: Viewer, scene: Scene) -> int:
    """Return the status; of a stream, which goes on, the one that it begins with.

    Whoever comes again is answered by what is at hand by then, if anything is.
    """
    path, request = scene.fill(rule, viewer)
    if rule.about is About.SERVICES or path.startswith("/api/docs/recognition"):
        # Not to be reached from outside, whatever it would answer.
        asked = (app for app in services.apps if (rule.method, shape(rule.path)) in routes(app))
        return await status_of(next(asked), rule.method, path, request)
    if rule.streams:
        return await status_of(services.gateway, rule.method, path, request)
    status = (await services.client.request(rule.method, path, **request)).status_code
    assert isinstance(services.gateway, AnswersAtOnce)
    again = at_hand(services.gateway, path, request.get("headers", {}), method=rule.method)
    return status if again is None else again[0]


async def status_of(app: Any, method: str, path: str, request: dict[str, Any]) -> int:
    """Call the application for the head of its answer alone."""
    begun: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    headers = [(k.lower().encode(), v.encode()) for k, v in request.get("headers", {}).items()]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "asgi": {"version": "3.0"},
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(b"host", b"test"), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
    }
    sent = False

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if sent:
            await asyncio.Event().wait()
        sent = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start" and not begun.done():
            begun.set_result(message["status"])

    call = asyncio.create_task(app(scope, receive, send))
    try:
        await asyncio.wait({call, begun}, return_when=asyncio.FIRST_COMPLETED)
        return begun.result()
    finally:
        await tasks.end(call)


@pytest.mark.parametrize(
    ("change", "viewer", "status"),
    [
        ({}, Viewer.GUEST, 404),
        ({}, Viewer.MATCHED, 200),
        ({}, Viewer.ENDED_GUEST, 410),
        ({"about": About.EVENT}, Viewer.GUEST, 200),
        ({"about": About.EVENT, "stranger": 403}, Viewer.ELSEWHERE, 403),
        ({"closes": True}, Viewer.ENDED_OWNER, 410),
        ({"roles": frozenset()}, Viewer.ADMIN, 403),
        ({}, Viewer.DELETED, 401),
    ],
)
def test_a_rule_says_what_is_expected(change: dict[str, Any], viewer: Viewer, status: int) -> None:
    rule = next(rule for rule in RULES if rule.path == "/api/photo/{photo_id}")
    assert replace(rule, **change).expected(viewer) == (status,)
