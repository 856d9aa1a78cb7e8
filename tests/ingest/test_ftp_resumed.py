"""Files by FTP that break off, and are gone on with; and the door's own end."""

import asyncio
import contextlib
import ftplib
import hashlib
import io
import shutil
import socket
import struct
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import func, select, update

from libs.common.database.tables import resumable_uploads
from services.ingest.ftp import server
from services.ingest.resumable.expiry import sweep
from tests.ingest.conftest import Gallery
from tests.ingest.ftp_door import Door, certificate, no_camera, open_door
from tests.ingest.test_api_keys import key_for
from tests.support.image_files import image_file, large_jpeg
from tests.support.polling import PATIENCE_SECONDS, eventually

CONTENT = large_jpeg(3_000_000)
OTHER_CONTENT = large_jpeg(3_000_000, seed=1)
CAME = 1_500_000


@pytest.fixture
async def door(gallery: Gallery) -> AsyncIterator[Door]:
    async with open_door(gallery) as door:
        yield door


async def break_off(
    door: Door,
    sent: bytes,
    *,
    name: str = "IMG_1.JPG",
    tls: bool = False,
    source: str = "127.0.0.1",
) -> None:
    """Send so much of a file, and vanish as a camera that is switched off."""

    loop = asyncio.get_running_loop()

    def breaks(ftp: ftplib.FTP) -> None:
        ftp.voidcmd("TYPE I")
        data = ftp.transfercmd(f"STOR {name}")
        data.sendall(sent)
        asyncio.run_coroutine_threadsafe(eventually(is_received), loop).result(PATIENCE_SECONDS)
        assert ftp.sock is not None
        for one in (data, ftp.sock):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        data.close()
        ftp.close()

    with contextlib.suppress(OSError, EOFError, AttributeError):
        await door.by(breaks, tls=tls, source=source)
    await eventually(no_camera)


def is_received() -> bool:
    """Whether a file is read at this moment."""
    return bool(REGISTRY.get_sample_value("findme_open_uploads"))


async def kept_bytes(door: Door, name: str = "IMG_1.JPG") -> int | None:
    def ask(ftp: ftplib.FTP) -> int | None:
        ftp.voidcmd("TYPE I")
        return ftp.size(name)

    return await door.by(ask)


async def only_photo_is(gallery: Gallery, content: bytes) -> None:
    [photo] = await gallery.ingest.photos()
    assert photo.sha256 == hashlib.sha256(content).digest()
    assert list((await gallery.ingest.objects()).values()) == [len(content)]
    assert await unfinished(gallery) == 0


async def unfinished(gallery: Gallery) -> int:
    async with gallery.ingest.resources.database.read() as connection:
        count = select(func.count()).select_from(resumable_uploads)
        return int(await connection.scalar(count) or 0)


@pytest.mark.parametrize("tls", [False, True])
async def test_what_came_of_a_file_that_broke_off_is_gone_on_with(
    gallery: Gallery, tmp_path: Path, tls: bool
) -> None:
    async with open_door(gallery, ftp_tls_certificate=certificate(tmp_path)) as door:
        await break_off(door, CONTENT[:CAME], tls=tls)
        assert await gallery.ingest.photos() == []

        def go_on(ftp: ftplib.FTP) -> str:
            ftp.voidcmd("TYPE I")
            known = ftp.size("IMG_1.JPG") or 0
            # Of a reset connection, what was still in the kernel's hands may be lost.
            assert 0 < known < CAME
            return ftp.storbinary("STOR IMG_1.JPG", io.BytesIO(CONTENT[known:]), rest=known)

        assert (await door.by(go_on, tls=tls)).endswith("received.")
        await only_photo_is(gallery, CONTENT)


async def test_a_file_may_break_off_again_and_again(door: Door) -> None:
    await break_off(door, CONTENT[:2000])
    for _ in range(4):
        known = await kept_bytes(door) or 0

        def goes_on(ftp: ftplib.FTP, known: int = known) -> None:
            data = ftp.transfercmd("APPE IMG_1.JPG")
            data.sendall(CONTENT[known : known + 700_000])
            assert ftp.sock is not None
            # It goes away with both connections, in order for all that anybody sees.
            ftp.sock.shutdown(socket.SHUT_RDWR)
            data.close()

        with contextlib.suppress(OSError, EOFError):
            await door.by(goes_on)
        await eventually(no_camera)
        assert (await kept_bytes(door) or 0) >= known
    known = await kept_bytes(door) or 0
    assert await unfinished(door.gallery) == 1
    assert len(await door.gallery.ingest.objects()) == 1
    rest = io.BytesIO(CONTENT[known:])
    assert (await door.by(lambda ftp: ftp.storbinary("APPE IMG_1.JPG", rest))).startswith("226")
    await only_photo_is(door.gallery, CONTENT)


