"""Pages of 200 photos, read anew and kept, beside what the database and the server do alone."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.gallery.events import HotEvent, cursor_of, store_events
from benchmarks.gallery.live import live_p99_ms
from benchmarks.gallery.load import Load, ask
from benchmarks.gallery.pgbench import PgBench
from benchmarks.gallery.server import Server, empty_answer, gallery
from benchmarks.private_services import PrivateServices, private_services
from benchmarks.report import Goal, Report
from libs.common.database.database import Database

GOALS = {
    "my_per_s": Goal(">=", 700),
    "my_p99_ms": Goal("<=", 35),
    "all_per_s": Goal(">=", 700),
    "all_p99_ms": Goal("<=", 35),
    "deep_page_ratio": Goal("<=", 1.2),
    "cached_per_s": Goal(">=", 9000),
    "cached_p99_ms": Goal("<=", 4),
    "crowd_per_s": Goal(">=", 600),
    "crowd_p99_ms": Goal("<=", 600),
}
CONNECTIONS = 8
#: As after every photo of a hot event: so many ask, and none of their lists is kept.
CROWD_CONNECTIONS = 200
CROWD_GUESTS = 1500
LIMIT = 200
DEEP_PAGE = 400
#: Too short for any page: each is read anew. What is kept of single photos stays, of all of them,
#: once the first pages have been put together from nothing.
NOTHING_KEPT = {"LIST_CACHE_SECONDS": "0.000001", "LIST_CACHE_MB": "512"}
MY = f"/api/my-photos?limit={LIMIT}"
ALL = f"/api/all-photos?limit={LIMIT}"


@dataclass(slots=True)
class Measured:
    """Rounds of each load, and what the database and the server do alone."""

    loads: defaultdict[str, list[Load]] = field(default_factory=lambda: defaultdict(list))
    alone: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def of(self, name: str) -> Load:
        """Return the medians of a load's rounds."""
        rounds = self.loads[name]
        return Load(
            *(median(getattr(one, part) for one in rounds) for part in Load.__dataclass_fields__)
        )


def measure(quick: bool) -> Report:  # noqa: FBT001 - the form of all benchmarks
    """Store the events, and measure in rounds."""
    return asyncio.run(_measure(quick=quick))


async def _measure(*, quick: bool) -> Report:
    async with private_services() as services, Database.open(services.settings()) as database:
        event = await store_events(
            database,
            photos=20_000 if quick else 100_000,
            guests=400 if quick else 2000,
            others=0 if quick else 9,
        )
        return await measured(services, database, event, quick=quick)


async def measured(
    services: PrivateServices, database: Database, event: HotEvent, *, quick: bool
) -> Report:
    """Measure on events that are stored."""
    seen = Measured()
    seconds, rounds = (1, 1) if quick else (4, 3)
    pages = min(DEEP_PAGE, event.photos // LIMIT)
    cursor = await cursor_of(database, event, before=(pages - 1) * LIMIT - 1)
    deep = f"{ALL}&cursor={cursor}"
    pgbench = PgBench(services.database_url, event)
    tokens = [guest.token for guest in event.guests]
    with gallery(services, NOTHING_KEPT) as anew, gallery(services, {}) as keeping:
        warm = await ask(keeping.url, ALL, tokens[:1], connections=CONNECTIONS, seconds=1)
        first = await ask(anew.url, MY, tokens, connections=CONNECTIONS, seconds=3 * seconds)
        seen.loads["first"].append(first)
        with empty_answer(round(warm.answer_bytes)) as empty:
            for _ in range(rounds):
                for name, path in (("my", MY), ("all", ALL), ("deep", deep)):
                    seen.loads[name].append(
                        await ask(anew.url, path, tokens, connections=CONNECTIONS, seconds=seconds)
                    )
                for name, script in (("my", pgbench.my_photos), ("all", pgbench.all_photos)):
                    seen.alone[name].append(
                        await asyncio.to_thread(pgbench.per_second, script, seconds=seconds)
                    )
                await _crowd(seen, anew, tokens, seconds=seconds)
                for name, server in (("cached", keeping), ("empty", empty)):
                    seen.loads[name].append(
                        await ask(
                            server.url, ALL, tokens[:1], connections=CONNECTIONS, seconds=seconds
                        )
                    )
        live = await live_p99_ms(keeping.url, event, database, streams=100, photos=30)
    peak = max(anew.peak_rss_bytes, keeping.peak_rss_bytes)
    return _reported(seen, live_ms=live, peak_rss_bytes=peak)


async def _crowd(seen: Measured, server: Server, tokens: Sequence[str], *, seconds: float) -> None:
    seen.loads["crowd"].append(
        await ask(
            server.url,
            MY,
            tokens[:CROWD_GUESTS],
            connections=CROWD_CONNECTIONS,
            seconds=seconds,
        )
    )
    await asyncio.to_thread(server.wait_until_idle)


def _reported(seen: Measured, *, live_ms: float, peak_rss_bytes: int) -> Report:
    report = Report("gallery", GOALS)
    for name in ("first", "my", "all", "crowd", "cached"):
        found = seen.of(name)
        report.figures[f"{name}_p50_ms"] = round(found.p50_ms, 2)
        report.figures[f"{name}_p99_ms"] = round(found.p99_ms, 2)
        report.figures[f"{name}_per_s"] = round(found.per_s, 1)
        report.figures[f"{name}_kb"] = round(found.answer_bytes / 1000, 1)
    for name in ("my", "all"):
        alone = median(seen.alone[name])
        report.figures[f"pgbench_{name}_per_s"] = round(alone, 1)
        report.figures[f"ratio_{name}_vs_pgbench"] = round(seen.of(name).per_s / alone, 3)
    report.figures["deep_page_ratio"] = round(seen.of("deep").p50_ms / seen.of("all").p50_ms, 3)
    empty = seen.of("empty")
    report.figures["empty_asgi_per_s"] = round(empty.per_s, 1)
    report.figures["cached_ratio_vs_empty_asgi"] = round(seen.of("cached").per_s / empty.per_s, 3)
    report.figures["live_p99_ms"] = round(live_ms, 2)
    report.figures["peak_rss_mb"] = round(peak_rss_bytes / 1e6, 1)
    return report
