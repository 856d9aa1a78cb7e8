"""Fixtures of the suites that start services as processes of their own."""

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.server import temporary_data_dir
from tests.support.s3 import S3Bucket
from tests.support.small_event import SmallEvent, draw


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the whole run, whatever the number of processes that run tests."""
    own = tmp_path_factory.getbasetemp()
    # xdist gives each process a folder below the run's.
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "of-the-run"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def small_event(run_folder: Path) -> SmallEvent:
    """Drawn by the first process that needs it, which takes 5 s of processor time."""
    with (run_folder / "small-event.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return draw(run_folder)


@pytest.fixture(scope="session")
def model_dir(run_folder: Path) -> Path:
    """Converted models: whoever needs one first converts it for the others."""
    folder = run_folder / "models"
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def new_data_dir(model_dir: Path) -> Iterator[Path]:
    """A data folder with nothing but models, outside of pytest's own folders.

    Those are closed to other users whenever a pytest session starts.
    """
    with temporary_data_dir() as folder:
        (folder / "models").symlink_to(model_dir)
        yield folder


@pytest.fixture
def data_dir(model_dir: Path) -> Iterator[Path]:
    with new_data_dir(model_dir) as folder:
        yield folder


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
