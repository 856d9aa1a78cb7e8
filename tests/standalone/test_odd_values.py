"""Values that no row, no clock and no character set has, at every place of every route."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from libs.common.web.auth import Role
from standalone.app import Gateway
from tests.support.people import Person
from tests.support.stack import Stack, running_stack

#: In an address, as it is sent.
ODD_WORDS = (
    "%00", "a%00b", "%ff", "%ED%A0%80", "%F0%9F%98%80", "%D9%A3", "-1", "0", "1.5", "1e-46",
    "1e309", "NaN", "9223372036854775808", "9" * 400, "x" * 3000, "..%2f..%2fetc", "%0a", "%",
    "9999-12-31", "0001-01-01", "9999-12-31T23:59:59-23:59", "10000-01-01", "null", "[]",
)  # fmt: skip
#: In a body, as JSON spells them or should not.
ODD_JSON = (
    "NaN", "Infinity", "-Infinity", "1e-46", "1e400", "-1", "0", "1.5", "9223372036854775808",
    "9" * 400, "true", "null", "[]", "{}", '""', '" "', '"a\\u0000b"', '"\\ud800"',
    '"\\udfff\\ud800"',
    '"\\u202e\\u200b"', '"9999-12-31T23:59:59Z"', '"9999-12-31T23:59:59-23:59"', '"0001-01-01"',
    '"0001-01-01T00:00:00+23:59"', '"' + "x" * 20_000 + '"', "[9223372036854775808]", "[NaN]",
    '["\\ud800"]', "[null]", '{"x": "\\ud800"}',
)  # fmt: skip
#: Whole bodies that are nothing.
ODD_BODIES = (
    b"", b"\xff\xfe", b"\x00", b"{", b'"', b"nul", b"[" * 50_000, b'{"a":' * 50_000,
    b"\xef\xbb\xbf{}", '{"username": "ü"}'.encode("utf-16"), b"1" * 10_000, b'"\\ud800"',
)  # fmt: skip
ODD_HEADERS: tuple[dict[str, bytes], ...] = (
    {"Authorization": b"Bearer \xff\x80"},
    {"Authorization": b"Bearer " + b"a." * 2000},
    {"Cookie": b"access_token=\xff; a=\x80"},
    {"Range": b"bytes=0-99999999999999999999999999,-1"},
    {"Range": b"bytes=\xff-"},
    {"If-None-Match": b"W/\xff"},
    {"If-Modified-Since": b"Fri, 31 Dec 99999 23:59:59 GMT"},
    {"Accept-Language": b"\xff;q=NaN, en;q=1e400"},
    {"X-Request-ID": b"\xff\n"[:1] * 300},
    {"Traceparent": b"00-\xff-01"},
    {"Content-Type": b"application/json; charset=\xff"},
    {"Content-Type": b"multipart/form-data; boundary="},
)
AT_ONCE = 8
FINE, FORBIDDEN, OUR_FAULT = 200, 403, 500
ACCOUNT = ("username", "email", "password")
#: Of a request that is never answered, as a stream is, if one was begun.
_ENDLESS_SECONDS = 10.0


@dataclass(frozen=True)
class Call:
    """One request, and what is odd about it."""

    method: str
    path: str
    odd: str
    content: bytes | None = None
    headers: dict[str, bytes] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path[:120]} with {self.odd[:80]}"


def routes_of(services: Mapping[str, FastAPI]) -> list[APIRoute]:
    return [
        route
        for app in services.values()
        for route in app.routes
        if isinstance(route, APIRoute) and route.path.startswith("/api/")
    ]


def filled(route: APIRoute, **odd: str) -> str:
    """The route's address with plausible values, but for the odd ones."""

    def value(match: re.Match[str]) -> str:
        return odd.get(match[1], "1")

    return re.sub(r"\{(\w+)(?::\w+)?\}", value, route.path)


def fields_of(route: APIRoute) -> Iterator[str]:
    """Names of the fields of the route's JSON body, those of fields included."""
    for param in route.dependant.body_params:
        names: set[str] = set()
        pending: list[Any] = [param.field_info.annotation]
        while pending:
            kind = pending.pop()
            pending += [*getattr(kind, "__args__", ())]
            for name, info in getattr(kind, "model_fields", {}).items():
                if name not in names:
                    names.add(name)
                    pending.append(info.annotation)
        yield from sorted(names)


JSON = {"Content-Type": b"application/json"}
#: Plausible values of fields, by name; where there is none, a text.
PLAUSIBLE = {
    "event_id": "1", "photographer_id": "1", "user_id": "1", "photo_ids": "[1]", "value": "85",
    "show_in_general": "true", "is_active": "true", "listening": "true", "date": "null",
    "email": '"zoe@example.org"', "password": '"Correct-Horse-7"', "user_data": "{}",
}  # fmt: skip


