"""`findme doctor`: looks at all that an event needs, and says what to do."""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from backup.manifest import read_manifest
from cli.doctor import machine, rules
from cli.doctor.repository import Rows, read_rows
from cli.doctor.rules import Finding, State
from cli.options import DataDir, all_of_findme, settings_with
from cli.repository import Status, read_status
from libs.common.addresses import parsed_address
from libs.common.errors import FindMeError, InvalidInput
from services.gallery.browser_app.files import BUILT, has_pages
from services.gallery.mail.queue import mails_waiting
from services.recognition.engine.models.download import is_there
from services.recognition.engine.models.files import (
    PACKAGED_SFACE,
    PACKAGED_YUNET,
    SFACE,
    YUNET,
    ZOO_MODELS,
    ModelUnusable,
    find_sface,
    find_yunet,
)
from services.recognition.settings import DetectorSettings
from standalone.address import Address, known_address, own_address
from standalone.data_dir import noted_backup
from standalone.operators import operator_database
from standalone.settings import StandaloneSettings

console = Console()

STYLES = {State.OK: "green", State.LOOK: "yellow", State.ACT: "bold red"}


def doctor(
    data_dir: DataDir = None,
    backup: Annotated[
        Path | None, typer.Option(help="Where the backups are, if elsewhere than the last one.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Look for what would bite tomorrow. The status is 1 where something must be done (act)."""
    settings = settings_with(data_dir)
    findings = asyncio.run(_examine(settings, backup))
    if as_json:
        found = orjson.dumps([asdict(one) for one in findings], option=orjson.OPT_INDENT_2)
        typer.echo(found.decode())
    else:
        console.print(_table(findings))
    if any(one.state is State.ACT for one in findings):
        raise typer.Exit(1)


async def _examine(settings: StandaloneSettings, backup: Path | None) -> list[Finding]:
    async with operator_database(settings) as database:
        rows, status = await read_rows(database), await read_status(database)
        async with database.read() as connection:
            dead_mails = (await mails_waiting(connection)).dead
    return [
        *_of_the_machine(settings, rows),
        *_of_the_way_in(settings, rows),
        *_of_what_is_kept(settings, rows, status, backup, dead_mails),
    ]


def _of_the_machine(settings: StandaloneSettings, rows: Rows) -> Iterator[Finding]:
    yield rules.disk(
        machine.free_bytes(settings.data_dir),
        photo_bytes=rows.photo_bytes,
        folder=str(settings.data_dir),
    )
    yield rules.memory(machine.memory_bytes())
    yield rules.workers(settings.photo_queue_workers, machine.cores())
    yield rules.open_files(machine.most_open_files())
    yield rules.clock(
        off_by_seconds=(datetime.now(UTC) - rows.now).total_seconds(),
        is_synchronised=machine.clock_is_synchronised(),
    )


def _of_the_way_in(settings: StandaloneSettings, rows: Rows) -> Iterator[Finding]:
    address = known_address(settings)
    url = None if address is None else address.url
    yield rules.address(
        url,
        is_for_phones=address is not None and address.is_for_phones,
        moved_to=_moved_to(settings, address),
    )
    if url is not None:
        yield rules.answers(url, machine.why_no_answer(url))
    ends_at, problem = _certificate(settings, url)
    yield rules.tls(url, ends_at, problem, rows.now)
    yield rules.pages(are_built=has_pages(settings.web_dir or BUILT))


def _of_what_is_kept(
    settings: StandaloneSettings,
    rows: Rows,
    status: Status,
    backup: Path | None,
    dead_mails: int,
) -> Iterator[Finding]:
    yield rules.people(admins=rows.admins, photographers=rows.photographers)
    yield rules.events(rows.ends, rows.now)
    yield rules.work(
        dead_letters=status.dead_letters,
        waiting_seconds=status.outbox_oldest_seconds,
        failed=status.photos.get("failed", 0),
    )
    server = settings.mail_host
    problem = None if server is None else machine.why_no_connection(server, settings.mail_port)
    yield rules.mail(server, problem, dead=dead_mails)
    yield _models(settings.data_dir / "models", DetectorSettings().face_detector_model)
    yield _backups(settings, backup, rows.now)


def _models(folder: Path, detector: Path | None) -> Finding:
    """Look where the face engine looks (`open_yunet`, `open_sface`)."""
    try:
        found = {
            YUNET: find_yunet(folder, detector) or PACKAGED_YUNET.path(),
            SFACE: find_sface(folder) or PACKAGED_SFACE.path(),
        }
    except ModelUnusable as error:
        todo = "Put it there, or leave FACE_DETECTOR_MODEL unset."
        return Finding("models", State.ACT, f"{error}: no face is found", todo)
    there = [model for model in ZOO_MODELS if (folder / model.name).exists()]
    return rules.models(
        str(folder),
        missing=[model.name for model, path in found.items() if path is None],
        damaged=[model.name for model in there if not is_there(model, folder)],
    )


def _backups(settings: StandaloneSettings, named: Path | None, now: datetime) -> Finding:
    folder = named or noted_backup(settings.data_dir)
    made_at = None
    if folder is not None:
        try:
            made_at = datetime.fromisoformat(read_manifest(folder).created_at)
        except (FindMeError, OSError) as error:
            told = f"the backup in {folder} cannot be read: {error}"
            return Finding("backups", State.ACT, told, f"findme backup {folder}")
    return rules.backups(
        None if folder is None else str(folder),
        made_at,
        is_on_same_disk=folder is not None and machine.is_same_disk(folder, settings.data_dir),
        now=now,
    )


def _moved_to(settings: StandaloneSettings, address: Address | None) -> str | None:
    """Return this machine's address where that is another than the last start's."""
    if address is None or settings.public_url or not address.is_for_phones:
        return None
    known = urlsplit(address.url).hostname or ""
    present = own_address()
    is_another = parsed_address(known) is not None and known != present
    return present if is_another else None


def _certificate(
    settings: StandaloneSettings, url: str | None
) -> tuple[datetime | None, str | None]:
    """Return until when the certificate is good, and what is wrong with it."""
    if settings.tls_certificate is None:
        return None, None
    with all_of_findme():
        from standalone.tls import ServerCertificate
    try:
        named = ServerCertificate(settings.tls_certificate, settings.tls_key).named
    except InvalidInput as error:
        return None, str(error)
    host = urlsplit(url or "").hostname
    if host is not None and not named.is_for(host):
        return None, f"the certificate is for {', '.join(named.hosts) or 'nobody'}, not for {host}"
    return named.ends_at, None


def _table(findings: list[Finding]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        told = Text(finding.told)
        if finding.todo:
            told.append(f"\n→ {finding.todo}", style="bold")
        table.add_row(Text(finding.state.value, style=STYLES[finding.state]), finding.name, told)
    return table
