"""One FindMe for all tests in a browser, which can be killed and started again in the middle."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from demo.command import make_place
from demo.scenario import Place
from demo.server import Server, running_server
from standalone.settings import StandaloneSettings
from tests.support.small_event import PASSWORD

#: What few photos need: a worker for faces takes seconds to start.
FEW_PHOTOS = {"PHOTO_QUEUE_WORKERS": "1"}


class FindMe:
    """A running `findme up` that keeps its address."""

    def __init__(self, data_dir: Path) -> None:
        self.settings = StandaloneSettings(findme_data_dir=data_dir)
        self._data_dir = data_dir
        self._stack = ExitStack()
        self._server = self._start(0)
        self.url = self._server.url

    def place(self, run: str, *, name: str) -> Place:
        """Make a photographer and an event of a test's own, of this name."""
        made = make_place(self.settings, self.url, run=run, password=PASSWORD, name=name)
        return asyncio.run(made)

    def restart(self) -> str:
        """Kill it in the middle of whatever it does, and start it again."""
        self._server.process.kill()
        self._stack.close()
        self._server = self._start(urlsplit(self.url).port or 0)
        return self.url

    def stop(self) -> None:
        self._stack.close()

    def _start(self, port: int) -> Server:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in FEW_PHOTOS.items():
                patch.setenv(name, value)
            return self._stack.enter_context(running_server(self._data_dir, port=port))


@contextmanager
def answered_on_demand(answer: Callable[[], str]) -> Iterator[str]:
    """Give the address at which a browser's test has something done by a POST, and is told."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = answer().encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: the test's output is the browser's."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
