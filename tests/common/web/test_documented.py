"""Tests fail where an answer is not as it is documented."""

from typing import Any

import pytest
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from libs.common.errors import Conflict, NotFound
from libs.common.web import errors
from libs.common.web.openapi import DocumentedApp, problems
from tests.support.http_server import calling


class Wish(BaseModel):
    text: str


router = APIRouter()
ANSWERS: dict[str, Any] = {
    "right": JSONResponse({"text": "snow"}),
    "empty": JSONResponse({}),
    "more": JSONResponse({"text": "snow", "price": 3}),
    "text": Response("snow", media_type="text/plain"),
    "missing": NotFound("Wish", 1),
    "conflict": Conflict("It is summer."),
}


@router.get("/wishes/{kind}", response_model=Wish, responses=problems(404))
async def read_wish(kind: str) -> Response:
    answer = ANSWERS[kind]
    if isinstance(answer, Exception):
        raise answer
    assert isinstance(answer, Response)
    return answer


@pytest.fixture
def app() -> DocumentedApp:
    app = DocumentedApp()
    errors.install(app)
    app.router.routes.extend(router.routes)
    return app


@pytest.mark.parametrize("kind", ["right", "missing"])
async def test_what_is_documented_passes(app: DocumentedApp, kind: str) -> None:
    async with calling(app) as client:
        await client.get(f"/wishes/{kind}")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("empty", "'text' is a required property"),
        ("more", "'price' was unexpected"),
        ("text", "documented as"),
        ("conflict", "409 is not documented"),
    ],
)
async def test_what_is_not_documented_fails(app: DocumentedApp, kind: str, reason: str) -> None:
    async with calling(app) as client:
        with pytest.raises(AssertionError, match=reason):
            await client.get(f"/wishes/{kind}")
