"""A private RabbitMQ: a container, or the installed one on ports and folders of its own."""

import atexit
import contextlib
import fcntl
import functools
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn, Protocol
from urllib.parse import quote, urlsplit

import httpx

from tests.support.containers import ContainerServer
from tests.support.polling import PATIENCE_SECONDS
from tests.support.services import GuardedProcess, ServiceMissing, docker_answers, free_port

AMQP_URL_VARIABLE = "FINDME_TEST_AMQP_URL"
IMAGE = "rabbitmq:4-management-alpine"
MANAGEMENT_PORT = 15672
METRICS_PORT = 15692
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
#: The Debian wrapper in sbin changes the user; this is the program behind it.
DEBIAN_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
INSTALL_HELP = (
    "the tests need RabbitMQ: install the package rabbitmq-server (with Erlang), or start"
    f" Docker, or set {AMQP_URL_VARIABLE}"
)


class RabbitMQ(Protocol):
    """A running broker; `amqp_url` has no vhost, `management_url` holds the credentials.

    `metrics_url` is what Prometheus asks.
    """

    amqp_url: str
    management_url: str
    metrics_url: str

    def stop(self) -> None:
        """Shut down as an operator would."""

    def kill(self) -> None:
        """SIGKILL, as a machine's loss would; wait 2 s after declaring queues before it."""

    def start(self) -> None:
        """Start (again) on the same data; returns once it speaks AMQP."""

    def control(self, *words: str) -> None:
        """Have `rabbitmqctl` do something."""


