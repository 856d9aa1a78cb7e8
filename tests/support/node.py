"""What Node runs in tests: the tools that `make` has installed for the browser app."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "web"
NODE_MODULES = WEB / "node_modules"
#: Node from a wheel, and its npm.
NODE = Path(sys.prefix) / "node"


def require_node() -> None:
    """Skip where Node is not installed; fail where it is, and what it runs is not."""
    if not (NODE / "node").exists():
        pytest.skip("Node is not installed: `make web` does it")
    if not (NODE_MODULES / ".bin").exists():
        pytest.fail("run `make web`, or `make test`, which does", pytrace=False)


def run_spec(name: str, scene: Mapping[str, object], *, timeout_seconds: float) -> None:
    """Run a browser test of `web/e2e` on this scene; fail with what it prints.

    FINDME_SCREENSHOTS of the environment is where it leaves pictures of what it sees.
    """
    told = {**scene, "screenshots": os.environ.get("FINDME_SCREENSHOTS", "")}
    # Playwright empties its folder at the start: downloads of one that runs beside would be gone.
    with tempfile.TemporaryDirectory() as output:
        done = run_tool(
            "playwright",
            "test",
            f"e2e/{name}.spec.ts",
            f"--output={output}",
            folder=WEB,
            environment={"FINDME_SCENE": json.dumps(told), "CI": "1"},
            timeout_seconds=timeout_seconds,
        )
    assert done.returncode == 0, done.stdout + done.stderr


def run_tool(
    name: str,
    *arguments: str,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    timeout_seconds: float = 600,
) -> subprocess.CompletedProcess[str]:
    """Run one of the installed tools in a folder."""
    return run_script(
        NODE_MODULES / ".bin" / name,
        *arguments,
        folder=folder,
        environment=environment,
        timeout_seconds=timeout_seconds,
    )


def run_script(
    script: Path,
    *arguments: str,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    timeout_seconds: float = 600,
) -> subprocess.CompletedProcess[str]:
    """Run a script of JavaScript or TypeScript in a folder."""
    path = f"{NODE}{os.pathsep}{os.environ.get('PATH', '')}"
    return subprocess.run(
        [NODE / "node", script, *arguments],
        cwd=folder,
        env={**os.environ, "PATH": path, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_seconds,
    )
