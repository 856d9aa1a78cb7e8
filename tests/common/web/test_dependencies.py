"""What routes depend on runs on the event loop; hot routes are those that FastAPI would find."""

from collections.abc import Iterator, Sequence
from inspect import isasyncgenfunction, iscoroutinefunction

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import Match

from libs.common.web import health
from libs.common.web.compiled_endpoint import dependants
from services.gallery.app import HOT as HOT_OF_GALLERY
from services.gallery.app import ROUTERS as GALLERY
from services.ingest.app import ROUTERS as INGEST
from services.media.app import HOT as HOT_OF_MEDIA
from services.media.app import ROUTERS as MEDIA
from services.recognition.app import ROUTERS as RECOGNITION

ALL: list[APIRouter] = [*GALLERY, *INGEST, *MEDIA, *RECOGNITION, health.router]


def test_no_dependency_runs_in_a_thread() -> None:
    # One of a list that is kept made its 99th percentile ten times longer: 7.9 ms became 73.
    assert not {f"{path}: {call}" for path, call in _calls() if not _is_async(call)}


@pytest.mark.parametrize(
    ("hot", "routers"), [(HOT_OF_GALLERY, GALLERY), (HOT_OF_MEDIA, MEDIA)], ids=["gallery", "media"]
)
def test_no_other_route_comes_before_a_hot_one(
    hot: list[APIRouter], routers: list[APIRouter]
) -> None:
    for route in _routes(hot):
        for method in route.methods or ():
            path = route.path_format.format(**dict.fromkeys(route.param_convertors, "1"))
            scope = {"type": "http", "method": method, "path": path}
            assert route is next(
                one for one in _routes(routers) if one.matches(scope)[0] is Match.FULL
            )


def _calls() -> Iterator[tuple[str, object]]:
    for route in _routes(ALL):
        for dependant in dependants(route.dependant):
            yield route.path, dependant.call


def _routes(routers: Sequence[APIRouter]) -> Iterator[APIRoute]:
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute):
                yield route


def _is_async(call: object) -> bool:
    return iscoroutinefunction(call) or isasyncgenfunction(call)
