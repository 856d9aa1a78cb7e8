"""What is wrong with a request is said of what was sent, not of how we look at it."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Body, FastAPI, Query
from pydantic import AfterValidator, BaseModel, Field, Strict

from libs.common.web import errors
from libs.common.web.texts import storable

Text = Annotated[str, Strict(), Field(max_length=10), AfterValidator(storable)]


class Coded(BaseModel):
    code: Text


class Nested(BaseModel):
    either: Text | int | Coded | None = None
    several: list[Text | Coded] = []


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    errors.install(app)

    @app.post("/either")
    async def either(asked: Annotated[Text | Coded, Body()]) -> str:
        return str(asked)

    @app.post("/nested")
    async def nested(
        asked: Nested, number: Annotated[Annotated[int, Strict()] | bool, Query()] = False
    ) -> str:
        return f"{asked} {number}"

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://test"
    ) as client:
        yield client


STRING, OBJECT = "Input should be a valid string", "Input should be a JSON object"


@pytest.mark.parametrize(
    ("path", "body", "found"),
    [
        ("/either", 5, [(["body"], STRING)]),
        ("/either", {}, [(["body"], STRING), (["body", "code"], "Field required")]),
        ("/either", {"code": 5}, [(["body"], STRING), (["body", "code"], STRING)]),
        ("/either", "x" * 11, [(["body"], "String should have at most 10 characters")]),
        ("/nested", {"either": []}, [(["body", "either"], STRING)]),
        ("/nested", {"either": {"code": 1}}, [(["body", "either", "code"], STRING)]),
        ("/nested", {"several": ["a", 1]}, [(["body", "several", 1], STRING)]),
        ("/nested?number=z", {}, [(["query", "number"], "Input should be a valid")]),
    ],
)
async def test_alternatives_are_told_as_one(
    client: httpx.AsyncClient, path: str, body: object, found: list[tuple[list[Any], str]]
) -> None:
    answer = await client.post(path, json=body)
    assert answer.status_code == 422
    told = {tuple(one["loc"]): one["msg"] for one in answer.json()["detail"]}
    assert len(told) == len(answer.json()["detail"]), "one sentence for each place"
    for at, message in found:
        assert message in told[tuple(at)]
    for internal in ("function-after", "constrained", "storable", "Coded", "["):
        for place in told:
            assert not any(internal in str(part) for part in place)
        assert internal not in "".join(told.values())


async def test_what_is_no_json_keeps_its_place(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/nested", content=b"{", headers={"Content-Type": "application/json"}
    )
    (problem,) = answer.json()["detail"]
    assert (problem["type"], problem["loc"]) == ("json_invalid", ["body", 1])
