"""`findme event`: an event is made, and told how its guests come to it."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from cli.options import DataDir, settings_with
from cli.qr import print_qr
from services.gallery.events.changes import CreatedEvent
from services.gallery.events.rules import invite_url
from services.gallery.settings import EventSettings
from standalone.address import known_address
from standalone.operators import add_event, operator_database
from standalone.settings import StandaloneSettings

event_app = typer.Typer(no_args_is_help=True, help="Events.")
console = Console()

NO_ADDRESS = (
    "Where guests open FindMe is not known yet: set PUBLIC_URL, or start it with"
    " findme up --host 0.0.0.0; then the studio shows the QR code."
)
ONLY_THIS_MACHINE = (
    "is this machine's own address, which no phone opens: so there is no QR code. Start FindMe with"
    " --host 0.0.0.0, or set PUBLIC_URL."
)


@event_app.command("create")
def event_create(
    name: Annotated[str, typer.Option(prompt=True)],
    photographer: Annotated[str, typer.Option(prompt=True, help="The photographer's username.")],
    code: Annotated[str | None, typer.Option(help="The guests' code; random when unset.")] = None,
    date: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The day that it takes place, as 2026-12-31."),
    ] = None,
    time_zone: Annotated[
        str | None,
        typer.Option(help="Of cameras whose files say none, as Europe/Paris; none when unset."),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=36_500,
            help="Days until it ends, from its date or from now [EVENT_LIFETIME_DAYS, else 90].",
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Create an event; print the code, the link and the QR code that its guests join with."""
    settings, of_events = settings_with(data_dir), EventSettings()

    async def create() -> CreatedEvent:
        async with operator_database(settings) as database:
            return await add_event(
                database,
                name=name,
                photographer=photographer,
                code=code,
                days=of_events.event_lifetime_days if days is None else days,
                date=None if date is None else date.replace(tzinfo=UTC),
                time_zone=time_zone,
            )

    made = asyncio.run(create())
    _say(f"Event {made.event_id}: guests join with the code {made.event_code}")
    _tell_link(made.event_code, settings, of_events)


def _tell_link(code: str, settings: StandaloneSettings, of_events: EventSettings) -> None:
    address = known_address(settings)
    link = invite_url(of_events.invite_url, code, base_url="" if address is None else address.url)
    if link.startswith("/"):
        _say(NO_ADDRESS)
    elif address is not None and link.startswith(address.url) and not address.is_for_phones:
        _say(f"{link} {ONLY_THIS_MACHINE}")
    else:
        _say(link)
        print_qr(link, console)


def _say(text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)
