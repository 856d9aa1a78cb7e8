"""A certificate of one's own: served, told of, and renewed without a restart."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest
import trustme
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse
from starlette.routing import Route

from libs.common.errors import InvalidInput
from libs.common.setting_files import WrongSettings
from libs.common.web import acceptor
from libs.common.web.serve import server_config, tls_of
from libs.common.web.stopping import GracefulServer
from standalone.address import listening_address
from standalone.serve import listen
from standalone.settings import StandaloneSettings
from standalone.tls import ServerCertificate
from tests.support.polling import PATIENCE_SECONDS, eventually


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def written(folder: Path, authority: trustme.CA, *hosts: str) -> tuple[Path, Path]:
    """(certificate with its chain, key) for the hosts."""
    made = authority.issue_cert(*hosts)
    certificate, key = folder / "fullchain.pem", folder / "key.pem"
    certificate.write_bytes(b"".join(part.bytes() for part in made.cert_chain_pems))
    key.write_bytes(made.private_key_pem.bytes())
    return certificate, key


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def scheme(request: Request) -> JSONResponse:
    return JSONResponse({"scheme": request.url.scheme})


@asynccontextmanager
async def served(
    certificate: ServerCertificate, tmp_path: Path, **bounds: int
) -> AsyncIterator[str]:
    photo = tmp_path / "photo.bin"
    photo.write_bytes(bytes(range(256)) * 10_000)
    app = Starlette(routes=[Route("/", scheme), Route("/photo", lambda _: FileResponse(photo))])
    settings = StandaloneSettings(findme_data_dir=tmp_path).model_copy(update=bounds)
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        tls = tls_of(certificate.context, settings)
        server = GracefulServer(server_config(app, settings), [], tls=tls)
        serving = asyncio.create_task(server.serve(sockets=[listener]))

        async def has_started() -> bool:
            return server.started

        await eventually(has_started)
        yield f"https://localhost:{port}"
        server.should_exit = True
        await serving


async def test_a_client_that_trusts_its_authority_is_served_by_https(
    tmp_path: Path, authority: trustme.CA
) -> None:
    certificate = ServerCertificate(*written(tmp_path, authority, "localhost"))
    async with (
        served(certificate, tmp_path) as url,
        httpx.AsyncClient(verify=trusting(authority), timeout=PATIENCE_SECONDS) as client,
    ):
        assert (await client.get(url)).json() == {"scheme": "https"}
        assert (await client.get(f"{url}/photo")).content == bytes(range(256)) * 10_000
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as stranger:
            with pytest.raises(httpx.ConnectError):
                await stranger.get(url)
        # Whoever speaks no TLS, or leaves in the middle, keeps nobody else out.
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as plain:
            with pytest.raises(httpx.HTTPError):
                await plain.get(url.replace("https", "http"))
        assert (await client.get(url)).is_success


@pytest.fixture
def endless_handshakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nobody cut off who is late."""
    monkeypatch.setattr(acceptor, "TLS_HANDSHAKE_SECONDS", 10 * PATIENCE_SECONDS)


@pytest.mark.usefixtures("endless_handshakes")
async def test_who_connects_often_and_says_nothing_keeps_nobody_else_out(
    tmp_path: Path, authority: trustme.CA
) -> None:
    certificate = ServerCertificate(*written(tmp_path, authority, "localhost"))
    async with (
        served(certificate, tmp_path, max_connections=40, max_connections_per_address=5) as url,
        httpx.AsyncClient(verify=trusting(authority), timeout=PATIENCE_SECONDS) as client,
    ):
        with silent_from(100 * ["127.0.0.2"], url) as held:
            await eventually(lambda: closed(held) == 95)
            assert (await client.get(url)).is_success
        # Those who have gone made room.
        transport = httpx.AsyncHTTPTransport(verify=trusting(authority), local_address="127.0.0.2")
        async with httpx.AsyncClient(transport=transport) as neighbour:

            async def is_let_in() -> bool:
                try:
                    return (await neighbour.get(url)).is_success
                except httpx.TransportError:
                    return False

            await eventually(is_let_in)


