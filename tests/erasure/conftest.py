from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from libs.common.web.auth import Role
from tests.erasure.party import Party
from tests.support.all_services import running_services
from tests.support.rekognition.picture_engine import PictureEngine
from tests.support.rekognition_server import running_rekognition
from tests.support.rows import Rows
from tests.support.traces import spread_ids


@pytest.fixture(params=["embedded", "rekognition"])
async def party(
    request: pytest.FixtureRequest,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Party]:
    """The four services, with faces by an engine of ours or by a Rekognition server."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "findme")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "findme-secret")
    async with AsyncExitStack() as stack:
        server = None
        options: dict[str, Any] = {"face_recognizer_provider": request.param}
        if request.param == "rekognition":
            server = await stack.enter_async_context(running_rekognition())
            options |= {"rekognition_endpoint_url": server.url, "rekognition_batch_seconds": 0.5}
        services = await stack.enter_async_context(
            running_services(database_url, tmp_path / "objects", PictureEngine, **options)
        )
        database = services.resources.database
        await spread_ids(database)
        rows = Rows(database)
        yield Party(
            database,
            services,
            server,
            admin=await rows.person(Role.ADMIN),
            photographer=await rows.person(Role.PHOTOGRAPHER),
        )
