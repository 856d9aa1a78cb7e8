"""The processes that are asked: media as it is run, and nginx over the same folder."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import psutil

from benchmarks.media.plan import on_server_core
from benchmarks.private_services import SECRET_KEY, PrivateServices
from tests.support.nginx import running_gateway
from tests.support.services import GuardedProcess, ServiceMissing, free_port

_NGINX = """
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    server {{
        listen 127.0.0.1:{port};
        root {root};
        # What is asked of S3 to learn whether the bucket is there.
        location ~ "^/objects/?$" {{ return 200; }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A process that answers."""

    url: str
    pid: int


def service_environment(services: PrivateServices, objects: Path, port: int) -> dict[str, str]:
    """Return what a service on a folder of objects is given."""
    return {
        "DATABASE_URL": services.database_url,
        "AMQP_URL": services.amqp_url,
        "SECRET_KEY": SECRET_KEY,
        "PHOTO_BUCKET_NAME": "",
        "PHOTO_STORE_DIR": str(objects),
        "PORT": str(port),
        "LOG_LEVEL": "warning",
    }


@contextmanager
def media(
    services: PrivateServices, objects: Path, settings: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Run one process of media on a folder of objects."""
    port = free_port()
    environment = service_environment(services, objects, port)
    environment |= {"DB_POOL_SIZE": "5", "DB_MAX_OVERFLOW": "15"}
    command = [sys.executable, "-m", "services.media"]
    with running(command, environment | dict(settings or {}), port, path="/readyz") as server:
        on_server_core(server.pid)
        yield server


@contextmanager
def nginx(root: Path) -> Iterator[Server]:
    """Run nginx over a folder. Raises ServiceMissing."""
    found = nginx_program()
    with tempfile.TemporaryDirectory(prefix="findme-bench-") as name:
        folder, port = Path(name), free_port()
        config = folder / "nginx.conf"
        config.write_text(_NGINX.format(folder=folder, port=port, root=root))
        user = "user root; " if os.geteuid() == 0 else ""
        command = [found, "-c", str(config), "-g", f"{user}daemon off;"]
        with running(command, {}, port, path="/") as server:
            on_server_core(server.pid)
            yield server


def nginx_program() -> str:
    """Return where nginx is. Raises ServiceMissing."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise ServiceMissing("nginx is not installed: apt-get install nginx-light")
    return found


@contextmanager
def empty_answer(size_bytes: int) -> Iterator[Server]:
    """Run the server alone: it answers so many bytes, and looks at nothing."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.gallery.empty_answer", str(port), str(size_bytes)]
    with running(command, {}, port, path="/") as server:
        on_server_core(server.pid)
        yield server


@contextmanager
def gateway(media_url: str, objects: Path) -> Iterator[str]:
    """Run the gateway of docker-compose.yml before media. Raises ServiceMissing."""
    with tempfile.TemporaryDirectory(prefix="findme-bench-") as name:
        urls = dict.fromkeys(("ingest", "gallery", "media"), media_url)
        with running_gateway(urls, Path(name), objects=objects) as url:
            # With media, as nginx alone is: else it would share the clients' core.
            for process in psutil.Process().children(recursive=True):
                if any(name in part for part in process.cmdline()):
                    on_server_core(process.pid)
            yield url


@contextmanager
def running(
    command: list[str], environment: Mapping[str, str], port: int, *, path: str
) -> Iterator[Server]:
    """Run a server until the end of the block; it answers on `path` when it begins."""
    url = f"http://127.0.0.1:{port}"
    # Removed by its guard when the process is not stopped in order.
    folder = Path(tempfile.mkdtemp(prefix="findme-bench-"))
    process = GuardedProcess(command, log=folder / "server.log", env=os.environ | dict(environment))
    try:
        process.wait_until(partial(_answers, url + path), what=command[-1])
        yield Server(url, process.pid or 0)
    finally:
        process.stop()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code < 500
    except httpx.TransportError:
        return False