class ForeignRabbitMQ:
    """A broker that the environment names: only vhosts of our own are made and dropped."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        credentials = f"{parts.username or 'guest'}:{parts.password or 'guest'}"
        self.amqp_url = f"{parts.scheme}://{credentials}@{parts.hostname}:{parts.port or 5672}"
        self.management_url = f"http://{credentials}@{parts.hostname}:{MANAGEMENT_PORT}"
        self.metrics_url = f"http://{parts.hostname}:{METRICS_PORT}"

    def _refuse(self, *_: str) -> NoReturn:
        raise ServiceMissing(f"{AMQP_URL_VARIABLE} names a broker that is not ours to stop")

    stop = kill = start = control = _refuse


class LocalRabbitMQ:
    """A broker process; its epmd is private too, so that nothing outlives the tests."""

    def __init__(self, folder: Path, server: Path) -> None:
        self._folder = folder
        self._server = server
        self._port, self._management_port = free_port(), free_port()
        self._metrics_port = free_port()
        self._epmd: GuardedProcess | None = None
        self._process: GuardedProcess | None = None
        self.amqp_url = f"amqp://guest:guest@127.0.0.1:{self._port}"
        self.management_url = f"http://guest:guest@127.0.0.1:{self._management_port}"
        self.metrics_url = f"http://127.0.0.1:{self._metrics_port}"
        self._environment = self._configure()

    def start(self) -> None:
        if self._epmd is None:
            epmd_folder = self._folder / "epmd"
            epmd_folder.mkdir()
            self._epmd = GuardedProcess(
                [_program("epmd")], log=epmd_folder / "epmd.log", env=self._environment
            )
        self._process = GuardedProcess(
            [str(self._server)], log=self._folder / "rabbitmq.log", env=self._environment
        )
        self._process.wait_until(lambda: is_up(self), what="RabbitMQ")

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def control(self, *words: str) -> None:
        program = self._server.with_name("rabbitmqctl")
        subprocess.run(
            [program, "-n", self._environment["RABBITMQ_NODENAME"], *words],
            env=self._environment,
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=120,
        )

    def remove(self) -> None:
        """End everything at once: the data are not needed any more."""
        self.kill()
        if self._epmd is not None:
            self._epmd.kill()

    def _configure(self) -> dict[str, str]:
        folder = self._folder
        (folder / "rabbitmq.conf").write_text(
            f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {self._management_port}\n"
            f"prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {self._metrics_port}\n"
            "disk_free_limit.absolute = 50MB\nraft.wal_max_size_bytes = 64000000\n"
        )
        (folder / "enabled_plugins").write_text("[rabbitmq_management,rabbitmq_prometheus].\n")
        (folder / "env.conf").touch()
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(free_port()),
            "RABBITMQ_NODENAME": f"findme-{folder.name[-8:]}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "env.conf"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
        }


class ContainerRabbitMQ(ContainerServer):
    """A broker in a container, on host ports that stay the same over restarts."""

    def __init__(self) -> None:
        from testcontainers.core.container import DockerContainer

        port, management_port, metrics_port = free_port(), free_port(), free_port()
        self.amqp_url = f"amqp://guest:guest@127.0.0.1:{port}"
        self.management_url = f"http://guest:guest@127.0.0.1:{management_port}"
        self.metrics_url = f"http://127.0.0.1:{metrics_port}"
        super().__init__(
            DockerContainer(IMAGE)
            .with_env("RABBITMQ_NODENAME", "findme@localhost")
            .with_bind_ports(5672, port)
            .with_bind_ports(MANAGEMENT_PORT, management_port)
            .with_bind_ports(METRICS_PORT, metrics_port),
            is_ready=lambda: is_up(self),
            what="RabbitMQ",
        )

    def control(self, *words: str) -> None:
        self.execute("rabbitmqctl", *words)


@contextlib.contextmanager
def running_rabbitmq(say: Callable[[str], None]) -> Iterator[RabbitMQ]:
    """Provide a broker by the first means that this machine has, and end it afterwards.

    `say` tells people what is being installed.
    """
    if url := os.environ.get(AMQP_URL_VARIABLE):
        yield ForeignRabbitMQ(url)
        return
    folder = Path(tempfile.mkdtemp(prefix="findme-mq-"))
    broker: ContainerRabbitMQ | LocalRabbitMQ
    broker = ContainerRabbitMQ() if docker_answers() else LocalRabbitMQ(folder, _find_server(say))
    try:
        broker.start()
        yield broker
    finally:
        broker.remove()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def fresh_vhost(broker: RabbitMQ) -> Iterator[str]:
    """Yield the AMQP URL of a vhost that nobody else uses, and delete it afterwards."""
    name = f"findme-test-{uuid.uuid4().hex[:12]}"
    vhost = f"{broker.management_url}/api/vhosts/{quote(name)}"
    management = _management_client()
    management.put(vhost, timeout=PATIENCE_SECONDS).raise_for_status()
    try:
        yield f"{broker.amqp_url}/{quote(name)}"
    finally:
        management.delete(vhost, timeout=PATIENCE_SECONDS).raise_for_status()


def alarms(broker: RabbitMQ) -> set[str]:
    """Which alarms ring: memory, disk. Nobody may publish then."""
    nodes = _management_client().get(f"{broker.management_url}/api/nodes", timeout=PATIENCE_SECONDS)
    return {
        what
        for node in nodes.raise_for_status().json()
        for what, field in (("memory", "mem_alarm"), ("disk", "disk_free_alarm"))
        if node.get(field)
    }


def is_up(broker: RabbitMQ) -> bool:
    address = urlsplit(broker.amqp_url)
    assert address.hostname is not None
    assert address.port is not None
    overview = f"{broker.management_url}/api/overview"
    try:
        with socket.create_connection((address.hostname, address.port), timeout=2) as connection:
            connection.sendall(PROTOCOL_HEADER)
            speaks_amqp = connection.recv(1) == b"\x01"
        return speaks_amqp and _management_client().get(overview, timeout=5).is_success
    except (OSError, httpx.TransportError):
        return False


@functools.cache
def _management_client() -> httpx.Client:
    """One for the process: a new one reads the certificates of all authorities, in 30 ms."""
    client = httpx.Client(
        limits=httpx.Limits(max_keepalive_connections=0), timeout=PATIENCE_SECONDS
    )
    atexit.register(client.close)
    return client


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise ServiceMissing(INSTALL_HELP)
    return path


def _find_server(say: Callable[[str], None]) -> Path:
    with _one_process_at_a_time():
        found = _installed_server()
        if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
            say("installing rabbitmq-server by apt for the tests ...")
            _install()
            found = _installed_server()
    if found is None:
        raise ServiceMissing(INSTALL_HELP)
    return found


@contextlib.contextmanager
def _one_process_at_a_time() -> Iterator[None]:
    """Wait for the turn: tests run in several processes, and apt installs for one."""
    with Path(tempfile.gettempdir(), f"findme-tests-{os.geteuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _installed_server() -> Path | None:
    if DEBIAN_SERVER.exists():
        return DEBIAN_SERVER
    on_path = shutil.which("rabbitmq-server")
    return Path(on_path) if on_path else None


def _install() -> None:
    # The package would start a broker on the default port, which nobody asked for.
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        for command in ("update", "install -y --no-install-recommends rabbitmq-server"):
            subprocess.run(
                ["apt-get", "-qq", *command.split()],
                check=True,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                stdout=subprocess.DEVNULL,
            )
    except subprocess.CalledProcessError as error:
        raise ServiceMissing(INSTALL_HELP) from error
    finally:
        if ours:
            policy.unlink()