def body_with(names: list[str], odd_name: str, odd: str) -> bytes:
    """A JSON object with plausible values, but for the odd one."""
    own = {name: odd if name == odd_name else PLAUSIBLE.get(name, '"PARTY7"') for name in names}
    if own.get("user_data") == "{}":
        # Registration has the account one level below.
        own["user_data"] = object_of({name: own.pop(name) for name in ACCOUNT if name in own})
    return object_of(own).encode()


def object_of(fields: dict[str, str]) -> str:
    return "{" + ", ".join(f'"{name}": {value}' for name, value in fields.items()) + "}"


def calls_of(route: APIRoute) -> Iterator[Call]:
    for method in sorted((route.methods or set()) - {"HEAD"}):
        yield from odd_addresses(route, method)
        yield from odd_bodies(route, method)
        if method == "GET" and not route.path.endswith("/stream"):
            for headers in ODD_HEADERS:
                yield Call(method, filled(route), str(headers), None, headers)


def odd_addresses(route: APIRoute, method: str) -> Iterator[Call]:
    for param in route.dependant.path_params:
        for word in ODD_WORDS:
            path = filled(route, **{param.alias: word})
            yield Call(method, path, f"{param.alias}={word}", b"{}", JSON)
    for name in query_names(route):
        for word in ODD_WORDS:
            path = f"{filled(route)}?{quote(name)}={word}"
            yield Call(method, path, f"{name}={word}")


def odd_bodies(route: APIRoute, method: str) -> Iterator[Call]:
    names = [*fields_of(route)]
    for name in names:
        for odd in ODD_JSON:
            body = body_with(names, name, odd)
            yield Call(method, filled(route), f"{name}: {odd}", body, JSON)
    if route.dependant.body_params:
        for whole in (*ODD_BODIES, *map(str.encode, ODD_JSON)):
            yield Call(method, filled(route), repr(whole[:40]), whole, JSON)


def query_names(route: APIRoute) -> list[str]:
    names = []
    pending = [route.dependant]
    while pending:
        dependant = pending.pop()
        names += [param.alias for param in dependant.query_params]
        pending += dependant.dependencies
    return names


@pytest.fixture
async def stack(database_url: str, tmp_path: Any) -> AsyncIterator[Stack]:
    async with running_stack(database_url, photo_store_dir=tmp_path / "objects") as stack:
        yield stack


async def status_of(client: httpx.AsyncClient, call: Call, person: Person | None) -> int:
    headers: dict[str, Any] = dict(call.headers)
    if person is not None and "Authorization" not in headers:
        headers |= person.headers
    request = client.build_request(call.method, call.path, content=call.content, headers=headers)
    request.url = request.url.copy_with(raw_path=call.path.encode())
    try:
        async with asyncio.timeout(_ENDLESS_SECONDS):
            answer = await client.send(request)
    except TimeoutError:
        return 0
    return answer.status_code


async def caller_of(client: httpx.AsyncClient, route: APIRoute, stack: Stack) -> Person | None:
    """Whoever may call the route, made for it alone: some routes end what they were called by."""
    method = min(route.methods or set())
    for role in (Role.ADMIN, Role.PHOTOGRAPHER, Role.PARTICIPANT):
        person = await stack.world.person(role)
        # With an id that nothing has, so that nothing is changed, nor a stream begun.
        path = re.sub(r"\{(\w+)(?::\w+)?\}", "999999999", route.path)
        call = Call(method, path, "nothing", b"{}", JSON)
        if await status_of(client, call, person) != FORBIDDEN:
            return await stack.world.person(role)
    return None


async def test_no_odd_value_is_our_fault(stack: Stack) -> None:
    routes = routes_of(stack.services)
    assert len(routes) > 80
    photographer = await stack.world.person(Role.PHOTOGRAPHER)
    await stack.world.event(photographer, code="PARTY7")
    transport = httpx.ASGITransport(Gateway(stack.services), raise_app_exceptions=False)
    gate = asyncio.Semaphore(AT_ONCE)
    statuses: Counter[int] = Counter()
    wrong: list[str] = []

    async def in_turn(route: APIRoute) -> None:
        async with gate:
            person = await caller_of(client, route, stack)
            for call in calls_of(route):
                status = await status_of(client, call, person)
                statuses[status] += 1
                if not FINE <= status < OUR_FAULT:
                    wrong.append(f"{status}: {call}")

    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        await asyncio.gather(*map(in_turn, routes))
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:60])
    # It is the routes that were reached, not their guards.
    assert statuses[422] > 1000
    assert statuses[FORBIDDEN] + statuses[401] < sum(statuses.values()) / 5, statuses
