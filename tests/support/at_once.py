"""What an application has at hand for a request, beside what it answers by ASGI."""

import re
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlsplit

import httpx
from starlette.types import Receive, Scope, Send

from libs.common.web.at_once import AnswersAtOnce, WrittenAnswer

#: What is known for a second may have ended between an answer and the look at what is at hand.
ATTEMPTS = 3


class App(Protocol):
    """An application that is asked both ways."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...
    def at_once(self, scope: Scope) -> WrittenAnswer | None: ...


#: Status, header fields without the request's id, and body.
Seen = tuple[int, dict[str, str], bytes]


def at_hand(
    app: AnswersAtOnce, address: str, headers: Mapping[str, str], *, method: str = "GET"
) -> Seen | None:
    """Return what the application has at hand; None where it leaves the request to ASGI."""
    url = urlsplit(address)
    found = app.at_once(
        {
            "type": "http",
            "method": method,
            "scheme": "http",
            "path": url.path,
            "query_string": url.query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }
    )
    if found is None:
        return None
    status, *fields = found.head.decode("latin-1").removesuffix("\r\n").split("\r\n")
    told = httpx.Headers(
        [(name, value) for name, _, value in (one.partition(": ") for one in fields)]
    )
    return _seen(int(status.split()[1]), told, bytes(found.body))


async def by_asgi(
    app: App, address: str, headers: Mapping[str, str], *, method: str = "GET"
) -> Seen:
    """Return what the application answers."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        # Nothing that httpx would say by itself.
        client.headers.clear()
        answer = await client.send(
            client.build_request(method, address, headers=headers), stream=True
        )
        body = b"".join([piece async for piece in answer.aiter_raw()])
    return _seen(answer.status_code, answer.headers, body)


async def assert_at_hand(
    app: App, address: str, headers: Mapping[str, str], *, method: str = "GET"
) -> Seen:
    """Have what is at hand be there, and be what ASGI answers; return it."""
    for _ in range(ATTEMPTS):
        answered = await by_asgi(app, address, headers, method=method)
        found = at_hand(app, address, headers, method=method)
        if found is not None:
            break
    where = f"{method} {address} with {dict(headers)}"
    assert found is not None, where
    age, age_by_asgi = (_age_taken_out(seen) for seen in (found, answered))
    assert found == answered, where
    # A second may have begun in between.
    assert 0 <= age_by_asgi - age <= 1, where
    return answered


def _age_taken_out(seen: Seen) -> int:
    """Return the seconds for which the answer may be kept, and take them out of it."""
    caching = seen[1].get("cache-control", "")
    if (told := re.search(r"max-age=(\d+)", caching)) is None:
        return 0
    seen[1]["cache-control"] = caching.replace(told[0], "max-age")
    return int(told[1])


def _seen(status: int, headers: httpx.Headers, body: bytes) -> Seen:
    told = dict(headers)
    assert len(told) == len(headers.multi_items())
    assert len(told.pop("x-request-id")) == 32
    return status, told, body
