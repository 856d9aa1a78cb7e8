"""Calls an application without a socket, and holds each answer against the OpenAPI document."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from fastapi import FastAPI
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from libs.common.web.openapi import Node, document

#: Of a long list these many entries are looked at: one is like the other.
ENTRIES = 20
#: Answered by what is around the routes, to what nobody documents: a surprise, a wrong method.
UNSAID = {405, 500}

#: Made once for the same routes, which are kept so that their ids are not another's.
_known: dict[tuple[int, ...], "Documented"] = {}


@dataclass(frozen=True)
class Documented:
    """The routes, and what their document says."""

    routes: list[APIRoute]
    document: Node

    @classmethod
    def of(cls, routes: Sequence[BaseRoute]) -> "Documented":
        shown = [one for one in routes if isinstance(one, APIRoute) and one.include_in_schema]
        key = tuple(id(route) for route in shown)
        if key not in _known:
            _known[key] = cls(shown, _without_more(document(shown, title="Tests")))
        return _known[key]

    def check(self, request: httpx.Request, response: httpx.Response) -> None:
        """Raise AssertionError where the answer is not as it is documented."""
        operation = self._operation(request)
        if operation is None or response.status_code in UNSAID:
            return
        where = f"{request.method} {request.url.path} → {response.status_code}"
        said = operation["responses"].get(str(response.status_code))
        assert said is not None, f"{where} is not documented: {response.text[:300]}"
        said = self.resolved(said)
        if not response.content:
            return
        media_type = response.headers.get("content-type", "").partition(";")[0]
        content = said.get("content", {})
        any_of_its_kind = media_type.partition("/")[0] + "/*"
        assert {media_type, any_of_its_kind} & set(content), (
            f"{where}: documented as {list(content)}, is {media_type}"
        )
        if media_type == "application/json":
            self._check_json(where, content[media_type]["schema"], response.content)

    def resolved(self, node: Node) -> Node:
        """Return what the node refers to, itself if nothing."""
        if "$ref" not in node:
            return node
        found = self.document
        for name in node["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        return found

    def _operation(self, request: httpx.Request) -> Node | None:
        path = request.url.path
        for route in self.routes:
            if request.method in (route.methods or ()) and route.path_regex.match(path):
                operation: Node = self.document["paths"][route.path_format][request.method.lower()]
                return operation
        return None

    def _check_json(self, where: str, schema: Node, body: bytes) -> None:
        value = orjson.loads(body)
        if isinstance(value, list):
            value = value[:ENTRIES]
        whole = schema | {"components": self.document["components"]}
        errors = [
            f"{error.json_path}: {error.message}"
            for error in Draft202012Validator(whole).iter_errors(value)
        ]
        assert not errors, f"{where} is not as documented: {'; '.join(errors)[:1000]}"


class DocumentedTransport(httpx.ASGITransport):
    """Fails the test whose answer is not as the document says."""

    def __init__(
        self, app: ASGIApp, services: Sequence[FastAPI], *, raise_app_exceptions: bool = True
    ) -> None:
        super().__init__(app, raise_app_exceptions=raise_app_exceptions)
        self._documented = Documented.of([route for one in services for route in one.routes])

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        await response.aread()
        self._documented.check(request, response)
        return response


def _without_more(found: Any) -> Any:
    """Refuse keys that the document does not name; it lets clients ignore them."""
    if isinstance(found, list):
        return [_without_more(one) for one in found]
    if not isinstance(found, dict):
        return found
    strict = {key: _without_more(value) for key, value in found.items()}
    if strict.get("type") == "object" and "properties" in strict:
        strict.setdefault("additionalProperties", False)
    return strict
