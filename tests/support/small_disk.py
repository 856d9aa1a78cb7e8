"""A disk that is full when a test wants it."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class SmallDisk:
    """A file system of its own at `path`; `fill` leaves so many bytes, `free` gives all back."""

    path: Path

    def fill(self, *, but_bytes: int = 0) -> None:
        free = os.statvfs(self.path)
        with self._ballast.open("wb") as file:
            file.write(bytes(free.f_bavail * free.f_frsize - but_bytes))

    def free(self) -> None:
        self._ballast.unlink()

    def files(self) -> list[str]:
        """What else is on it."""
        return sorted(path.name for path in self.path.iterdir() if path != self._ballast)

    @property
    def _ballast(self) -> Path:
        return self.path / "ballast"


@contextmanager
def small_disk(path: Path, *, size_bytes: int = 4 * 1024 * 1024) -> Iterator[SmallDisk]:
    """Mount a file system in memory for the length of the block; skips where one may not."""
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "findme-test", path],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode != 0:
        pytest.skip(f"only root may mount a disk that is full: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(path)
    finally:
        # Lazily: a process of the test may still have a file open there.
        subprocess.run(["umount", "--lazy", path], check=True)
