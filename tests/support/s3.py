"""A private S3 server (moto's, in a process of its own) with a fresh bucket per test."""

import contextlib
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import httpx

from tests.support.polling import PATIENCE_SECONDS
from tests.support.services import GuardedProcess, free_port

S3_URL_VARIABLE = "FINDME_TEST_S3_URL"
REGION = "us-east-1"


@dataclass(frozen=True)
class S3Bucket:
    """Where a test's objects go, and the credentials for it."""

    endpoint_url: str
    bucket: str
    access_key: str
    secret_key: str
    region: str = REGION


class S3Server:
    """A server that speaks S3; a private one can be killed and started (it forgets all)."""

    def __init__(self, endpoint_url: str, access_key: str, secret_key: str) -> None:
        self._credentials = (access_key, secret_key)
        self.endpoint_url = endpoint_url
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=endpoint_url,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            region_name=REGION,
        )

    @contextlib.contextmanager
    def fresh_bucket(self) -> Iterator[S3Bucket]:
        """Yield a new bucket; empty and delete it afterwards."""
        name = f"findme-test-{uuid.uuid4().hex[:12]}"
        self._client.create_bucket(Bucket=name)
        try:
            yield S3Bucket(self.endpoint_url, name, *self._credentials)
        finally:
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=name):
                for item in page.get("Contents", ()):
                    self._client.delete_object(Bucket=name, Key=item["Key"])
            self._client.delete_bucket(Bucket=name)


@contextlib.contextmanager
def running_s3() -> Iterator[S3Server]:
    """Provide the server that the environment names, else moto's."""
    if url := os.environ.get(S3_URL_VARIABLE):
        yield S3Server(url, os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
        return
    folder = Path(tempfile.mkdtemp(prefix="findme-s3-"))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = GuardedProcess(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        log=folder / "moto.log",
    )
    try:
        process.wait_until(lambda: _answers(url), what="moto's S3 server")
        yield S3Server(url, "findme", "findme-secret")
    finally:
        process.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/moto-api/", timeout=PATIENCE_SECONDS).is_success
    except httpx.TransportError:
        return False
