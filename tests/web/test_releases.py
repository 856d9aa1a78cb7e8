"""Pages that are open while a new release is put in place, in a browser: the built files alone."""

import asyncio
import re
import shutil
from pathlib import Path

import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.gallery.browser_app.files import BUILT, Pages, load_pages
from tests.support.http_server import serving
from tests.support.node import run_spec

TIMEOUT_SECONDS = 600
#: Later than that one: what the browser did is then told of.
pytestmark = pytest.mark.timeout(900)
NEXT = "/next-release"
VERSION = re.compile(r'(version: ?")(\d+)(")')
SCRIPT = re.compile(r"[\w.-]+\.js\b")


class Deployed:
    """Answers with one release, and from a POST to `/next-release` on with the next one."""

    def __init__(self, present: Pages, following: Pages) -> None:
        self._pages, self._following = present, following

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == NEXT:
            self._pages = self._following
            await Response()(scope, receive, send)
        else:
            await self._pages(scope, receive, send)


def next_release(folder: Path) -> Path:
    """Return the build as a later one leaves it: another version, and other names of its code."""
    shutil.copytree(BUILT, folder, ignore=shutil.ignore_patterns("*.br", "*.gz"))
    named = {path.name for path in folder.glob("_app/immutable/**/*.js")}

    def renamed(found: re.Match[str]) -> str:
        name = found[0]
        return f"{name.removesuffix('.js')}.next.js" if name in named else name

    shell = folder / "index.html"
    for path in [shell, *folder.rglob("*.js")]:
        path.write_text(SCRIPT.sub(renamed, path.read_text()))
        path.rename(path.with_name(SCRIPT.sub(renamed, path.name)))
    html, count = VERSION.subn(r"\g<1>next\g<3>", shell.read_text())
    assert count == 1
    shell.write_text(html.replace("<html ", '<html data-release="next" '))
    (folder / "_app" / "version.json").write_text('{"version":"next"}')
    return folder


def test_a_page_is_loaded_again_for_a_new_release_and_for_nothing_else(
    chromium: str, tmp_path: Path
) -> None:
    present, following = load_pages(BUILT), load_pages(next_release(tmp_path / "next"))
    assert present is not None
    assert following is not None

    async def in_browser() -> None:
        async with serving(Deployed(present, following)) as url:
            scene = {"url": url, "chromium": chromium, "camera": "", "nextRelease": url + NEXT}
            await asyncio.to_thread(run_spec, "releases", scene, timeout_seconds=TIMEOUT_SECONDS)

    asyncio.run(in_browser())
