"""What a service's document says of a route, beside its answer."""

from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from libs.common.web.auth import Admin, CurrentPrincipal
from libs.common.web.openapi import (
    API_KEY,
    BEARER,
    Node,
    binary,
    declares,
    document,
    event_stream,
    problems,
)


class Wish(BaseModel):
    text: str


@declares(429)
async def limited() -> None: ...


@declares(security=(BEARER, API_KEY))
async def by_key(_: CurrentPrincipal) -> None: ...


router = APIRouter()


@router.get("/open-door")
async def open_door() -> int:
    return 1


@router.get("/things/{number}", responses=problems(404))
async def read_thing(number: int, _: CurrentPrincipal) -> Wish:
    return Wish(text=str(number))


@router.post("/wishes", dependencies=[Depends(limited)])
async def make_wish(wish: Wish, _: Admin) -> Wish:
    return wish


@router.post("/uploads")
async def upload(_: Annotated[None, Depends(by_key)]) -> None: ...


@router.get(
    "/picture",
    response_class=Response,
    responses=binary("image/png", description="A picture.") | problems(404),
)
async def picture() -> Response:
    return Response(b"")


@router.get(
    "/stream",
    response_class=Response,
    responses=event_stream("What happens.", example="data: 1\n\n"),
)
async def stream() -> Response:
    return Response(b"")


@pytest.fixture(scope="module")
def found() -> Node:
    return document(router.routes, title="Test")


def operation(found: Node, method: str, path: str) -> Node:
    operation: Node = found["paths"][path][method]
    return operation


def answer(found: Node, operation: Node, status: str) -> Node:
    name = operation["responses"][status]["$ref"].removeprefix("#/components/responses/")
    answer: Node = found["components"]["responses"][name]
    return answer


def schema(answer: Node) -> object:
    return answer["content"]["application/json"]["schema"]


def test_a_route_that_asks_who_calls_names_the_schemes_and_their_errors(found: Node) -> None:
    asked = operation(found, "get", "/things/{number}")
    assert asked["security"] == [{"bearer": []}, {"cookie": []}]
    assert set(asked["responses"]) == {"200", "401", "403", "404", "422", "503"}
    assert schema(answer(found, asked, "401")) == {"$ref": "#/components/schemas/Problem"}
    assert "WWW-Authenticate" in answer(found, asked, "401")["headers"]
    assert "Retry-After" in answer(found, asked, "503")["headers"]
    assert schema(answer(found, asked, "422")) == {"$ref": "#/components/schemas/InvalidRequest"}


def test_a_route_for_anybody_names_no_scheme(found: Node) -> None:
    asked = operation(found, "get", "/open-door")
    assert "security" not in asked
    assert set(asked["responses"]) == {"200", "503"}


def test_a_body_brings_its_errors_and_a_dependency_those_that_it_declares(found: Node) -> None:
    responses = operation(found, "post", "/wishes")["responses"]
    assert set(responses) == {"200", "400", "401", "403", "413", "422", "429", "503"}


def test_a_dependency_that_declares_speaks_for_those_below_it(found: Node) -> None:
    assert operation(found, "post", "/uploads")["security"] == [{"bearer": []}, {"api_key": []}]
    assert set(found["components"]["securitySchemes"]) == {"bearer", "cookie", "api_key"}


def test_bytes_and_streams_have_their_media_types_and_errors_are_json_still(found: Node) -> None:
    asked = operation(found, "get", "/picture")
    assert list(asked["responses"]["200"]["content"]) == ["image/png"]
    assert list(answer(found, asked, "404")["content"]) == ["application/json"]
    content = operation(found, "get", "/stream")["responses"]["200"]["content"]
    assert list(content) == ["text/event-stream"]


def test_operations_are_named_as_their_functions(found: Node) -> None:
    assert operation(found, "get", "/things/{number}")["operationId"] == "read_thing"
    assert operation(found, "get", "/things/{number}")["summary"] == "Read thing"


def test_every_schema_that_is_named_is_there(found: Node) -> None:
    assert set(found["components"]["schemas"]) == {
        "InvalidField",
        "InvalidRequest",
        "Problem",
        "Wish",
    }
