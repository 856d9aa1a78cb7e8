"""Photos that cameras send by FTP."""

import asyncio
import ftplib
import io
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from libs.common.storage.protocol import ObjectStore
from services.ingest.ftp.connection import HAS_NO_TLS, NEEDS_TLS, ONLY_IN
from services.ingest.settings import IngestSettings
from tests.ingest.conftest import Gallery, new_gallery, running_ingest
from tests.ingest.ftp_door import Door, certificate, no_camera, open_door
from tests.ingest.test_api_keys import key_for
from tests.ingest.test_ended_events import OVER, end
from tests.support.image_files import image_file, large_jpeg
from tests.support.polling import PATIENCE_SECONDS, eventually


@pytest.fixture
async def door(gallery: Gallery) -> AsyncIterator[Door]:
    async with open_door(gallery) as door:
        yield door


async def names(door: Door) -> list[str]:
    return [photo.original_filename for photo in await door.gallery.ingest.photos()]


async def nothing_is_left(door: Door) -> None:
    assert await door.gallery.ingest.photos() == []
    assert await door.gallery.ingest.objects() == {}


async def test_a_file_over_tls_is_a_photo_of_the_event(gallery: Gallery, tmp_path: Path) -> None:
    content = large_jpeg(3_000_017)
    pem = certificate(tmp_path)
    async with open_door(gallery, ftp_plain=False, ftp_tls_certificate=pem) as door:
        answer = await door.send("IMG_1.JPG", content, tls=True)
        [photo] = await gallery.ingest.photos()
        assert answer == f"226 IMG_1.JPG is photo {photo.id}, received."
        assert (photo.original_filename, photo.size_bytes) == ("IMG_1.JPG", len(content))
        assert photo.photographer_id == gallery.photographer_id
        assert len(await gallery.ingest.messages()) == 1

        with pytest.raises(ftplib.error_perm) as refused:
            await door.send("IMG_2.JPG", image_file())
        assert str(refused.value) == NEEDS_TLS
        # The certificate is another one after a while.
        before = pem.read_bytes()
        assert certificate(tmp_path).read_bytes() != before
        assert "there already" in await door.send("IMG_1.JPG", content, tls=True)


async def test_without_a_certificate_nobody_logs_in_unless_that_is_allowed(
    gallery: Gallery,
) -> None:
    async with open_door(gallery, ftp_plain=False) as door:
        with pytest.raises(ftplib.error_perm) as refused:
            await door.send("a.jpg", image_file())
        assert str(refused.value) == HAS_NO_TLS


async def test_the_same_bytes_are_one_photo_over_two_doors_and_http(
    settings: IngestSettings, store: ObjectStore
) -> None:
    content = large_jpeg(300_000)
    async with (
        running_ingest(settings, store) as one,
        running_ingest(settings, store) as two,
    ):
        gallery = await new_gallery(one)
        async with open_door(gallery) as here, open_door(replace(gallery, ingest=two)) as there:
            sending = [door.send(f"{n}.jpg", content) for n in range(3) for door in (here, there)]
            by_http = asyncio.create_task(
                two.client.put(
                    f"/api/events/{gallery.event_id}/photos/h.jpg",
                    content=content,
                    headers=gallery.headers,
                )
            )
            told = await asyncio.gather(*sending)
            new = sum(answer.endswith("received.") for answer in told)
            assert new + ((await by_http).status_code == 201) == 1
        assert len(await one.photos()) == len(await one.objects()) == 1


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("DCIM/100EOSR5/IMG_1.JPG", "IMG_1.JPG"),
        ("../../etc/Zoë & Max.jpg", "Zoë & Max.jpg"),
        ("caf\udce9.jpg", "café.jpg"),
        ("up\\IMG_2.JPG", "IMG_2.JPG"),
    ],
)
async def test_the_name_is_the_paths_last_part(door: Door, sent: str, shown: str) -> None:
    def store(ftp: ftplib.FTP) -> str:
        line = f"STOR {sent}\r\n".encode("utf-8", "surrogateescape")
        host, port = ftp.makepasv()
        data = socket.create_connection((host, port), PATIENCE_SECONDS)
        assert ftp.sock is not None
        ftp.sock.sendall(line)
        assert ftp.getresp()[:1] == "1"
        data.sendall(image_file())
        data.close()
        return ftp.getresp()

    assert (await door.by(store)).startswith("226 ")
    assert await names(door) == [shown]


async def test_what_is_no_photo_is_refused_with_its_reason(door: Door) -> None:
    refused = {}
    for name, content in {
        "notes.txt": b"not a photo" * 1000,
        "empty.jpg": b"",
        "cut.jpg": image_file(size=(640, 480))[:-2000],
    }.items():
        with pytest.raises(ftplib.Error) as error:
            await door.send(name, content)
        refused[name] = str(error.value)
    assert refused["notes.txt"][:3] == refused["empty.jpg"][:3] == "550"
    assert refused["cut.jpg"].startswith("426 The end of the file is missing")
    assert all(sentence.endswith(".") for sentence in refused.values())
    await nothing_is_left(door)


