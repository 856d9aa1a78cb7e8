import hashlib
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import models as models_commands
from cli.models import models_app
from services.recognition.engine.models.download import (
    DownloadFailed,
    WrongContent,
    download,
    is_there,
)
from services.recognition.engine.models.files import ZOO_MODELS, ModelFile

CONTENT = bytes(range(256)) * 4096


class ModelServer(http.server.ThreadingHTTPServer):
    """Serves one file, with ranges, and cuts as many answers in the middle as it is told."""

    def __init__(self, content: bytes, *, cuts: int, ranges: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = content
        self.cuts = cuts
        self.ranges = ranges
        self.starts: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/model.onnx"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: ModelServer

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-")
        start = int(asked) if self.server.ranges else 0
        self.server.starts.append(start)
        rest = self.server.content[start:]
        if start and not rest:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if self.server.cuts:
            self.server.cuts -= 1
            rest = rest[: len(rest) // 2]
        self.wfile.write(rest)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(
    content: bytes = CONTENT, *, cuts: int = 0, ranges: bool = True
) -> Iterator[ModelServer]:
    with ModelServer(content, cuts=cuts, ranges=ranges) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def model_at(url: str, content: bytes = CONTENT) -> ModelFile:
    return ModelFile("model.onnx", url, hashlib.sha256(content).hexdigest(), "MIT", "a test")


def nothing(_done: int, _size: int | None) -> None:
    pass


def test_a_model_is_fetched_and_its_progress_told(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    with serving() as server:
        path = download(
            model_at(server.url), tmp_path / "new", progress=lambda *step: seen.append(step)
        )
    assert path.read_bytes() == CONTENT
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert list(path.parent.iterdir()) == [path]


def test_a_cut_download_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with serving(cuts=2) as server:
        path = download(model_at(server.url), tmp_path, progress=nothing)
    assert path.read_bytes() == CONTENT
    first, second, third = server.starts
    assert first == 0 < second < third < len(CONTENT)


def test_a_later_run_goes_on_where_an_earlier_one_was_cut(tmp_path: Path) -> None:
    (tmp_path / "model.onnx.part").write_bytes(CONTENT[:1000])
    with serving() as server:
        path = download(model_at(server.url), tmp_path, progress=nothing)
    assert server.starts == [1000]
    assert path.read_bytes() == CONTENT


def test_a_server_without_ranges_is_asked_from_the_start(tmp_path: Path) -> None:
    (tmp_path / "model.onnx.part").write_bytes(b"something else" * 100)
    with serving(ranges=False) as server:
        path = download(model_at(server.url), tmp_path, progress=nothing)
    assert path.read_bytes() == CONTENT


def test_a_part_that_is_whole_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "model.onnx.part").write_bytes(CONTENT)
    with serving() as server:
        path = download(model_at(server.url), tmp_path, progress=nothing)
    assert path.read_bytes() == CONTENT


def test_a_wrong_content_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with (
        serving(b"not the model") as server,
        pytest.raises(WrongContent, match="another content than expected"),
    ):
        download(model_at(server.url), tmp_path, progress=nothing)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(CONTENT)
    with serving() as server:
        download(model_at(server.url), tmp_path, progress=nothing)
    assert server.starts == []


def test_a_damaged_model_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(CONTENT[:-1])
    with serving() as server:
        assert not is_there(model_at(server.url), tmp_path)
        download(model_at(server.url), tmp_path, progress=nothing)
        assert is_there(model_at(server.url), tmp_path)


def test_without_a_network_the_error_says_where_to_put_the_file(tmp_path: Path) -> None:
    with serving() as server:
        gone = model_at(server.url)
    with pytest.raises(DownloadFailed, match="put it into") as caught:
        download(gone, tmp_path, progress=nothing)
    for needed in (gone.url, gone.sha256, str(tmp_path)):
        assert needed in str(caught.value)


def test_a_part_of_another_file_is_given_up(tmp_path: Path) -> None:
    with serving(b"") as server:
        (tmp_path / "model.onnx.part").write_bytes(b"x")
        with pytest.raises(WrongContent):
            download(model_at(server.url), tmp_path, progress=nothing)
    assert len(server.starts) == 1


def test_the_command_pulls_all_models_and_lists_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as server:
        monkeypatch.setattr(models_commands, "ZOO_MODELS", (model_at(server.url),))
        folder = ["--model-dir", str(tmp_path)]
        assert " no " in CliRunner().invoke(models_app, ["list", *folder]).stdout
        pulled = CliRunner().invoke(models_app, ["pull", *folder])
        assert pulled.exit_code == 0
        assert str(tmp_path) in pulled.stdout
        assert " yes " in CliRunner().invoke(models_app, ["list", *folder]).stdout
    assert is_there(model_at(server.url), tmp_path)


def test_the_zoo_s_models_have_pinned_digests() -> None:
    digests = [model.sha256 for model in ZOO_MODELS]
    assert digests == [
        "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
    ]
