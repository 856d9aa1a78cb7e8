"""The processes that photos are sent to: ingest as it is run, and nginx over another folder."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.media.servers import Server, nginx_program, running, service_environment
from benchmarks.private_services import PrivateServices
from tests.support.services import ServiceMissing, free_port

#: It keeps a body in a file until it is whole, and moves that to its place: no copy, no digest, and
#: no fsync.
_NGINX = """
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    client_max_body_size 0;
    client_body_temp_path {root}/.parts;
    server {{
        listen 127.0.0.1:{port};
        root {root};
        location / {{ dav_methods PUT; create_full_put_path on; }}
    }}
}}
"""


@contextmanager
def ingest(services: PrivateServices, objects: Path) -> Iterator[Server]:
    """Run one process of ingest on a folder of objects."""
    port = free_port()
    environment = service_environment(services, objects, port) | {
        # All that are in flight come from one address, and wait for their turn for as long.
        "MAX_WAITING_REQUESTS": "1000",
        "ADMISSION_PATIENCE_SECONDS": "600",
    }
    command = [sys.executable, "-m", "services.ingest"]
    with running(command, environment, port, path="/readyz") as server:
        yield server


@contextmanager
def nginx(root: Path) -> Iterator[Server]:
    """Run nginx, which takes files by PUT. Raises ServiceMissing."""
    program = nginx_program()
    built = subprocess.run([program, "-V"], check=True, capture_output=True, text=True).stderr
    if "http_dav_module" not in built:
        raise ServiceMissing("nginx has no WebDAV: apt-get install nginx-full")
    root.mkdir()
    with tempfile.TemporaryDirectory(prefix="findme-bench-") as name:
        folder, port = Path(name), free_port()
        config = folder / "nginx.conf"
        config.write_text(_NGINX.format(folder=folder, port=port, root=root))
        user = "user root; " if os.geteuid() == 0 else ""
        command = [program, "-c", str(config), "-g", f"{user}daemon off;"]
        with running(command, {}, port, path="/") as server:
            yield server


def peak_rss_bytes(pid: int) -> int:
    """Return the most memory that the process has had since `forget_peak`, by the kernel."""
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def forget_peak(pid: int) -> None:
    """Begin to measure a process's peak anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
