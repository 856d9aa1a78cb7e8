"""The web gateway of docker-compose.yml, as a process of its own, in front of services anywhere."""

import contextlib
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.services import GuardedProcess, ServiceMissing, free_port

GATEWAY = Path(__file__).parents[2] / "deploy" / "compose" / "gateway"


@contextlib.contextmanager
def running_gateway(
    urls: Mapping[str, str], folder: Path, *, objects: Path | None = None
) -> Iterator[str]:
    """Run nginx with the real configuration, except for the addresses; yields its URL.

    What it would write to /tmp goes to `folder`; `objects` is the store's folder, where it has
    one. Raises ServiceMissing without nginx.
    """
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if nginx is None:
        raise ServiceMissing("nginx is not installed: apt-get install nginx-light")
    config = folder / "config"
    shutil.copytree(GATEWAY, config)
    port = free_port()
    (config / "listen.conf").write_text(f"listen 127.0.0.1:{port};\n")
    addresses = [f"set ${service} {url};\n" for service, url in urls.items()]
    (config / "services.conf").write_text("".join(addresses))
    (config / "objects_folder.conf").write_text(
        f"set $objects_folder {objects or folder / 'none'};\n"
    )
    main = config / "nginx.conf"
    main.write_text(main.read_text().replace("/tmp/", f"{folder}/"))
    # As root, nginx would give its workers to a user who may not enter the folder.
    user = "user root; " if os.geteuid() == 0 else ""
    process = GuardedProcess(
        [nginx, "-c", str(main), "-g", f"{user}daemon off;"], log=folder / "nginx.log"
    )
    try:
        process.wait_until(lambda: _listens(port), what="nginx")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stop()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
