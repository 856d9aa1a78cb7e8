"""The Dockerfile's steps, followed in empty folders, and what came out of them at work."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import httpx
import pytest

from demo.scenario import Place, run_scenario
from tests.services_apart.services import wait_until_ready
from tests.support.compose import environment_of, read_compose
from tests.support.databases import as_service
from tests.support.images import Image, build
from tests.support.nginx import running_gateway
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.s3 import S3Bucket
from tests.support.services import ServiceMissing, free_port
from tests.support.small_event import PASSWORD, SmallEvent

SERVICES = ("ingest", "recognition", "gallery", "media")

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that every user may enter, as the images' user is not the one that builds them."""
    made = Path(mkdtemp(prefix="findme-images-"))
    made.chmod(0o755)
    yield made
    rmtree(made)


@pytest.fixture
def secrets(database_url: str, amqp_url: str, s3: S3Bucket, tmp_path: Path) -> Path:
    """The files that `make secrets` makes, for the test's own servers."""
    made = tmp_path / "secrets"
    made.mkdir()
    (made / "database_url").write_text(f"{database_url}\n")
    for service in SERVICES:
        (made / f"{service}_database_url").write_text(f"{as_service(database_url, service)}\n")
    (made / "amqp_url").write_text(f"{amqp_url}\n")
    (made / "secret_key").write_text("one secret for all four of the services\n")
    (made / "s3_credentials").write_text(
        f"[default]\naws_access_key_id = {s3.access_key}\naws_secret_access_key = {s3.secret_key}\n"
    )
    return made


def composed(name: str, secrets: Path, s3: S3Bucket, **own: str) -> dict[str, str]:
    """What docker-compose.yml gives a service, on the test's own servers."""
    given = environment_of(read_compose()["services"][name])
    here = {key: value.replace("/run/secrets", str(secrets)) for key, value in given.items()}
    return here | {"PHOTO_BUCKET_NAME": s3.bucket, "S3_ENDPOINT_URL": s3.endpoint_url} | own


async def test_recognition_comes_out_of_its_steps_whole_and_ready(
    folder: Path, secrets: Path, s3: S3Bucket, tmp_path: Path
) -> None:
    """The one with all the native code: it starts at once, from files that it may not change."""
    image = build("recognition", folder)
    built = image.files()
    assert [path for path in built if path.match("models/dlib-resnet-*.onnx")]
    given = composed("recognition", secrets, s3, PORT=str(free_port()))
    migrate(composed("migrate", secrets, s3))
    log = tmp_path / "recognition.log"
    assert image.run(kind="HEALTHCHECK", given=given).returncode == 1
    with image.running(given=given, log=log):
        await eventually(
            lambda: image.run(kind="HEALTHCHECK", given=given).returncode == 0,
            poll_seconds=0.5,
            message=lambda: log.read_text()[-3000:],
        )
    assert "cannot be cached" not in log.read_text()
    assert image.files() == built


async def test_the_gallery_sends_the_browser_app_that_was_built_with_it(
    folder: Path, secrets: Path, s3: S3Bucket, tmp_path: Path
) -> None:
    """On the packages that are here: how they are installed, recognition's image shows."""
    image = build("gallery", folder / "gallery", packages=Path(sys.prefix))
    given = composed("gallery", secrets, s3, PORT=str(free_port()))
    migrate(composed("migrate", secrets, s3))
    url = f"http://127.0.0.1:{given['PORT']}"
    with image.running(given=given, log=tmp_path / "gallery.log"):
        await wait_until_ready({"gallery": url}, tmp_path)
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as client:
            await see_pages(client)


@pytest.mark.long
async def test_all_images_together_do_the_whole_job(
    folder: Path, secrets: Path, s3: S3Bucket, small_event: SmallEvent, run: str, tmp_path: Path
) -> None:
    """As `docker compose up` starts them, the operators' commands and the gateway included."""
    images = {name: build(name, folder / name) for name in (*SERVICES, "tools")}
    urls = {name: f"http://127.0.0.1:{free_port()}" for name in SERVICES}
    tools = images["tools"]
    for command, service in (("migrate", "migrate"), ("bucket", "tools")):
        ran = tools.run(command, given=composed(service, secrets, s3))
        assert ran.returncode == 0, ran.stderr
    with ExitStack() as stack:
        for name in SERVICES:
            port = urls[name].rpartition(":")[2]
            others = {f"{other.upper()}_URL": urls[other] for other in ("recognition", "gallery")}
            own = {"PORT": port} | (others if name == "ingest" else {})
            given = composed(name, secrets, s3, **own)
            stack.enter_context(images[name].running(given=given, log=tmp_path / f"{name}.log"))
        await wait_until_ready(urls, tmp_path)
        try:
            gateway = stack.enter_context(running_gateway(urls, tmp_path / "gateway"))
        except ServiceMissing as error:
            pytest.skip(str(error))
        place = Place(gateway, *event_made_by(tools, composed("tools", secrets, s3), run), PASSWORD)
        result = await run_scenario(
            place, small_event.photos, small_event.guests(run), password=PASSWORD
        )
        async with httpx.AsyncClient(base_url=gateway, timeout=PATIENCE_SECONDS) as client:
            paths = ("/metrics", "/livez")
            answers = {path: (await client.get(path)).status_code for path in paths}
            await see_pages(client)
            login = await client.post(
                "/api/login",
                json={"username": place.photographer, "password": PASSWORD},
                headers={"X-Forwarded-Proto": "https"},  # as the TLS proxy in front says
            )
    assert "Secure" in login.headers["set-cookie"]
    assert (result.precision, answers) == (1.0, {"/metrics": 404, "/livez": 200})
    assert result.recall >= 0.95


async def see_pages(client: httpx.AsyncClient) -> None:
    """The door, a guest's address, and each script that they name."""
    for path in ("/", "/e/GALA2026"):
        page = await client.get(path)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        scripts = re.findall(r'<link href="([^"]+)" rel="modulepreload"', page.text)
        assert scripts
        for script in scripts:
            answer = await client.get(script, headers={"Accept-Encoding": "gzip"})
            assert (answer.status_code, answer.headers["content-encoding"]) == (200, "gzip")


def event_made_by(tools: Image, given: dict[str, str], run: str) -> tuple[int, str, str]:
    """A photographer and an event, by the commands of an operator."""
    name = f"photographer-{run}"
    account = ["--username", name, "--email", f"{name}@example.com", "--password", PASSWORD]
    made = tools.run("photographer", "create", *account, given=given)
    assert made.returncode == 0, made.stderr
    event = tools.run("event", "create", "--name", "Party", "--photographer", name, given=given)
    found = re.search(r"Event (\d+): .* code (\S+)", event.stdout)
    assert found is not None, event.stdout + event.stderr
    return int(found[1]), found[2], name


def migrate(given: dict[str, str]) -> None:
    subprocess.run(
        [sys.executable, "-m", "cli", "migrate"],
        env={name: value for name, value in given.items() if name.endswith("_URL_FILE")},
        check=True,
        timeout=PATIENCE_SECONDS,
    )
