"""Bytes: signed thumbnails and originals beside nginx, slow readers, renditions, and S3.

Each figure is a ratio within one run: media and nginx are asked in turn, for the same bytes, with
the same client. Of `GROUPS` each fills its own keys; one whose tools are missing says so and is
left out.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from rich.console import Console

from benchmarks.media import archives, files, memory, renditions, s3
from benchmarks.media.plan import Plan, plan_of
from benchmarks.private_services import PrivateServices, private_services
from benchmarks.report import Goal, Report
from tests.support.services import ServiceMissing

GOALS = {
    "ratio_vs_nginx_40kb": Goal(">=", 0.25),
    "ratio_accel_vs_nginx_40kb": Goal(">=", 0.9),
    "p99_ms_64_clients_40kb": Goal("<=", 15),
    "ratio_vs_nginx_2500kb": Goal(">=", 0.9),
    "ratio_s3_vs_direct_2500kb": Goal(">=", 0.6),
    "zip_mb_per_s": Goal(">=", 300),
    "zip_rss_mb": Goal("<=", 100),
}

#: What fills the report, one after the other.
Group = Callable[[PrivateServices, Plan, Report], Awaitable[None]]
GROUPS: tuple[Group, ...] = (
    files.measure,
    memory.measure,
    renditions.measure,
    s3.measure,
    archives.measure,
)


def measure(quick: bool) -> Report:  # noqa: FBT001 - as `main` calls it
    """Measure all groups."""
    return asyncio.run(_measure(plan_of(quick=quick)))


async def _measure(plan: Plan) -> Report:
    report = Report("media", GOALS)
    async with AsyncExitStack() as running:
        services = await running.enter_async_context(private_services())
        for group in GROUPS:
            try:
                await group(services, plan, report)
            except ServiceMissing as error:
                Console().print(f"{group.__module__}: {error}")
    return report
