"""Fixtures of the suites that start services as processes of their own."""

import os
import uuid
from pathlib import Path

import pytest

from tests.support.s3 import S3Bucket
from tests.support.small_event import SmallEvent, draw


@pytest.fixture(scope="session")
def small_event(tmp_path_factory: pytest.TempPathFactory) -> SmallEvent:
    return draw(tmp_path_factory.mktemp("small-event"))


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Converted models, shared by the servers of the session."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def run() -> str:
    return uuid.uuid4().hex[:8]


@pytest.fixture
def environment(database_url: str, amqp_url: str, s3: S3Bucket, model_dir: Path) -> dict[str, str]:
    """Settings of services apart, on private servers."""
    return os.environ | {
        "DATABASE_URL": database_url,
        "DB_POOL_SIZE": "5",
        "DB_MAX_OVERFLOW": "10",
        "AMQP_URL": amqp_url,
        "PHOTO_BUCKET_NAME": s3.bucket,
        "S3_ENDPOINT_URL": s3.endpoint_url,
        "AWS_REGION": s3.region,
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
        "SECRET_KEY": "one secret for all four of the services",
        "FINDME_MODEL_DIR": str(model_dir),
        "PHOTO_QUEUE_WORKERS": "2",
    }