async def test_a_photo_above_the_limit_is_refused_and_a_full_event_too(gallery: Gallery) -> None:
    ingest = gallery.ingest
    settings = ingest.settings.model_copy(update={"max_photo_mb": 1, "max_photos_per_event": 1})
    limited = replace(gallery, ingest=replace(ingest, settings=settings))
    async with open_door(limited) as door:
        with pytest.raises(ftplib.error_perm, match=r"^552 The file is larger than 1 MB\."):
            await door.send("large.jpg", large_jpeg(2_000_000))
        await nothing_is_left(door)
        assert (await door.send("a.jpg", image_file())).startswith("226 ")
    # Counts are a second old.
    async with open_door(limited) as door:
        with pytest.raises(ftplib.error_temp, match=r"^452 This event has 1 photos"):
            await door.send("b.jpg", image_file(seed=1))


async def test_logins_that_are_not_right_are_refused_alike(door: Door) -> None:
    gallery = door.gallery
    other = await new_gallery(gallery.ingest)
    of_other = await key_for(other)
    of_other_event = await key_for(
        gallery,
        event_id=await gallery.ingest.world.event(gallery.photographer_id),
    )
    told = set()
    for user, password in (
        (None, "fmk_wrong"),
        (None, of_other.text),
        (None, of_other_event.text),
        ("NOSUCHEVENT", None),
    ):
        with pytest.raises(ftplib.error_perm) as refused:
            await door.by(lambda ftp: ftp.pwd(), user=user, password=password)
        told.add(str(refused.value))
    [sentence] = told
    assert sentence.startswith("530 The user name must be the event's code, and the password an")


async def test_too_many_wrong_logins_are_refused_but_a_camera_that_was_in_goes_on(
    gallery: Gallery,
) -> None:
    async with open_door(gallery, limits_scale=0.1) as door:  # 30 in a quarter of an hour
        await door.send("a.jpg", image_file())

        def guess(__: ftplib.FTP) -> list[str]:
            told = []
            for _ in range(31):
                with ftplib.FTP(timeout=PATIENCE_SECONDS) as client:
                    client.connect("127.0.0.1", door.port)
                    with pytest.raises(ftplib.error_perm) as refused:
                        client.login(door.code, "fmk_wrong")
                    told.append(str(refused.value))
            return told

        told = await door.by(guess)
        assert {line[:22] for line in told[:30]} == {"530 The user name must"}
        assert told[30].startswith("530 Too many")
        assert (await door.send("b.jpg", image_file(seed=1))).startswith("226 ")


async def test_an_event_that_is_over_takes_nothing(door: Door) -> None:
    async def over() -> None:
        await end(door.gallery.ingest, door.gallery.event_id)

    loop = asyncio.get_running_loop()

    def send_later(ftp: ftplib.FTP) -> str:
        asyncio.run_coroutine_threadsafe(over(), loop).result(30)
        with pytest.raises(ftplib.error_perm) as refused:
            ftp.storbinary("STOR a.jpg", io.BytesIO(image_file()))
        return str(refused.value)

    assert await door.by(send_later) == f"550 {OVER}"
    with pytest.raises(ftplib.error_perm, match=r"^550 This event has ended"):
        await door.send("a.jpg", image_file())
    await nothing_is_left(door)


async def test_a_camera_that_sends_nothing_any_more_is_given_up(gallery: Gallery) -> None:
    def stall(ftp: ftplib.FTP) -> str:
        with ftp.transfercmd("STOR IMG_1.JPG") as data:
            data.sendall(image_file()[:2000])
            return ftp.getline()

    async with open_door(gallery, upload_stall_seconds=0.5) as door:
        assert (await door.by(stall)).startswith("421 Nothing arrived")
        await eventually(no_camera)
        assert await names(door) == []


async def test_photos_go_in_and_nothing_comes_out(door: Door) -> None:
    await door.send("before.jpg", image_file())

    def look(ftp: ftplib.FTP) -> dict[str, object]:
        ftp.storbinary("STOR DCIM/own.jpg", io.BytesIO(image_file(seed=1)))
        found: dict[str, object] = {"nlst": ftp.nlst(), "own": ftp.nlst("DCIM")}
        ftp.voidcmd("TYPE I")
        found["size"] = ftp.size("DCIM/own.jpg")
        lines: list[str] = []
        ftp.retrlines("LIST DCIM", lines.append)
        found["list"] = [line.split()[-1] for line in lines]
        found["mlsd"] = [name for name, _ in ftp.mlsd("DCIM")]
        for command in ("RETR before.jpg", "RETR DCIM/own.jpg", "DELE DCIM/own.jpg", "RMD DCIM"):
            with pytest.raises(ftplib.error_perm) as refused:
                ftp.voidcmd(command)
            found[command] = str(refused.value)
        return found

    found = await door.by(look)
    assert found["nlst"] == []
    assert found["own"] == found["list"] == found["mlsd"] == ["own.jpg"]
    assert found["size"] == len(image_file(seed=1))
    assert {found[c] for c in found if c.startswith(("RETR", "DELE", "RMD"))} == {ONLY_IN}
    assert len(await door.gallery.ingest.photos()) == 2


