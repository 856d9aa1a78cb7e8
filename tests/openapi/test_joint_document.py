"""The document of all routes: nothing is left unsaid, and the gallery carries it."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from cli.app import app
from cli.documents import encoded
from libs.common.web.openapi import Node
from services.gallery.api_document.routes import DOCUMENT
from standalone.api_document import ALL, TAGS, joint_document
from standalone.gateway_routes import service_for

#: Nobody is asked who they are.
ANONYMOUS = {
    "join_as_guest",
    "join_with_selfie",
    "open_link",
    "request_password_reset",
    "reset_password",
    "password_reset_page",
    "link_page",
    "unsubscribe_page",
    "end_news",
    "check_event_code",
    "look_up_event",
    "check_user_availability",
    "register_with_event_code",
    "register_invite",
    "register_invite_with_selfie",
    "log_in",
    "get_login_service",
    "begin_oidc_login",
    "finish_oidc_login",
    "register_first_admin",
    "validate_selfie",
    "get_signed_object",
    "get_download",
    "get_download_archive",
    "get_consent_text",
    "describe_uploads",
    "get_wall",
    "get_first_start",
}


#: Ids of many photos; and what a login service answers is as long as it likes.
LONG = {"photo_ids": 20_000, "code": 4096, "state": 4096, "iss": 4096}


@pytest.fixture(scope="module")
def found() -> Node:
    return joint_document()


@pytest.fixture(scope="module")
def operations(found: Node) -> list[tuple[str, Node]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, operations in found["paths"].items()
        for method, operation in operations.items()
    ]


def test_every_route_asks_who_calls_but_those_for_anybody(
    operations: list[tuple[str, Node]],
) -> None:
    anonymous = {one["operationId"] for _, one in operations if not one.get("security")}
    assert anonymous == ANONYMOUS


def test_every_route_says_what_it_answers(operations: list[tuple[str, Node]]) -> None:
    for name, operation in operations:
        if "303" in operation["responses"]:
            continue  # a browser is sent elsewhere
        successes = [one for code, one in operation["responses"].items() if code.startswith("2")]
        assert successes, name
        for success in successes:
            # An upload's state is in the answer's headers, and there is nothing else to say.
            assert success.get("content") or " /api/uploads" in name, name
            for content in success.get("content", {}).values():
                assert content["schema"] not in ({}, {"type": "object"}), name


def test_every_route_says_which_errors_it_answers(operations: list[tuple[str, Node]]) -> None:
    for name, operation in operations:
        expected = {"503"}
        if operation.get("security"):
            expected |= {"401", "403"}
        if "requestBody" in operation:
            expected |= {"400", "413"}
        if any(parameter["in"] == "path" for parameter in operation.get("parameters", ())):
            expected |= {"422"}
            # Whoever has not joined an event is not told whether there is one.
            expected |= set() if " /api/user/events/" in name else {"404"}
        assert expected <= set(operation["responses"]), name


def test_operations_have_readable_names_of_their_own_a_sentence_and_a_subject(
    operations: list[tuple[str, Node]],
) -> None:
    names = Counter(operation["operationId"] for _, operation in operations)
    assert [name for name, count in names.items() if count > 1] == []
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)+", name)] == []
    for name, operation in operations:
        assert operation["description"].endswith("."), name
        assert operation["tags"], name
        assert set(operation["tags"]) <= set(TAGS), name


def test_schemas_have_short_names_and_a_sentence(found: Node) -> None:
    for name, schema in found["components"]["schemas"].items():
        # Two models of one name become `services__gallery__…`.
        assert re.fullmatch(r"[A-Z][A-Za-z]+", name), name
        if schema.get("type") == "object":
            assert schema.get("description", "").endswith("."), name


def test_words_in_addresses_have_a_greatest_length(operations: list[tuple[str, Node]]) -> None:
    """Others are refused by the server's own limit, in words that are not of the document."""
    for name, operation in operations:
        for parameter in operation.get("parameters", ()):
            of_address = parameter["in"] in ("query", "path")
            schemas = [parameter["schema"], *parameter["schema"].get("anyOf", ())]
            for schema in schemas if of_address else ():
                if schema.get("type") == "string":
                    bounded = {"format", "enum", "const"} & set(schema)
                    most = schema.get("maxLength", 100_000)
                    # Of ids there may be many; a digit is one byte.
                    limit = LONG.get(parameter["name"], 255)
                    assert bounded or most <= limit, f"{name} {parameter['name']}"


def test_every_reference_has_its_end(found: Node) -> None:
    for reference in references(found):
        end: Any = found
        for part in reference.removeprefix("#/").split("/"):
            assert part in end, reference
            end = end[part]


def test_examples_are_what_they_are_examples_of(found: Node) -> None:
    examples = 0
    for name, schema in found["components"]["schemas"].items():
        for key, part in schema.get("properties", {}).items():
            validator = Draft202012Validator(part | {"components": found["components"]})
            for example in part.get("examples", ()):
                examples += 1
                assert validator.is_valid(example), f"{name}.{key}: {example}"
    assert examples > 20


def test_the_gateway_sends_every_route_to_the_service_that_has_it(found: Node) -> None:
    of_service = {
        route.path: route.endpoint.__module__.split(".")[1]
        for router in ALL
        for route in router.routes
        if isinstance(route, APIRoute) and route.include_in_schema
    }
    assert set(of_service) == {path.replace("{key}", "{key:path}") for path in paths(found)}
    for path, service in of_service.items():
        assert service_for(re.sub(r"\{[^}]+\}", "1", path)) == service, path


def test_what_is_not_in_the_document_is_a_head_or_an_older_name_of_what_is(found: Node) -> None:
    hidden = {
        (method, route.path)
        for router in ALL
        for route in router.routes
        if isinstance(route, APIRoute)
        and not route.include_in_schema
        and not route.path.startswith("/internal/")
        for method in route.methods or ()
    }
    assert {route for route in hidden if route[0] != "HEAD"} == {
        ("GET", "/api/openapi.json"),
        ("GET", "/api/pages/page.css"),
        ("GET", "/api/pages/page.js"),
        ("GET", "/api/docs/gallery"),
        ("GET", "/api/docs/assets/{name}"),
        ("POST", "/api/admin/register-admin"),
        # Of one upload as of all, and PATCH and DELETE where neither gets through.
        ("OPTIONS", "/api/uploads/{upload_id}"),
        ("POST", "/api/uploads/{upload_id}"),
    }
    assert {path for method, path in hidden if method == "HEAD"} <= {
        path.replace("{key}", "{key:path}") for path in paths(found)
    }


def test_the_file_that_the_gallery_carries_is_the_document(found: Node) -> None:
    assert DOCUMENT.read_text() == encoded(found), "make format writes it anew"


def test_the_command_prints_it(found: Node) -> None:
    assert CliRunner().invoke(app, ["openapi"]).output == encoded(found)


def paths(found: Node) -> Iterator[str]:
    for path in found["paths"]:
        yield re.sub(r"\{code\}", "{code:path}", path)


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)
