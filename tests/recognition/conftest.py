"""A recognition service on a private database, with the bus in process and a scripted engine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI

from libs.common.database.database import Database
from libs.common.resources import Resources, open_resources
from services.recognition.app import create_app
from services.recognition.settings import RecognitionSettings
from tests.support.engine_pools import lent_pools
from tests.support.own_role import with_own_role
from tests.support.rows import Rows
from tests.support.scripted_engine import ScriptedEngine
from tests.support.settings import of_all_services, settings_of
from tests.support.world import World


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> RecognitionSettings:
    return settings_of(
        RecognitionSettings,
        database_url,
        photo_store_dir=tmp_path / "objects",
        photo_queue_workers=2,
        retry_delays_seconds=(0.1, 0.1, 0.1),
    )


@pytest.fixture
async def resources(settings: RecognitionSettings) -> AsyncIterator[Resources]:
    async with open_resources(of_all_services(settings), name="test") as resources:
        yield resources


@pytest.fixture
def world(resources: Resources) -> World:
    return World(resources.database, resources.store)


@pytest.fixture
async def rows(settings: RecognitionSettings) -> AsyncIterator[Rows]:
    """Rows of a database on which no service works."""
    async with Database.open(settings) as database:
        yield Rows(database)


@asynccontextmanager
async def running_recognition(
    settings: RecognitionSettings, resources: Resources, *, keeps_messages: bool = True
) -> AsyncIterator[FastAPI]:
    async with (
        lent_pools(ScriptedEngine, settings) as pools,
        with_own_role(resources, settings, "recognition") as its,
    ):
        app = create_app(settings, its, pools=pools, keeps_messages=keeps_messages)
        async with app.router.lifespan_context(app):
            yield app


@pytest.fixture
async def recognition(
    settings: RecognitionSettings, resources: Resources
) -> AsyncIterator[FastAPI]:
    async with running_recognition(settings, resources) as app:
        yield app
