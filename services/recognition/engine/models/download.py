"""Fetch a model file: resumed where it was cut, checked before it is used, whole or not there."""

import contextlib
import hashlib
import os
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import httpx

from libs.common.errors import FindMeError
from services.recognition.engine.models.files import ModelFile

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there, and with the size when the server tells it."""

ATTEMPTS = 5
_CHUNK_BYTES = 64 * 1024
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)


class DownloadFailed(FindMeError):
    """The file could not be fetched; the message says where to put it by hand."""


class WrongContent(DownloadFailed):
    """What was fetched is not the file that was meant."""


def is_there(model: ModelFile, folder: Path) -> bool:
    """Whether the folder has the file, with the right content."""
    path = folder / model.name
    return path.is_file() and _sha256(path) == model.sha256


def download(model: ModelFile, folder: Path, *, progress: Progress) -> Path:
    """Fetch the file into the folder and return its path; nothing is done when it is there.

    A download that was cut, now or in an earlier run, is resumed. Raises
    `WrongContent` and, after some attempts, `DownloadFailed`.
    """
    path = folder / model.name
    if is_there(model, folder):
        return path
    part = folder / f"{model.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(model, part, progress)
        if _sha256(part) != model.sha256:
            part.unlink()
            msg = f"{model.url} has another content than expected; nothing was installed"
            raise WrongContent(msg)
        part.replace(path)
    except (OSError, httpx.HTTPError) as error:
        msg = (
            f"{model.name} could not be fetched: {error or type(error).__name__}. Without a "
            f"network, get it from {model.url} elsewhere and put it into {folder}; its SHA-256 "
            f"must be {model.sha256}."
        )
        raise DownloadFailed(msg) from error
    return path


def _fetch(model: ModelFile, part: Path, progress: Progress) -> None:
    """Append to the part file until it is whole; an attempt that gained bytes costs nothing."""
    failures = 0
    with httpx.Client(follow_redirects=True, timeout=_TIMEOUT) as client:
        while True:
            before = part.stat().st_size if part.exists() else 0
            try:
                _fetch_once(client, model, part, progress)
            except httpx.TransportError:
                gained = part.exists() and part.stat().st_size > before
                failures = 0 if gained else failures + 1
                if failures == ATTEMPTS:
                    raise
            else:
                return


def _fetch_once(client: httpx.Client, model: ModelFile, part: Path, progress: Progress) -> None:
    have = part.stat().st_size if part.exists() else 0
    # Compressed on the way, a range would not be one of the file.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with client.stream("GET", model.url, headers=headers) as answer:
        if answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # there is no more of it: the checksum will tell whether it is whole
        answer.raise_for_status()
        resumed = answer.status_code == HTTPStatus.PARTIAL_CONTENT
        done = have if resumed else 0
        length = answer.headers.get("Content-Length")
        size = done + int(length) if length else None
        with part.open("ab" if resumed else "wb") as file:
            progress(done, size)
            for chunk in answer.iter_bytes(_CHUNK_BYTES):
                file.write(chunk)
                done += len(chunk)
                progress(done, size)
            file.flush()
            with contextlib.suppress(OSError):  # not every file system can
                os.fsync(file.fileno())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
