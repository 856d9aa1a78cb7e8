"""Images without an engine: built by following the Dockerfile, and run as it says they run."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.compose import ROOT
from tests.support.dockerfile import Stage, environment, follow, last, read_stages

STOP_SECONDS = 45
#: A user that owns nothing and, as Docker's engine for its mounts, enters every folder.
_NOBODY = (
    "setpriv",
    "--reuid=10001",
    "--regid=10001",
    "--clear-groups",
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
)
_OF_PACKAGES = ("deploy/images/install-packages.sh", "deploy/images/finish-image.sh")


@dataclass(frozen=True, slots=True)
class Image:
    """What a target's steps left in `root`."""

    name: str
    root: Path
    stages: Mapping[str, Stage]

    def command(self, kind: str) -> list[str]:
        """The image's ENTRYPOINT or HEALTHCHECK, as it runs here."""
        found = last(dict(self.stages), self.name, kind)
        assert found is not None
        words = found.words if kind != "HEALTHCHECK" else found.words_after("CMD")
        return [*unprivileged(), *(self._here(word) for word in words)]

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """All that the process sees: the image's variables, and what it is given."""
        own = environment(dict(self.stages), self.name)
        own["PATH"] = f"{self._here('/opt/findme/venv/bin')}:{os.environ['PATH']}"
        own["PYTHONPATH"] = self._here(own["PYTHONPATH"])
        for folder in {"FINDME_MODEL_DIR", "WEB_DIR"} & set(own):
            own[folder] = self._here(own[folder])
        return own | {"HOST": "127.0.0.1", "LANG": "C.UTF-8"} | dict(given)

    @property
    def workdir(self) -> Path:
        """Where its process begins."""
        found = last(dict(self.stages), self.name, "WORKDIR")
        assert found is not None
        return Path(self._here(found.value))

    def run(
        self, *arguments: str, kind: str = "ENTRYPOINT", given: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end, as `docker run` does."""
        return subprocess.run(
            [*self.command(kind), *arguments],
            cwd=self.workdir,
            env=self.environment(given),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    @contextlib.contextmanager
    def running(self, *, given: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """Run a service for the length of the block; SIGTERM must then end it with status 0."""
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command("ENTRYPOINT"),
                cwd=self.workdir,
                env=self.environment(given),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            code = process.wait(STOP_SECONDS)
            assert code == 0, f"{self.name} ended with {code}:\n{log.read_text()[-3000:]}"
        finally:
            process.kill()
            process.wait()

    def files(self) -> dict[Path, int]:
        """Every file and when it was changed."""
        return {path: path.lstat().st_mtime_ns for path in self.root.rglob("*")}

    def _here(self, word: str) -> str:
        return str(self.root / word.lstrip("/")) if word.startswith("/opt/") else word


def build(name: str, root: Path, *, packages: Path | None = None) -> Image:
    """Follow a target's steps; fails with what the failing one wrote.

    With `packages`, an environment that has them, none are installed, and nothing is compiled.
    """
    stages = read_stages(ROOT / "Dockerfile")
    # The environment of this Python stands for the base image's.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    without = () if packages is None else _OF_PACKAGES
    try:
        follow(stages, f"{name}-build", context=ROOT, root=root, path=path, without=without)
    except subprocess.CalledProcessError as error:
        raise AssertionError(f"{error.cmd}\n{error.stdout}\n{error.stderr}") from error
    if packages is not None:
        (root / "opt/findme/venv").symlink_to(packages)
    return Image(name, root, stages)


def unprivileged() -> list[str]:
    """The prefix of a command that runs it as the images' user, where this process may do that."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return []
    probe = subprocess.run([*_NOBODY, "true"], check=False, capture_output=True)
    return list(_NOBODY) if probe.returncode == 0 else []
