"""What media takes while 200 clients read originals slowly."""

import asyncio

import psutil

from benchmarks.media.album import album
from benchmarks.media.plan import ORIGINAL_BYTES, Plan
from benchmarks.media.servers import media
from benchmarks.private_services import PrivateServices
from benchmarks.report import Report
from libs.common import tasks
from tests.support.slow_clients import SlowClient, clients_of

CLIENTS = 200
READ_BYTES = 64 * 1024
#: 2 Mbit/s of each.
PAUSE_SECONDS = 0.25
SAMPLE_SECONDS = 0.05


async def measure(services: PrivateServices, plan: Plan, report: Report) -> None:
    """Have each client read at its pace, and look at the process meanwhile."""
    async with album(services, plan.photos) as photos:
        with media(services, photos.folder) as server:
            links = photos.links(photos.originals)
            async with clients_of(server.url, CLIENTS) as clients:
                for number, client in enumerate(clients):
                    await client.get(links[number % len(links)])
                reading = [asyncio.create_task(_read_slowly(client)) for client in clients]
                peak = 0
                process = psutil.Process(server.pid)
                for _ in range(int(plan.seconds * plan.rounds / SAMPLE_SECONDS)):
                    peak = max(peak, process.memory_info().rss)
                    await asyncio.sleep(SAMPLE_SECONDS)
                await tasks.end(*reading)
    report.figures["peak_rss_200_clients_mb"] = round(peak / 1e6)


async def _read_slowly(client: SlowClient) -> None:
    left = ORIGINAL_BYTES
    while left > 0:
        left -= len(await client.read(READ_BYTES))
        await asyncio.sleep(PAUSE_SECONDS)
