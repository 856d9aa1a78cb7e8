"""What browsers keep of a login, and what a cookie alone is enough for."""

import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi.routing import APIRoute
from pwdlib.hashers.argon2 import Argon2Hasher

from libs.common.database.tables import memberships
from libs.common.web.auth import Role
from libs.common.web.session_cookie import SECURE_TOKEN_COOKIE, TOKEN_COOKIE
from services.gallery.app import ROUTERS
from services.gallery.settings import GallerySettings
from tests.gallery.world import World
from tests.support.people import Person

PASSWORD = "Secret-Marmalade 12"
HASH = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


@contextlib.asynccontextmanager
async def browser(world: World, base_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Keeps cookies as a browser does, and goes to that address."""
    transport = httpx.ASGITransport(world.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=base_url) as client:
        yield client


async def log_in(client: httpx.AsyncClient, person: Person) -> httpx.Response:
    answer = await client.post("/api/login", json={"username": person.name, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return answer


def set_mode(world: World, mode: str) -> None:
    settings: GallerySettings = world.app.state.settings
    world.app.state.settings = settings.model_copy(update={"secure_cookies": mode})


@pytest.mark.parametrize(
    ("mode", "scheme", "name"),
    [
        ("auto", "https", SECURE_TOKEN_COOKIE),
        ("auto", "http", TOKEN_COOKIE),
        ("always", "http", SECURE_TOKEN_COOKIE),
        ("never", "https", TOKEN_COOKIE),
    ],
)
async def test_a_login_that_came_by_tls_is_sent_by_tls_alone_and_to_this_host_alone(
    world: World, mode: str, scheme: str, name: str
) -> None:
    set_mode(world, mode)
    person = await world.person(password_hash=HASH)
    async with browser(world, f"{scheme}://findme.example") as client:
        cookie = (await log_in(client, person)).headers["set-cookie"]
    pair, *attributes = cookie.split("; ")
    assert pair.startswith(f"{name}=")
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(attributes)
    assert ("Secure" in attributes) is (name == SECURE_TOKEN_COOKIE)
    assert not any(attribute.startswith("Domain") for attribute in attributes)


async def test_by_tls_a_cookie_that_another_host_could_set_is_not_looked_at(world: World) -> None:
    person = await world.person()
    async with browser(world, "https://findme.example") as client:
        for name, status in ((TOKEN_COOKIE, 401), (SECURE_TOKEN_COOKIE, 200)):
            answer = await client.get("/api/me", headers={"Cookie": f"{name}={person.token}"})
            assert answer.status_code == status


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_logging_out_takes_the_cookie_away(world: World, scheme: str) -> None:
    person = await world.person(password_hash=HASH)
    async with browser(world, f"{scheme}://findme.example") as client:
        await log_in(client, person)
        assert (await client.get("/api/me")).status_code == 200
        answer = await client.post("/api/logout", headers={"Sec-Fetch-Site": "same-origin"})
        assert answer.status_code == 200, answer.text
        assert not client.cookies
        assert (await client.get("/api/me")).status_code == 401


OURS = {"Sec-Fetch-Site": "same-origin"}
OURS_WITHOUT_TLS = {"Origin": "http://findme.example"}
OTHERS: tuple[dict[str, str], ...] = (
    {},
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.example"},
)


async def test_a_cookie_alone_changes_nothing(world: World) -> None:
    event_id = await world.event(code="GALA2026")
    person = await world.person()
    async with browser(world, "http://findme.example") as client:
        client.cookies.set(TOKEN_COOKIE, person.token, domain="findme.example")
        for headers in OTHERS:
            assert (await client.get("/api/me", headers=headers)).status_code == 200
            answer = await client.post("/api/join-event", json="GALA2026", headers=headers)
            assert answer.status_code == 403
            assert "bearer token" in answer.json()["detail"]
            assert (await client.delete("/api/me", headers=headers)).status_code == 403
        assert await world.rows(memberships) == []
        answer = await client.post("/api/join-event", json="GALA2026", headers=OURS)
        assert answer.status_code == 200
        assert [row["event_id"] for row in await world.rows(memberships)] == [event_id]
        answer = await client.post("/api/join-event", json="GALA2026", headers=OURS_WITHOUT_TLS)
        assert answer.status_code == 400
        assert "already" in answer.json()["detail"]


async def test_a_bearer_token_is_enough_wherever_it_comes_from(world: World) -> None:
    await world.event(code="GALA2026")
    person = await world.person()
    answer = await world.client.post(
        "/api/join-event",
        json="GALA2026",
        headers=person.headers | {"Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 200


async def test_what_a_form_of_any_website_can_send_is_no_json(world: World) -> None:
    """Without a preflight: a simple request (Fetch, section 2.2.2) has one of these types."""
    await world.event(code="GALA2026")
    people = [await world.person(role) for role in Role]
    tried = set()
    for route in [route for router in ROUTERS for route in router.routes]:
        if not isinstance(route, APIRoute) or route.body_field is None:
            continue
        path = route.path.replace("{session_id}", "0" * 32)
        while "{" in path:
            path = path.partition("{")[0] + "1" + path.partition("}")[2]
        for method in route.methods or ():
            tried.add(path)
            for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
                for content in (b'"GALA2026"', b"GALA2026", b'{"event_code": "GALA2026"}'):
                    for person in people:
                        answer = await world.client.request(
                            method,
                            path,
                            content=content,
                            headers=person.headers | {"Content-Type": kind},
                        )
                        context = f"{method} {path} as {kind}: {answer.text}"
                        assert answer.status_code in (400, 403, 404, 422), context
    assert {"/api/join-event", "/api/login", "/api/photos/bulk/show-in-general"} <= tried
    assert await world.rows(memberships) == []
