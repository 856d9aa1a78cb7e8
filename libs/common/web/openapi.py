"""What the OpenAPI documents say beyond FastAPI's own: errors, who may call, bytes and streams.

What follows from how a route is made is not repeated at each one: errors of authentication come
with the dependency that asks who calls, and those of a body with the body.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeVar

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute

VERSION: Final = "1.0"
_REF = "#/components/schemas/{model}"

#: As FastAPI takes them: a route's `responses`.
Responses = dict[int | str, dict[str, Any]]
#: A JSON object of the document.
Node = dict[str, Any]
DependencyT = TypeVar("DependencyT", bound=Callable[..., object])


class Problem(BaseModel):
    """What is wrong, and what to do about it."""

    detail: str = Field(examples=["Photo not found"])


class InvalidField(BaseModel):
    """One part of a request that is not as it should be."""

    type: str = Field(examples=["missing"])
    loc: list[str | int] = Field(examples=[["body", "event_code"]])
    msg: str = Field(examples=["Field required"])


class InvalidRequest(BaseModel):
    """All parts of a request that are not as they should be."""

    detail: list[InvalidField]


@dataclass(frozen=True, slots=True)
class SecurityScheme:
    """One way to say who calls."""

    name: str
    definition: Node


BEARER: Final = SecurityScheme(
    "bearer",
    {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The `access_token` that `POST /api/login` answers.",
    },
)
COOKIE: Final = SecurityScheme(
    "cookie",
    {
        "type": "apiKey",
        "in": "cookie",
        "name": "access_token",
        "description": (
            "The same token as a cookie, set at the login, so that images load; by TLS its name is"
            " `__Host-access_token`. It changes something only for pages of the same origin."
        ),
    },
)
API_KEY: Final = SecurityScheme(
    "api_key",
    {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "A key for watchers and tools; it may be revoked at any time.",
    },
)
_SCHEMES: Final = (BEARER, COOKIE, API_KEY)

_PROBLEMS: Final = {
    400: "What was sent cannot be used; the sentence says why.",
    401: "Nobody is logged in, or not any more. Log in again.",
    403: "The caller is known, but may not do this.",
    404: "There is no such thing, or the caller may not know of it.",
    409: "It contradicts the present state.",
    410: "The event is over.",
    412: "Another version of the protocol is spoken.",
    413: "What was sent is too large.",
    415: "The body is of a type that is not taken here.",
    422: "The request is not of the form that is described here.",
    423: "Another request has it; `Retry-After` says when to try again.",
    429: "Too many requests; `Retry-After` says when to try again.",
    503: "It cannot be done at this moment; `Retry-After` says when to try again.",
    507: "The photo store has no room; what arrived before is safe.",
}
_RETRY_AFTER: Final = {
    "Retry-After": {
        "description": "Seconds to wait before trying again.",
        "schema": {"type": "integer", "minimum": 0},
    }
}
_HEADERS: Final = {
    401: {
        "WWW-Authenticate": {
            "description": "How to log in.",
            "schema": {"type": "string", "examples": ["Bearer"]},
        }
    },
    423: _RETRY_AFTER,
    429: _RETRY_AFTER,
    503: _RETRY_AFTER,
    507: _RETRY_AFTER,
}


@dataclass(frozen=True, slots=True)
class _Declared:
    statuses: tuple[int, ...]
    security: tuple[SecurityScheme, ...]


#: Parts of a path that name an event, or what belongs to one: it may be over.
_OF_AN_EVENT: Final = {"event_id", "photo_id"}

#: What dependencies add to the routes that have them.
_DECLARED: dict[Callable[..., object], _Declared] = {}


def declares(
    *statuses: int, security: Sequence[SecurityScheme] = ()
) -> Callable[[DependencyT], DependencyT]:
    """Mark a dependency: routes with it answer these errors, and ask for one of these schemes."""

    def mark(dependency: DependencyT) -> DependencyT:
        _DECLARED[dependency] = _Declared(statuses, tuple(security))
        return dependency

    return mark


def problems(*statuses: int) -> Responses:
    """Return `responses` of a route that answers these errors in the contract's form.

    401, 403, 410, 413, 422 and 503 are added where a route is made so that they occur.
    """
    return {status: _problem(status) for status in statuses}


def binary(*media_types: str, description: str, status: int = 200) -> Responses:
    """Return `responses` of a route that answers bytes; give it `response_class=Response`."""
    schema = {"type": "string", "format": "binary"}
    return {
        status: {
            "description": description,
            "content": {media_type: {"schema": dict(schema)} for media_type in media_types},
        }
    }


def event_stream(description: str, *, example: str) -> Responses:
    """Return `responses` of a route that answers Server-Sent Events."""
    content = {"text/event-stream": {"schema": {"type": "string"}, "example": example}}
    return {200: {"description": description, "content": content}}


def document(routes: Sequence[BaseRoute], *, title: str, description: str = "") -> Node:
    """Return the OpenAPI document of the routes."""
    found = get_openapi(title=title, version=VERSION, description=description, routes=routes)
    for route, operation in _operations(routes, found["paths"]):
        _complete(operation, route)
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    # FastAPI's own form of a 422, which ours replaces.
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    models = models_json_schema(
        [(Problem, "serialization"), (InvalidRequest, "serialization")], ref_template=_REF
    )[1]["$defs"]
    found["components"]["schemas"] = dict(sorted((schemas | models).items()))
    found["components"]["securitySchemes"] = {
        scheme.name: scheme.definition for scheme in _SCHEMES if _is_used(scheme, found)
    }
    found["components"]["responses"] = _shared(found["paths"])
    return found


class DocumentedApp(FastAPI):
    """An application whose document is complete."""

    def openapi(self) -> Node:
        """Return the document, made once."""
        if not self.openapi_schema:
            self.openapi_schema = document(self.routes, title=self.title)
        return self.openapi_schema


def schemes_of(route: APIRoute) -> tuple[SecurityScheme, ...]:
    """Return the ways in which the route's caller may say who they are; none for anybody."""
    return next((found.security for found in _declared(route.dependant) if found.security), ())


