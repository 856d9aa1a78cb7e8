"""Both clients of the S3 store find credentials and certificates where botocore looks for them."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from libs.common.storage.protocol import StoreUnavailable
from libs.common.storage.s3 import open_s3_store
from tests.support.s3 import S3Bucket
from tests.support.smtp_server import tls_contexts

KEY = "events/1/photos/a.jpg"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be no credentials but those that a test puts somewhere."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))


class Recorded:
    """Gives every request a small object, and keeps the heads."""

    def __init__(self) -> None:
        self.heads: list[str] = []

    @property
    def tokens(self) -> list[str]:
        return [
            line.partition(": ")[2]
            for head in self.heads
            for line in head.splitlines()
            if line.lower().startswith("x-amz-security-token: ")
        ]

    @asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            writer.write(b'HTTP/1.1 200 OK\r\nConnection: close\r\nETag: "x"\r\n')
            body = b"" if head.startswith("HEAD") else b"x"
            writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
        async with server:
            port: int = server.sockets[0].getsockname()[1]
            yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"


async def test_without_credentials_a_store_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Recorded()
    async with server.serving() as url, open_s3_store("photos", endpoint_url=url) as store:
        for ask in (store.check(), store.get(KEY)):
            with pytest.raises(
                StoreUnavailable,
                match=r"failed: (NoCredentialsError|Unable to locate credentials)\.$",
            ):
                await ask
    assert server.heads == []


async def test_a_file_of_credentials_is_read(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id = of-the-file\naws_secret_access_key = secret\n"
    )
    server = Recorded()
    async with server.serving() as url, open_s3_store("photos", endpoint_url=url) as store:
        await store.check()
        assert await store.get(KEY) == b"x"
    assert [head.count("Credential=of-the-file/") for head in server.heads] == [1, 1]


async def test_the_role_of_a_pod_is_assumed(
    tmp_path: Path, s3: S3Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("a token of the cluster")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/findme")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", s3.endpoint_url)
    server = Recorded()
    async with (
        server.serving() as url,
        open_s3_store("photos", endpoint_url=url, region=s3.region) as store,
    ):
        await store.check()
        assert await store.get(KEY) == b"x"
    assert len(server.tokens) == 2
    assert len({*server.tokens}) == 1


async def test_credentials_of_a_machine_are_refreshed_before_they_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[str] = []

    async def give(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        given.append(f"token-{len(given)}")
        end = datetime.now(UTC) + timedelta(minutes=2)
        body = json.dumps(
            {
                "AccessKeyId": "key",
                "SecretAccessKey": "secret",
                "Token": given[-1],
                "Expiration": f"{end:%Y-%m-%dT%H:%M:%SZ}",
            }
        ).encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        writer.write(body)
        await writer.drain()
        writer.close()

    monkeypatch.setattr("libs.common.storage.s3.CREDENTIALS_ARE_KEPT_FOR", timedelta())
    machine, server = await asyncio.start_server(give, "127.0.0.1", 0), Recorded()
    port = machine.sockets[0].getsockname()[1]
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{port}/role")
    async with (
        machine,
        server.serving() as url,
        open_s3_store("photos", endpoint_url=url) as store,
    ):
        for _ in range(3):
            assert await store.get(KEY) == b"x"
    assert len({*server.tokens}) == 3
    assert {*server.tokens} <= {*given}


async def test_a_server_of_ones_own_authority_is_trusted_by_its_bundle_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    tls, _ = tls_contexts(tmp_path)
    server = Recorded()
    async with server.serving(tls) as url:
        async with open_s3_store("photos", endpoint_url=url) as store:
            for ask in (store.check(), store.get(KEY)):
                with pytest.raises(StoreUnavailable):
                    await ask
        assert server.heads == []
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "server.pem"))
        async with open_s3_store("photos", endpoint_url=url) as store:
            await store.check()
            assert await store.get(KEY) == b"x"
    assert len(server.heads) == 2
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    with pytest.raises(StoreUnavailable, match="AWS_CA_BUNDLE cannot be read: No such file"):
        async with open_s3_store("photos", endpoint_url=url):
            pass


async def test_a_bucket_of_amazons_has_its_own_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    for bucket, address in (
        ("photos", "https://photos.s3.eu-central-1.amazonaws.com"),
        ("photos.example.org", "https://s3.eu-central-1.amazonaws.com"),
    ):
        async with open_s3_store(bucket, region="eu-central-1") as store:
            assert store._objects._client.config["endpoint"] == address
