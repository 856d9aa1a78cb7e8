"""A folder's thumbnails and originals: media alone, with the gateway sending, and nginx.

Beside them the server alone, which is what one process of Python can reach.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from statistics import median

from benchmarks.media.album import Album, album
from benchmarks.media.load import Load, ask
from benchmarks.media.plan import ORIGINAL_BYTES, THUMBNAIL_BYTES, Plan, on_client_cores
from benchmarks.media.servers import empty_answer, gateway, media, nginx
from benchmarks.private_services import PrivateServices
from benchmarks.report import Report

CONNECTIONS, MANY_CONNECTIONS = 16, 64


async def measure(services: PrivateServices, plan: Plan, report: Report) -> None:
    """Ask all in turn."""
    async with album(services, plan.photos) as photos:
        await asyncio.to_thread(_measure, services, photos, plan, report)


def _measure(services: PrivateServices, photos: Album, plan: Plan, report: Report) -> None:
    on_client_cores()
    with (
        nginx(photos.folder) as beside,
        media(services, photos.folder) as own,
        media(services, photos.folder, {"MEDIA_DELIVERY": "accel"}) as handing_over,
        gateway(handing_over.url, photos.folder) as before,
    ):
        for size, length, keys in (
            ("40kb", THUMBNAIL_BYTES, photos.thumbnails),
            ("2500kb", ORIGINAL_BYTES, photos.originals),
        ):
            links = photos.links(keys)
            of = partial(ask, answer_bytes=length, seconds=plan.seconds)
            with empty_answer(length) as empty:
                loads = in_turn(
                    plan.rounds,
                    {
                        "nginx": partial(
                            of, beside.url, [f"/{key}" for key in keys], connections=CONNECTIONS
                        ),
                        "asgi": partial(of, empty.url, ["/"], connections=CONNECTIONS),
                        "media": partial(of, own.url, links, connections=CONNECTIONS),
                        "many": partial(of, own.url, links, connections=MANY_CONNECTIONS),
                        "accel": partial(of, before, links, connections=CONNECTIONS),
                    },
                )
            per_s = {name: median(load.per_s for load in found) for name, found in loads.items()}
            report.figures[f"nginx_per_s_{size}"] = round(per_s["nginx"])
            report.figures[f"media_per_s_{size}"] = round(per_s["media"])
            # What one process of Python can reach, whatever it does besides.
            report.figures[f"ratio_empty_asgi_vs_nginx_{size}"] = round(
                per_s["asgi"] / per_s["nginx"], 3
            )
            report.figures[f"ratio_vs_nginx_{size}"] = round(per_s["media"] / per_s["nginx"], 3)
            report.figures[f"ratio_accel_vs_nginx_{size}"] = round(
                per_s["accel"] / per_s["nginx"], 3
            )
            report.figures[f"p99_ms_64_clients_{size}"] = round(
                median(load.p99_ms for load in loads["many"]), 2
            )


def in_turn(rounds: int, asked: dict[str, Callable[[], Load]]) -> dict[str, list[Load]]:
    """Return what each gave in each round."""
    loads: dict[str, list[Load]] = {name: [] for name in asked}
    for _ in range(rounds):
        for name, ask_once in asked.items():
            loads[name].append(ask_once())
    return loads
