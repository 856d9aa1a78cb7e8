"""Workers are tested as they are started: each from nothing, and all as copies of one."""

import sys
from collections.abc import Callable

import pytest

from libs.common.workers import pool
from libs.common.workers.starting import FromNothing, Starter
from libs.common.workers.template import Template

WAYS: tuple[Callable[..., Starter], ...] = (
    (FromNothing, Template) if sys.platform == "linux" else (FromNothing,)
)


@pytest.fixture(params=WAYS, ids=lambda way: str(way.__name__))
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Starter]:
    """For tests whose pools are started so, however many workers they have."""

    def starter(_: int, *args: object, **kwargs: object) -> Starter:
        started: Starter = request.param(*args, **kwargs)
        return started

    monkeypatch.setattr(pool, "starter", starter)
    chosen: Callable[..., Starter] = request.param
    return chosen
