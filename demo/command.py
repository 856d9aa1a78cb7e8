"""`findme demo`: prepare photos and an event, run the scenario, show what came of it."""

import asyncio
import secrets
import signal
import string
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from demo.scenario import Guest, Place, Result, run_scenario
from demo.scenes import event, selfie, write_event
from demo.server import Server, running_server
from libs.common.errors import InvalidInput
from libs.common.web.auth import Role
from services.gallery.accounts.rules import NewAccount
from services.gallery.browser_app.files import BUILT, has_pages
from services.gallery.settings import EventSettings
from standalone.address import Address, known_address
from standalone.data_dir import make_data_dir
from standalone.operators import add_account, add_event, operator_database
from standalone.settings import StandaloneSettings

SEED = 2026
PHOTO_SUFFIXES = {
    *(".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".avif", ".tif", ".tiff", ".gif", ".bmp")
}
SHOWN_REJECTIONS = 10


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line asks for; composed photos unless `photos` names a folder."""

    photos: Path | None
    selfies: Sequence[Path]
    count: int
    exit_when_done: bool


@dataclass(frozen=True, slots=True)
class Cast:
    """The photos to upload and the guests to look for."""

    photos: Sequence[Path]
    guests: Sequence[Guest]


def run_demo(settings: StandaloneSettings, options: DemoOptions, console: Console) -> None:
    """Run the demo to its end; then stay up until Ctrl-C, unless told otherwise.

    Raises InvalidInput when the folder has no photos, Unavailable when FindMe does not start.
    """
    for ending in (signal.SIGINT, signal.SIGTERM):
        # Either ends the blocks below in order: the server must not outlive the demo.
        signal.signal(ending, signal.default_int_handler)
    run = datetime.now(UTC).strftime("%m%d%H%M%S")
    password = _password()
    if options.photos is None:
        # Before anything of its own is in it: it is the data folder, which is closed to others.
        make_data_dir(settings.data_dir)
        cast = compose_cast(settings.data_dir / "demo", options.count, run, console)
    else:
        cast = _own_cast(options.photos, options.selfies, run)
    with (
        console.status("Starting FindMe …"),
        running_server(settings.data_dir, host=settings.host, port=settings.port) as server,
    ):
        place = asyncio.run(make_place(settings, server.url, run=run, password=password))
        with _progress(console, "analysed", len(cast.photos)) as report:
            result = asyncio.run(
                run_scenario(place, cast.photos, cast.guests, password=password, progress=report)
            )
        print_report(result, console)
        if not options.exit_when_done:
            _stay(server, place, cast, result, known_address(settings), console)


def print_report(result: Result, console: Console) -> None:
    """Print each guest's photos beside the truth, where it is known, and the speed."""
    table = Table(title="Your photos", title_justify="left")
    for heading in ("guest", "photos found", "truly in", "right", "wrong", "missed"):
        table.add_column(heading, justify="left" if heading == "guest" else "right")
    for guest in result.guests:
        row = [guest.name, str(len(guest.found))]
        if guest.truth is not None:
            wrong, missed = len(guest.found - guest.truth), len(guest.truth - guest.found)
            row += [str(len(guest.truth)), str(guest.correct), str(wrong), str(missed)]
        table.add_row(*row)
    console.print(table)
    if any(guest.truth is not None for guest in result.guests):
        console.print(
            f"precision [bold]{result.precision:.3f}[/]   recall [bold]{result.recall:.3f}[/]"
        )
    console.print(
        f"{result.photos} photos in [bold]{result.total_seconds:.1f} s[/] "
        f"({result.photos_per_second:.1f} photos/s); uploads answered within "
        f"{result.upload_seconds:.1f} s; upload to match: median {result.median_latency:.1f} s, "
        f"worst {result.worst_latency:.1f} s",
        highlight=False,
    )
    if result.failed:
        console.print(f"[yellow]{result.failed} photos could not be analysed.[/]")
    for rejection in result.rejected[:SHOWN_REJECTIONS]:
        console.print(f"[yellow]rejected: {rejection}[/]")
    if len(result.rejected) > SHOWN_REJECTIONS:
        console.print(f"[yellow]… and {len(result.rejected) - SHOWN_REJECTIONS} more[/]")


def compose_cast(folder: Path, count: int, run: str, console: Console) -> Cast:
    """Draw the demo's photos and selfies, once; the last guest is late."""
    plan = event(SEED, photos=count)
    with _progress(console, "composed", count) as report:
        photos = write_event(plan, folder, progress=lambda done, _: report(done))
    guests = []
    for number, name in enumerate(plan.guests):
        path = folder / f"selfie-{name}.jpg"
        path.write_bytes(selfie(name, SEED))
        guests.append(
            Guest(
                name=f"{name}-{run}",
                selfie=path,
                late=number == len(plan.guests) - 1,
                truth=plan.truth[name],
            )
        )
    return Cast(photos, guests)


def _own_cast(folder: Path, selfies: Sequence[Path], run: str) -> Cast:
    photos = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES)
    if not photos:
        msg = f"There is no photo in {folder} ({', '.join(sorted(PHOTO_SUFFIXES))})."
        raise InvalidInput(msg)
    guests = [
        Guest(name=f"{path.stem}-{number}-{run}", selfie=path)
        for number, path in enumerate(selfies, start=1)
    ]
    return Cast(photos, guests)


async def make_place(
    settings: StandaloneSettings, url: str, *, run: str, password: str, name: str | None = None
) -> Place:
    """Make a photographer and an event, as an operator would, beside the running server."""
    photographer = f"photographer-{run}"
    async with operator_database(settings) as database:
        account = NewAccount(photographer, f"{photographer}@example.com", password)
        await add_account(database, account, Role.PHOTOGRAPHER)
        made = await add_event(
            database,
            name=name or f"Demo {run}",
            photographer=photographer,
            code=None,
            days=EventSettings().event_lifetime_days,
        )
    return Place(url, made.event_id, made.event_code, photographer, password)


def _stay(
    server: Server,
    place: Place,
    cast: Cast,
    result: Result,
    address: Address | None,
    console: Console,
) -> None:
    console.print(
        f"\nFindMe stays up at [bold]{server.url}[/]; Ctrl-C stops it.\n"
        f"{_open_this(server, place, address)}"
        f"  API            {server.url}/api/docs/gallery\n"
        f"  metrics        {server.url}/metrics\n"
        f"  event code     {place.event_code}\n"
        f"  photographer   {place.photographer}\n"
        f"  guests         {', '.join(guest.name for guest in result.guests)}\n"
        f"  password       {place.password} (of all of them)\n"
        f"  the photos     {cast.photos[0].parent}\n"
        f"  the log        {server.log}",
        highlight=False,
    )
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        console.print("Stopping …")


def _open_this(server: Server, place: Place, address: Address | None) -> str:
    """Return where to look with one's own face, by phone if it can, where the pages are built."""
    if not has_pages(BUILT):
        return ""
    url = address.url if address is not None and address.is_for_phones else server.url
    return (
        f"  [bold]open           {url}/e/{place.event_code}[/]"
        " and be a guest: your camera, or a selfie beside the photos' folder\n"
    )


@contextmanager
def _progress(console: Console, verb: str, total: int) -> Iterator[Callable[[int], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"Photos {verb}", total=total)
        yield lambda done: progress.update(task, completed=done)


def _password() -> str:
    """Return a random password that satisfies the rules."""
    letters = "".join(secrets.choice(string.ascii_letters) for _ in range(10))
    return f"{letters}A1!"
