"""A browser for tests: Debian's Chromium, installed by apt where that may be done."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from PIL import Image, ImageOps

INSTALL_HELP = "Chromium is not installed: apt-get install chromium"
#: What a phone's front camera shows, in pixels.
CAMERA_SIZE = (640, 480)
#: A second of it; the browser begins again at the end.
CAMERA_FRAMES = 10


def require_chromium() -> str:
    """Return the browser's path; skip, with the reason, where it cannot be had."""
    with Path(tempfile.gettempdir(), f"findme-tests-{os.geteuid()}.lock").open("w") as lock:
        # Tests run in several processes, and apt installs for one.
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = shutil.which("chromium")
        if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
            for command in ("update", "install -y --no-install-recommends chromium"):
                subprocess.run(
                    ["apt-get", "-qq", *command.split()],
                    check=False,
                    env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                    stdout=subprocess.DEVNULL,
                )
            found = shutil.which("chromium")
    if found is None:
        pytest.skip(INSTALL_HELP)
    return found


def write_camera(selfie: Path, path: Path) -> None:
    """Write what a camera shows of somebody who looks into it: frames of Motion JPEG."""
    with Image.open(selfie) as image:
        frame = ImageOps.fit(image.convert("RGB"), CAMERA_SIZE, centering=(0.5, 0.4))
    with path.open("wb") as file:
        for _ in range(CAMERA_FRAMES):
            frame.save(file, "JPEG", quality=92)
