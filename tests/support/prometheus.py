"""A private Prometheus on this project's rules, where the machine has the program."""

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.monitoring import RULES
from tests.support.polling import PATIENCE_SECONDS
from tests.support.services import GuardedProcess, free_port


@dataclass(frozen=True)
class Prometheus:
    """A running server."""

    url: str
    client: httpx.Client

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The expression's series at this moment; fails the test with Prometheus's own words."""
        answer = self.client.get(f"{self.url}/api/v1/query", params={"query": expr}).json()
        assert answer["status"] == "success", f"{expr}: {answer.get('error')}"
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def rules(self) -> list[dict[str, Any]]:
        """All rules with their health."""
        answer = self.client.get(f"{self.url}/api/v1/rules").json()
        return [rule for group in answer["data"]["groups"] for rule in group["rules"]]


@contextlib.contextmanager
def running_prometheus(folder: Path, jobs: Mapping[str, str]) -> Iterator[Prometheus]:
    """Ask each job's URL every second; skips the test without the program."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed (Debian's package of that name has it)")
    port = free_port()
    # JSON is YAML.
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(path) for path in RULES],
        "scrape_configs": [_job(name, url) for name, url in jobs.items()],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    process = GuardedProcess(
        [
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'series'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        log=folder / "prometheus.log",
    )
    with httpx.Client(timeout=PATIENCE_SECONDS) as client:
        server = Prometheus(f"http://127.0.0.1:{port}", client)
        try:
            process.wait_until(lambda: _is_ready(server), what="Prometheus")
            yield server
        finally:
            process.kill()


def _job(name: str, url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    parameters: dict[str, list[str]] = {}
    for pair in filter(None, parts.query.split("&")):
        key, _, value = pair.partition("=")
        parameters.setdefault(key, []).append(value)
    return {
        "job_name": name,
        "metrics_path": parts.path or "/metrics",
        "params": parameters,
        "static_configs": [{"targets": [parts.netloc]}],
    }


def _is_ready(server: Prometheus) -> bool:
    try:
        return server.client.get(f"{server.url}/-/ready").is_success
    except httpx.TransportError:
        return False