@pytest.mark.usefixtures("endless_handshakes")
async def test_no_more_agree_on_a_key_at_a_time_than_may_be_connected(
    tmp_path: Path, authority: trustme.CA
) -> None:
    certificate = ServerCertificate(*written(tmp_path, authority, "localhost"))
    async with served(certificate, tmp_path, max_connections=4) as url:
        with silent_from([f"127.0.0.{number}" for number in range(2, 12)], url) as held:
            await eventually(lambda: closed(held) == 6)


@contextmanager
def silent_from(hosts: list[str], url: str) -> Iterator[list[socket.socket]]:
    """Hold a connection from each address, and say nothing."""
    server = ("127.0.0.1", httpx.URL(url).port or 443)
    with ExitStack() as stack:
        held = []
        for host in hosts:
            connection = socket.create_connection(server, source_address=(host, 0))
            connection.setblocking(False)
            held.append(stack.enter_context(connection))
        yield held


def closed(held: list[socket.socket]) -> int:
    """How many the server has hung up on."""

    def is_closed(connection: socket.socket) -> bool:
        try:
            return not connection.recv(1)
        except BlockingIOError:
            return False
        except ConnectionError:
            return True

    return sum(map(is_closed, held))


async def test_a_renewed_certificate_is_taken_up_without_a_restart(
    tmp_path: Path, authority: trustme.CA
) -> None:
    certificate = ServerCertificate(*written(tmp_path, authority, "localhost"))
    other = trustme.CA()
    async with served(certificate, tmp_path) as url:
        (tmp_path / "fullchain.pem").write_text("half of it")
        async with httpx.AsyncClient(
            verify=trusting(authority), timeout=PATIENCE_SECONDS
        ) as client:
            assert (await client.get(url)).is_success
        written(tmp_path, other, "localhost")
        async with httpx.AsyncClient(verify=trusting(other), timeout=PATIENCE_SECONDS) as client:
            assert (await client.get(url)).is_success


def test_the_address_is_the_name_that_the_certificate_has(
    tmp_path: Path, authority: trustme.CA
) -> None:
    certificate = ServerCertificate(
        *written(tmp_path, authority, "*.example.org", "photos.example.org", "192.0.2.7")
    )
    everywhere = StandaloneSettings(findme_data_dir=tmp_path, host="0.0.0.0")
    address = listening_address(everywhere, 8443, certificate)
    assert address.url == "https://photos.example.org:8443"
    assert address.has_camera
    named = certificate.named
    assert named.is_for("photos.example.org")
    assert named.is_for("gala.example.org")
    assert named.is_for("192.0.2.7")
    assert not named.is_for("a.b.example.org")
    assert not named.is_for("example.com")


@pytest.mark.parametrize("content", [None, "", "no PEM at all"])
def test_files_that_are_no_certificate_are_one_sentence(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "cert.pem").write_text(content)
    with pytest.raises(InvalidInput, match=r"^TLS_CERTIFICATE: .*cert\.pem"):
        ServerCertificate(tmp_path / "cert.pem", None)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path, authority: trustme.CA) -> None:
    certificate, _ = written(tmp_path, authority, "localhost")
    key = tmp_path / "other.pem"
    key.write_bytes(authority.issue_cert("localhost").private_key_pem.bytes())
    with pytest.raises(InvalidInput, match="no certificate and its key"):
        ServerCertificate(certificate, key)


def test_a_key_without_a_certificate_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TLS_KEY", str(tmp_path / "key.pem"))
    with pytest.raises(WrongSettings, match="TLS_KEY needs TLS_CERTIFICATE"):
        StandaloneSettings(findme_data_dir=tmp_path)
