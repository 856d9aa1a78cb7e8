"""The same objects from S3 through media, and from S3 itself.

S3 is nginx over the folder: what it is asked for here, by path, a bucket's server gives as well,
and moto's, which the tests use, is slower than all that is measured.
"""

import asyncio
from functools import partial
from statistics import median

from benchmarks.media.album import Album, album
from benchmarks.media.files import CONNECTIONS, in_turn
from benchmarks.media.load import ask
from benchmarks.media.plan import ORIGINAL_BYTES, THUMBNAIL_BYTES, Plan, on_client_cores
from benchmarks.media.servers import media, nginx
from benchmarks.private_services import PrivateServices
from benchmarks.report import Report


async def measure(services: PrivateServices, plan: Plan, report: Report) -> None:
    """Ask both in turn."""
    async with album(services, plan.photos) as photos:
        await asyncio.to_thread(_measure, services, photos, plan, report)


def _measure(services: PrivateServices, photos: Album, plan: Plan, report: Report) -> None:
    on_client_cores()
    bucket = photos.folder.name
    with (
        nginx(photos.folder.parent) as direct,
        media(
            services,
            photos.folder,
            {
                "PHOTO_BUCKET_NAME": bucket,
                "S3_ENDPOINT_URL": direct.url,
                "AWS_ACCESS_KEY_ID": "findme",
                "AWS_SECRET_ACCESS_KEY": "findme-secret",
            },
        ) as through,
    ):
        for size, length, keys in (
            ("40kb", THUMBNAIL_BYTES, photos.thumbnails),
            ("2500kb", ORIGINAL_BYTES, photos.originals),
        ):
            of = partial(ask, answer_bytes=length, seconds=plan.seconds, connections=CONNECTIONS)
            loads = in_turn(
                plan.rounds,
                {
                    "direct": partial(of, direct.url, [f"/{bucket}/{key}" for key in keys]),
                    "through": partial(of, through.url, photos.links(keys)),
                },
            )
            per_s = {name: median(load.per_s for load in found) for name, found in loads.items()}
            report.figures[f"s3_per_s_{size}"] = round(per_s["through"])
            report.figures[f"ratio_s3_vs_direct_{size}"] = round(
                per_s["through"] / per_s["direct"], 3
            )