async def test_a_photo_that_was_just_sent_is_renamed_and_no_other(door: Door) -> None:
    await door.send("before.jpg", image_file())

    def rename(ftp: ftplib.FTP) -> None:
        ftp.storbinary("STOR IMG_1.tmp", io.BytesIO(image_file(seed=1)))
        ftp.rename("IMG_1.tmp", "IMG_1.JPG")
        assert ftp.nlst() == ["IMG_1.JPG"]
        # Of a duplicate, the photo that is there keeps its name.
        ftp.storbinary("STOR again.tmp", io.BytesIO(image_file()))
        ftp.rename("again.tmp", "again.jpg")
        with pytest.raises(ftplib.error_perm, match=r"^550 "):
            ftp.rename("before.jpg", "mine.jpg")

    await door.by(rename)
    assert await names(door) == ["before.jpg", "IMG_1.JPG"]


#: The kinds of sequences that the makers' bodies send: a folder of its own, or the card's, a look
#: whether the name is there, the file. No recording of a body was at hand.
SCRIPTS = {
    "canon": ["SYST", "PWD", "TYPE I", "CWD /", "MKD 100EOSR5", "CWD 100EOSR5", "PASV", "STOR"],
    "nikon": [
        "FEAT",
        "OPTS UTF8 ON",
        "PWD",
        "CWD NCFL",
        "TYPE I",
        "NOOP",
        "SIZE",
        "PASV",
        "STOR",
    ],
    "sony": ["OPTS UTF8 ON", "TYPE I", "MKD DCIM", "CWD DCIM", "MDTM", "EPSV", "STOR"],
}


@pytest.mark.parametrize("maker", SCRIPTS)
async def test_what_a_makers_bodies_send_brings_a_photo_in(door: Door, maker: str) -> None:
    content = image_file()

    def talk() -> list[str]:
        control = socket.create_connection(("127.0.0.1", door.port), PATIENCE_SECONDS)
        lines = control.makefile("r", encoding="utf-8", newline="\r\n")
        answers: list[str] = []

        def ask(line: str) -> str:
            control.sendall(f"{line}\r\n".encode())
            return read()

        def read() -> str:
            line = lines.readline()
            while line[3:4] == "-" or line[:1] == " ":
                line = lines.readline()
            answers.append(f"{line[:3]}")
            return line

        with control, lines:
            read()
            ask(f"USER {door.code}")
            ask(f"PASS {door.key.text}")
            port = 0
            for command in SCRIPTS[maker]:
                if command == "STOR":
                    data = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
                    ask("STOR DSC_0001.JPG")
                    data.sendall(content)
                    data.close()
                    read()
                    continue
                named = command in {"SIZE", "MDTM"}
                line = ask(f"{command} DSC_0001.JPG" if named else command)
                if command == "PASV":
                    parts = line[line.index("(") + 1 : line.index(")")].split(",")
                    port = int(parts[4]) * 256 + int(parts[5])
                elif command == "EPSV":
                    port = int(line.split("|")[3])
            ask("QUIT")
        return answers

    answers = await asyncio.to_thread(talk)
    missing = {"SIZE", "MDTM"} & set(SCRIPTS[maker])
    assert [answer for answer in answers if answer > "400"] == ["550"] * len(missing)
    assert answers[-2:] == ["226", "221"]
    assert await names(door) == ["DSC_0001.JPG"]


@pytest.mark.parametrize("tool", ["curl", "lftp"])
async def test_a_tool_sends_over_tls(gallery: Gallery, tmp_path: Path, tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    file = tmp_path / "IMG_9.JPG"
    file.write_bytes(large_jpeg(500_000))
    pem = certificate(tmp_path)
    async with open_door(gallery, ftp_plain=False, ftp_tls_certificate=pem) as door:
        login = f"{door.code},{door.key.text}"
        url = f"ftp://127.0.0.1:{door.port}"
        command = {
            "curl": [
                "curl",
                "-sS",
                "--ssl-reqd",
                "-k",
                "--ftp-create-dirs",
                "-T",
                str(file),
                "-u",
                login.replace(",", ":"),
                f"{url}/DCIM/100/",
            ],
            "lftp": [
                "lftp",
                "-u",
                login,
                "-e",
                "set ssl:verify-certificate no; set ftp:ssl-force yes;"
                f" set ftp:ssl-protect-data yes; put {file}; bye",
                url,
            ],
        }[tool]
        ended = await asyncio.to_thread(
            subprocess.run,
            command,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert await names(door) == ["IMG_9.JPG"]


async def test_who_comes_when_all_places_are_taken_is_told_so(gallery: Gallery) -> None:
    async with open_door(gallery, ftp_max_connections=1) as door:

        def fill(_: ftplib.FTP) -> str:
            with pytest.raises(ftplib.Error) as refused:
                _connect(door.port)
            return str(refused.value)

        assert (await door.by(fill)).startswith("421 Too many")


def _connect(port: int) -> None:
    with ftplib.FTP(timeout=PATIENCE_SECONDS) as client:
        client.connect("127.0.0.1", port)
