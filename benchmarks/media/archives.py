"""An archive of 5,000 photos: how fast it comes, and what the process has in memory for it.

The photos are a few, linked under many names, so that no disk is measured.
"""

import asyncio
import os
import socket
import threading
import time
import zlib
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import psutil
from sqlalchemy import insert, select

from benchmarks.media.plan import ORIGINAL_BYTES, Plan
from benchmarks.media.servers import Server, media
from benchmarks.private_services import PrivateServices
from benchmarks.report import Report
from libs.common.database.database import Database
from libs.common.database.tables import downloads, photos
from libs.common.photo_downloads import DOWNLOADS_PATH, archive_key
from libs.common.storage import keys
from libs.common.web.auth import Role
from libs.common.web.signed_urls import SignedUrls
from tests.support.rows import NEXT_MONTH, Rows, new_filename

READ_BYTES = 1024 * 1024
PATIENCE_SECONDS = 120.0
SAMPLE_SECONDS = 0.05


class BrokenOff(Exception):
    """The archive ended before its end: there is nothing to measure."""


async def measure(services: PrivateServices, plan: Plan, report: Report) -> None:
    """Fetch the archive as often as there are rounds."""
    with TemporaryDirectory(prefix="findme-bench-") as name:
        link = await _stored(services, Path(name), plan)
        with media(services, Path(name) / "objects") as server:
            await asyncio.to_thread(_measure, server, link, plan, report)


def _measure(server: Server, link: str, plan: Plan, report: Report) -> None:
    process, stop = psutil.Process(server.pid), threading.Event()
    samples: list[int] = []
    before = process.memory_info().rss

    def sample() -> None:
        while not stop.wait(SAMPLE_SECONDS):
            samples.append(process.memory_info().rss)

    sampling = threading.Thread(target=sample, daemon=True)
    sampling.start()
    try:
        speeds = [_fetch(server.url, link) for _ in range(plan.rounds)]
    finally:
        stop.set()
        sampling.join()
    report.figures["zip_mb_per_s"] = round(median(speeds))
    report.figures["zip_rss_mb"] = round(max(samples) / 1e6)
    # What is not there before the first archive.
    report.figures["zip_rss_growth_mb"] = round((max(samples) - before) / 1e6)


async def _stored(services: PrivateServices, folder: Path, plan: Plan) -> str:
    """Store the photos, and return the link of their archive."""
    settings = services.settings()
    async with Database.open(settings) as database:
        rows = Rows(database)
        owner = await rows.person(Role.PHOTOGRAPHER)
        event = await rows.event(owner)
        contents = [os.urandom(ORIGINAL_BYTES) for _ in range(plan.photos)]
        for number, content in enumerate(contents):
            (folder / str(number)).write_bytes(content)
        filenames = [new_filename() for _ in range(plan.archived_photos)]
        for number, filename in enumerate(filenames):
            path = folder / "objects" / keys.photo_key(event, filename)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.hardlink_to(folder / str(number % len(contents)))
        made = [
            {
                "event_id": event,
                "filename": filename,
                "original_filename": f"IMG_{number}.JPG",
                "content_type": "image/jpeg",
                "sha256": b"",
                "crc32": zlib.crc32(contents[number % len(contents)]),
                "size_bytes": ORIGINAL_BYTES,
                "width": 4000,
                "height": 3000,
            }
            for number, filename in enumerate(filenames)
        ]
        await rows.execute(insert(photos), made)
        async with database.unit_of_work() as unit:
            of_event = select(photos.c.id).where(photos.c.event_id == event)
            ids: list[int] = list(await unit.connection.scalars(of_event))
            chosen = {
                "user_id": owner.id,
                "event_id": event,
                "expires_at": NEXT_MONTH,
                "photo_ids": ids,
                "folders": "day",
                "photographers": {},
                "digest": b"",
            }
            row = insert(downloads).values(chosen).returning(downloads.c.id)
            download_id = (await unit.connection.execute(row)).scalar_one()
    signed_urls = SignedUrls(settings.signing_keys)
    return signed_urls.sign(archive_key(download_id), NEXT_MONTH, under=DOWNLOADS_PATH)


def _fetch(url: str, link: str) -> float:
    """Return how many MB a second came. Raises BrokenOff."""
    address = urlsplit(url)
    host, port = str(address.hostname), int(address.port or 80)
    received, buffer = 0, bytearray(READ_BYTES)
    with socket.create_connection((host, port), timeout=PATIENCE_SECONDS) as connection:
        began = time.perf_counter()
        connection.sendall(
            f"GET {link} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        )
        while count := connection.recv_into(buffer):
            if not received:
                head = bytes(buffer[:count]).partition(b"\r\n\r\n")[0].decode().lower()
            received += count
        seconds = time.perf_counter() - began
    expected = next(
        int(line.partition(":")[2])
        for line in head.split("\r\n")
        if line.startswith("content-length:")
    )
    if received < expected:
        raise BrokenOff(head)
    return received / 1e6 / seconds
