"""What every answer tells browsers, and who may read metrics."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Response

from libs.common.resources import Resources
from libs.common.setting_files import WrongSettings
from libs.common.settings import CommonSettings
from libs.common.web.service_app import build_app
from tests.support.people import SECRET
from tests.support.settings import settings_of

router = APIRouter()


@router.get("/plain")
async def plain() -> int:
    return 1


@router.get("/kept")
async def kept() -> Response:
    return Response("x", headers={"Cache-Control": "private, max-age=60"})


@router.get("/api/media/signed")
async def signed() -> Response:
    return Response("x", headers={"Cache-Control": "private, max-age=60"})


@router.get("/own")
async def own() -> Response:
    return Response(
        "x",
        headers={
            "Content-Security-Policy": "default-src 'self'",
            "Cache-Control": "private, no-cache",
            "Vary": "Cookie, Authorization, Accept-Language",
        },
    )


@router.get("/surprise")
async def surprise() -> None:
    raise ZeroDivisionError


def application(settings: CommonSettings) -> FastAPI:
    """Nothing here needs what the lifespan opens."""

    @asynccontextmanager
    async def start(_: FastAPI, __: Resources) -> AsyncIterator[None]:
        yield

    return build_app(
        "test", settings=settings, resources=None, routers=[router], start=start, needs=()
    )


def settings(**values: Any) -> CommonSettings:
    return settings_of(CommonSettings, "postgresql://localhost/findme", **values)


def calling(
    *, base_url: str = "http://findme.test", came_from: str = "127.0.0.1", **values: Any
) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(
        application(settings(**values)), raise_app_exceptions=False, client=(came_from, 40_000)
    )
    return httpx.AsyncClient(transport=transport, base_url=base_url)


@pytest.mark.parametrize(
    ("path", "status"), [("/plain", 200), ("/nothing", 404), ("/surprise", 500), ("/plain/", 404)]
)
async def test_every_answer_has_them_also_to_what_nobody_expected(path: str, status: int) -> None:
    async with calling() as client:
        answer = await client.get(path)
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"]
    assert "location" not in answer.headers


async def test_what_a_browser_keeps_is_kept_for_one_caller_but_for_signed_addresses() -> None:
    async with calling() as client:
        assert (await client.get("/kept")).headers["vary"] == "Authorization, Cookie"
        assert "vary" not in (await client.get("/api/media/signed")).headers


async def test_what_a_route_says_of_itself_stays() -> None:
    async with calling() as client:
        headers = (await client.get("/own")).headers
    assert headers.get_list("content-security-policy") == ["default-src 'self'"]
    assert headers.get_list("cache-control") == ["private, no-cache"]
    assert headers.get_list("vary") == ["Cookie, Authorization, Accept-Language"]


async def test_browsers_that_came_by_tls_are_told_to_come_so_again_unless_not_wanted() -> None:
    name = "strict-transport-security"
    async with calling(base_url="https://findme.test") as client:
        assert (await client.get("/plain")).headers[name] == "max-age=31536000"
    async with calling(base_url="https://findme.test", hsts_seconds=0) as client:
        assert name not in (await client.get("/plain")).headers
    async with calling() as client:
        assert name not in (await client.get("/plain")).headers


async def status_of_metrics(token: str | None = None, **how: Any) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    async with calling(**how) as client:
        return (await client.get("/metrics", headers=headers)).status_code


async def test_metrics_are_told_to_this_machine_and_whom_the_settings_name() -> None:
    assert await status_of_metrics() == 200
    assert await status_of_metrics(came_from="::1") == 200
    assert await status_of_metrics(came_from="::ffff:127.0.0.1") == 200
    for stranger in ("192.0.2.7", "2001:db8::1", "not an address"):
        assert await status_of_metrics(came_from=stranger) == 403
    allowed = "10.0.0.0/8, 192.0.2.7"
    assert await status_of_metrics(came_from="192.0.2.7", metrics_allow_ips=allowed) == 200
    assert await status_of_metrics(came_from="10.9.9.9", metrics_allow_ips=allowed) == 200
    assert await status_of_metrics(came_from="127.0.0.1", metrics_allow_ips=allowed) == 403
    assert await status_of_metrics(metrics_allow_ips="") == 403
    assert await status_of_metrics(came_from="192.0.2.7", metrics_allow_ips="*") == 200


async def test_metrics_are_told_to_who_shows_the_token() -> None:
    how: dict[str, Any] = {"came_from": "192.0.2.7", "metrics_token": "a token for Prometheus"}
    assert await status_of_metrics("a token for Prometheus", **how) == 200
    assert await status_of_metrics("another", **how) == 403
    assert await status_of_metrics("", **how) == 403
    assert await status_of_metrics(None, **how) == 403
    assert await status_of_metrics("", came_from="192.0.2.7", metrics_token="") == 403


def test_a_network_that_is_none_is_refused_at_the_start() -> None:
    with pytest.raises(WrongSettings, match="must be \\* or addresses and networks"):
        CommonSettings(
            database_url="postgresql://localhost/findme",
            secret_key=SECRET,
            metrics_allow_ips="prometheus",
        )
