"""Ids in paths and queries, of whichever service."""

import importlib
import uuid
from collections.abc import Iterator
from pathlib import Path

from fastapi.routing import APIRoute

import services
from libs.common.messaging.messages import MAX_ID

FOLDER = Path(services.__file__).parent


def all_routes() -> Iterator[APIRoute]:
    for file in sorted(FOLDER.glob("**/*routes.py")):
        name = ".".join(file.relative_to(FOLDER.parent).with_suffix("").parts)
        router = importlib.import_module(name).router
        yield from (route for route in router.routes if isinstance(route, APIRoute))


def test_an_id_that_no_row_can_have_is_refused_before_the_database_is_asked() -> None:
    checked = set()
    for route in all_routes():
        for field in (*route.dependant.path_params, *route.dependant.query_params):
            # A job has a word, or a random number, for an id.
            if not field.alias.endswith("_id") or field.field_info.annotation in (str, uuid.UUID):
                continue
            place = f"{route.path} {field.alias}"
            for wrong in ("0", "-1", str(MAX_ID + 1), "9" * 400):
                _, problems = field.validate(wrong, {}, loc=(field.alias,))
                assert problems, place
            value, problems = field.validate(str(MAX_ID), {}, loc=(field.alias,))
            assert (value, problems) == (MAX_ID, []), place
            checked.add(place)
    assert len({place.partition(" ")[0] for place in checked}) > 20
    assert {"/api/photo/{photo_id} photo_id", "/api/selfie/{user_id} selfie_id"} <= checked