async def test_a_file_that_came_whole_before_it_broke_off_is_not_taken_for_sent(
    door: Door,
) -> None:
    content = image_file(size=(640, 480))

    loop = asyncio.get_running_loop()

    def leaves(ftp: ftplib.FTP) -> None:
        data = ftp.transfercmd("STOR IMG_1.JPG")
        data.sendall(content)
        asyncio.run_coroutine_threadsafe(eventually(is_received), loop).result(PATIENCE_SECONDS)
        assert ftp.sock is not None
        ftp.sock.shutdown(socket.SHUT_RDWR)
        data.close()

    with contextlib.suppress(OSError, EOFError):
        await door.by(leaves)
    await eventually(no_camera)
    known = await kept_bytes(door)
    assert known == len(content) - 1
    rest = io.BytesIO(content[known:])
    assert (await door.by(lambda ftp: ftp.storbinary("STOR IMG_1.JPG", rest, rest=known))).endswith(
        "received."
    )
    await only_photo_is(door.gallery, content)


@pytest.mark.parametrize("tool", ["curl", "lftp"])
async def test_a_tool_goes_on_where_the_file_broke_off(
    gallery: Gallery, tmp_path: Path, tool: str
) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    file = tmp_path / "IMG_1.JPG"
    file.write_bytes(CONTENT)
    async with open_door(gallery, ftp_tls_certificate=certificate(tmp_path)) as door:
        await break_off(door, CONTENT[:CAME], tls=True)
        known = await kept_bytes(door)
        url = f"ftp://127.0.0.1:{door.port}"
        login = f"{door.code}:{door.key.text}"
        curl = f"curl -sS --ssl-reqd -k -C - -w %{{size_upload}} -u {login} -T {file} {url}/"
        lftp_commands = (
            "set ssl:verify-certificate no; set ftp:ssl-force yes; set ftp:ssl-protect-data yes;"
            f" put -c {file}; bye"
        )
        lftp = ["lftp", "-d", "-u", login.replace(":", ","), "-e", lftp_commands, url]
        ended = await asyncio.to_thread(
            subprocess.run,
            curl.split() if tool == "curl" else lftp,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert known is not None
        if tool == "curl":
            assert int(ended.stdout) == len(CONTENT) - known
        else:
            assert f"REST {known}" in ended.stdout + ended.stderr
        await only_photo_is(gallery, CONTENT)


async def test_nobody_else_finds_it_and_nobody_goes_on_behind_it(door: Door) -> None:
    await break_off(door, CONTENT[:CAME])
    other = await key_for(door.gallery)

    def ask(ftp: ftplib.FTP) -> str:
        ftp.voidcmd("TYPE I")
        with pytest.raises(ftplib.error_perm) as refused:
            ftp.size("IMG_1.JPG")
        return str(refused.value)

    assert (await door.by(ask, password=other.text)).startswith("550 ")

    def elsewhere(ftp: ftplib.FTP) -> str:
        ftp.cwd("DCIM")
        return ask(ftp)

    assert (await door.by(elsewhere)).startswith("550 ")

    def behind(ftp: ftplib.FTP) -> str:
        with pytest.raises(ftplib.error_perm) as refused:
            ftp.storbinary("STOR IMG_1.JPG", io.BytesIO(b"x"), rest=CAME + 1)
        return str(refused.value)

    assert (await door.by(behind)).startswith("554 Of this file ")


async def test_bodies_that_share_a_key_and_a_name_go_on_with_their_own_files(door: Door) -> None:
    bodies = {"127.0.0.1": CONTENT, "127.0.0.2": OTHER_CONTENT}
    for source, content in bodies.items():
        await break_off(door, content[:CAME], source=source)
    for source, content in bodies.items():
        answer = await door.by(partial(appended, content=content), source=source)
        assert answer.endswith("received.")
    photos = await door.gallery.ingest.photos()
    assert {photo.sha256 for photo in photos} == {
        hashlib.sha256(content).digest() for content in bodies.values()
    }
    assert await unfinished(door.gallery) == 0


def appended(ftp: ftplib.FTP, content: bytes) -> str:
    """Send what is missing of a file, of which something has come."""
    ftp.voidcmd("TYPE I")
    known = ftp.size("IMG_1.JPG")
    assert known
    return ftp.storbinary("APPE IMG_1.JPG", io.BytesIO(content[known:]))


async def test_who_sends_it_anew_or_sends_no_photo_leaves_nothing_of_it(door: Door) -> None:
    await break_off(door, CONTENT[:CAME])
    await door.send("IMG_1.JPG", CONTENT)
    await only_photo_is(door.gallery, CONTENT)

    await break_off(door, CONTENT[:CAME], name="IMG_2.JPG")
    with pytest.raises(ftplib.error_perm):
        await door.send("IMG_2.JPG", b"not a photo" * 1000)
    await only_photo_is(door.gallery, CONTENT)


async def test_no_more_is_kept_than_resumable_uploads_may_take_and_it_is_swept_with_them(
    gallery: Gallery,
) -> None:
    settings = gallery.ingest.settings.model_copy(update={"max_unfinished_uploads": 1})
    limited = replace(gallery, ingest=replace(gallery.ingest, settings=settings))
    async with open_door(limited) as door:
        await break_off(door, CONTENT[:CAME])
        await break_off(door, CONTENT[:CAME], name="IMG_2.JPG")
        assert await unfinished(gallery) == len(await gallery.ingest.objects()) == 1
    resources = gallery.ingest.resources
    async with resources.database.unit_of_work() as unit:
        await unit.connection.execute(update(resumable_uploads).values(expires_at=func.now()))
    assert await sweep(resources.database, resources.store) == 1
    assert await unfinished(gallery) == len(await gallery.ingest.objects()) == 0


async def test_a_file_that_is_on_its_way_arrives_before_the_door_closes(door: Door) -> None:
    loop = asyncio.get_running_loop()

    def send(ftp: ftplib.FTP) -> tuple[str, str]:
        with socket.create_connection(("127.0.0.1", door.port), PATIENCE_SECONDS) as idle:
            answers = idle.makefile()
            answers.readline()
            data = ftp.transfercmd("STOR IMG_1.JPG")
            data.sendall(CONTENT[:CAME])
            ended = asyncio.run_coroutine_threadsafe(door.app.state.stopping.begin(), loop)
            # Who sends nothing is sent away at once.
            told_idle = answers.readline()
            assert not ended.done()
            data.sendall(CONTENT[CAME:])
            data.close()
            told = ftp.getresp()
            ended.result(PATIENCE_SECONDS)
            ftp.close()
        return told, told_idle

    told, told_idle = await door.by(send)
    assert told.endswith("received.")
    assert told_idle.startswith("421 The server is being stopped.")
    await only_photo_is(door.gallery, CONTENT)


async def test_of_a_file_that_takes_too_long_at_the_doors_end_what_came_is_kept(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough for the door to have read something.
    monkeypatch.setattr(server, "FINISH_SECONDS", 2.0)
    monkeypatch.setattr(server, "SETTLE_SECONDS", PATIENCE_SECONDS)
    loop = asyncio.get_running_loop()
    async with open_door(gallery) as door:

        def send(ftp: ftplib.FTP) -> str:
            with ftp.transfercmd("STOR IMG_1.JPG") as data:
                data.sendall(CONTENT[:CAME])
                ended = asyncio.run_coroutine_threadsafe(door.app.state.stopping.begin(), loop)
                told = ftp.getline()
                ended.result(PATIENCE_SECONDS)
            ftp.close()
            return told

        assert (await door.by(send)).startswith("421 The server is being stopped.")
    async with open_door(gallery) as opened:

        def go_on(ftp: ftplib.FTP) -> str:
            ftp.voidcmd("TYPE I")
            known = ftp.size("IMG_1.JPG") or 0
            assert known > 0
            return ftp.storbinary("STOR IMG_1.JPG", io.BytesIO(CONTENT[known:]), rest=known)

        assert (await opened.by(go_on, password=door.key.text)).endswith("received.")
    await only_photo_is(gallery, CONTENT)
