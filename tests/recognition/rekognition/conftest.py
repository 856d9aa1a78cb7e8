"""A recognition service that uses a Rekognition server of the test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from libs.common.resources import Resources, open_resources
from services.recognition.settings import RecognitionSettings
from tests.recognition.conftest import running_recognition
from tests.support.rekognition.album import Album
from tests.support.rekognition_server import RekognitionServer, running_rekognition
from tests.support.settings import of_all_services, settings_of


@pytest.fixture
def aws_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "findme")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "findme-secret")


@pytest.fixture
async def server(aws_credentials: None) -> AsyncIterator[RekognitionServer]:
    async with running_rekognition() as server:
        yield server


@pytest.fixture
def settings(database_url: str, tmp_path: Path, server: RekognitionServer) -> RecognitionSettings:
    return settings_of(
        RecognitionSettings,
        database_url,
        photo_store_dir=tmp_path / "objects",
        photo_queue_workers=1,
        retry_delays_seconds=(0.1, 0.1, 0.1),
        face_recognizer_provider="rekognition",
        rekognition_endpoint_url=server.url,
    )


@pytest.fixture
async def resources(settings: RecognitionSettings) -> AsyncIterator[Resources]:
    async with open_resources(of_all_services(settings), name="test") as resources:
        yield resources


@pytest.fixture
def album(resources: Resources) -> Album:
    return Album(resources.database, resources.store)


@pytest.fixture
async def recognition(
    settings: RecognitionSettings, resources: Resources
) -> AsyncIterator[FastAPI]:
    # The engine of ours only judges selfies here, which are not sent through ingest.
    async with running_recognition(settings, resources) as app:
        yield app