def _operations(
    routes: Sequence[BaseRoute], paths: dict[str, Node]
) -> Iterator[tuple[APIRoute, Node]]:
    for route in routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                yield route, paths[route.path_format][method.lower()]


def _complete(operation: Node, route: APIRoute) -> None:
    operation["operationId"] = route.operation_id or route.name
    if route.summary is None:
        operation["summary"] = route.name.replace("_", " ").capitalize()
    schemes = schemes_of(route)
    if schemes:
        operation["security"] = [{scheme.name: []} for scheme in schemes]
    responses = operation["responses"]
    for status in _statuses(operation, route):
        responses.setdefault(str(status), _problem(status))
    if "422" in responses:
        responses["422"] = _problem(422)
    operation["responses"] = dict(sorted(responses.items()))


def _statuses(operation: Node, route: APIRoute) -> set[int]:
    """Return the errors that follow from how the route is made."""
    statuses = {503}  # everything needs the database, or the photo store
    if schemes_of(route):
        statuses |= {401, 403}
    if "requestBody" in operation:
        statuses |= {400, 413}
    if _OF_AN_EVENT & {parameter.name for parameter in route.dependant.path_params}:
        statuses.add(410)
    for found in _declared(route.dependant):
        statuses.update(found.statuses)
    return statuses


def _declared(dependant: Dependant) -> Iterator[_Declared]:
    """Yield what the dependencies declare; one that does speaks for those below it."""
    for dependency in dependant.dependencies:
        found = _DECLARED.get(dependency.call) if dependency.call is not None else None
        if found is not None:
            yield found
        else:
            yield from _declared(dependency)


def _problem(status: int) -> Node:
    model = InvalidRequest if status == 422 else Problem
    answer: Node = {
        "description": _PROBLEMS[status],
        "content": {"application/json": {"schema": {"$ref": _ref(model)}}},
    }
    if status in _HEADERS:
        answer["headers"] = _HEADERS[status]
    return answer


def _shared(paths: dict[str, Node]) -> dict[str, Node]:
    """Replace the errors, which are the same everywhere, by references; return them by name."""
    shared: dict[str, Node] = {}
    for operation in (operation for path in paths.values() for operation in path.values()):
        for status, answer in operation["responses"].items():
            if int(status) in _PROBLEMS and answer == _problem(int(status)):
                name = HTTPStatus(int(status)).name.title().replace("_", "")
                shared[name] = answer
                operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
    return dict(sorted(shared.items()))


def _ref(model: type[BaseModel]) -> str:
    return _REF.format(model=model.__name__)


def _is_used(scheme: SecurityScheme, found: Node) -> bool:
    return any(
        scheme.name in requirement
        for path in found["paths"].values()
        for operation in path.values()
        for requirement in operation.get("security", ())
    )
