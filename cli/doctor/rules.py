"""What of the found is well, what is to be looked at, and what must be done before an event."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

GIGABYTE: Final = 1024**3
#: Ingest refuses uploads from 500 MB on (KEPT_FREE_MB), and PostgreSQL needs more than none.
ACT_BELOW_FREE_BYTES: Final = 2 * GIGABYTE
#: An evening of one photographer: 2,000 photos of 8 MB, and what is made of them.
LOOK_BELOW_FREE_BYTES: Final = 20 * GIGABYTE
#: With what is made of it, where no photo says how large they are.
USUAL_PHOTO_BYTES: Final = 8 * 1024 * 1024
#: Thumbnail and preview, of the photo's own size.
RENDITIONS_SHARE: Final = 0.1
#: One process with two workers and PostgreSQL: 1,250 MB at the most, measured on 12 megapixels.
ACT_BELOW_MEMORY_BYTES: Final = 3 * GIGABYTE // 2
LOOK_BELOW_MEMORY_BYTES: Final = 2 * GIGABYTE
CERTIFICATE_SOON: Final = timedelta(days=14)
CLOCK_SECONDS: Final = 60.0
BACKUP_OLD: Final = timedelta(days=1)
BACKUP_VERY_OLD: Final = timedelta(days=7)
EVENT_SOON: Final = timedelta(days=2)
OUTBOX_SECONDS: Final = 60.0
#: Two files for each guest who is connected, and as many again for all else.
LOOK_BELOW_FILES: Final = 4096


class State(StrEnum):
    """How bad it is."""

    OK = "ok"
    LOOK = "look"
    ACT = "act"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, and what to do."""

    name: str
    state: State
    told: str
    todo: str = ""


def disk(free_bytes: int, *, photo_bytes: float | None, folder: str) -> Finding:
    """Whether there is room for an evening's photos."""
    each = (photo_bytes or USUAL_PHOTO_BYTES) * (1 + RENDITIONS_SHARE)
    room = int(max(free_bytes - ACT_BELOW_FREE_BYTES, 0) / each)
    told = f"{size(free_bytes)} free at {folder}: room for some {room:,} photos"
    if free_bytes < ACT_BELOW_FREE_BYTES:
        return Finding("disk", State.ACT, told, "Make room: uploads are refused from 500 MB on.")
    if free_bytes < LOOK_BELOW_FREE_BYTES:
        return Finding("disk", State.LOOK, told, "Make room if the evening is a long one.")
    return Finding("disk", State.OK, told)


def memory(total_bytes: int | None) -> Finding:
    """Whether the machine is large enough."""
    if total_bytes is None:
        return Finding("memory", State.OK, "this system does not tell how much it has")
    told = f"{size(total_bytes)} in all"
    if total_bytes < ACT_BELOW_MEMORY_BYTES:
        return Finding("memory", State.ACT, told, "FindMe needs 1.5 GB, and 2 GB to be at ease.")
    if total_bytes < LOOK_BELOW_MEMORY_BYTES:
        return Finding(
            "memory", State.LOOK, told, "2 GB are better: guests and photos of 12 MP take 1.2 GB."
        )
    return Finding("memory", State.OK, told)


def workers(count: int, cores: int) -> Finding:
    """Whether photos are analysed by as many workers as the machine has cores."""
    told = f"{count} analyse photos, on {cores} cores"
    if count > cores:
        todo = f"PHOTO_QUEUE_WORKERS={cores}: more than cores only wait for each other."
        return Finding("workers", State.LOOK, told, todo)
    if count < cores - 1:
        todo = f"PHOTO_QUEUE_WORKERS={cores - 1} analyses more at a time (190 MB each)."
        return Finding("workers", State.LOOK, told, todo)
    return Finding("workers", State.OK, told)


def open_files(limit: int) -> Finding:
    """Whether the system lets a venue's phones be connected."""
    told = f"{limit:,} allowed"
    if limit < LOOK_BELOW_FILES:
        return Finding("files", State.LOOK, told, "Raise it (`ulimit -n`, LimitNOFILE): 65536.")
    return Finding("files", State.OK, told)


def address(url: str | None, *, is_for_phones: bool, moved_to: str | None) -> Finding:
    """Whether QR codes and links lead to where phones find FindMe."""
    start = "findme up --host 0.0.0.0, or PUBLIC_URL=https://… where a proxy leads here."
    if url is None:
        return Finding("address", State.LOOK, "not known: FindMe was not started here yet", start)
    if not is_for_phones:
        told = f"{url} is this machine alone: no phone opens it, nor its QR codes"
        return Finding("address", State.ACT, told, start)
    if moved_to is not None:
        told = f"{url}, but this machine is {moved_to} by now"
        todo = "Start FindMe anew, print the codes anew; a fixed address or a name is better."
        return Finding("address", State.ACT, told, todo)
    return Finding("address", State.OK, url)


def answers(url: str, problem: str | None) -> Finding:
    """Whether FindMe answers at the address."""
    if problem is not None:
        todo = "Is it running, does the name lead here, is the firewall open?"
        return Finding("answers", State.ACT, f"{url} does not answer: {problem}", todo)
    return Finding("answers", State.OK, f"{url} answers")


def tls(url: str | None, ends_at: datetime | None, problem: str | None, now: datetime) -> Finding:
    """Whether browsers give pages the camera, and for how long yet."""
    if problem is not None:
        return Finding("tls", State.ACT, problem, "Give another one: --tls CERT KEY.")
    if ends_at is not None and ends_at < now:
        told = f"the certificate ended on {day(ends_at)}"
        return Finding("tls", State.ACT, told, "Renew it; it is taken up without a restart.")
    if ends_at is not None and ends_at - now < CERTIFICATE_SOON:
        told = f"the certificate ends on {day(ends_at)}"
        return Finding("tls", State.LOOK, told, "Renew it; it is taken up without a restart.")
    if ends_at is not None:
        return Finding("tls", State.OK, f"the certificate is good until {day(ends_at)}")
    if url is not None and url.startswith("https://"):
        return Finding("tls", State.OK, "HTTPS, by a proxy")
    told = "none: browsers give the camera to HTTPS pages only, guests choose a photo instead"
    return Finding("tls", State.LOOK, told, "--tls CERT KEY, or Caddy: docs/install/tls.md.")


def clock(*, off_by_seconds: float, is_synchronised: bool | None) -> Finding:
    """Whether tokens, ends of events and photos' times can be right."""
    if abs(off_by_seconds) > CLOCK_SECONDS:
        told = f"{abs(off_by_seconds):.0f} s from the database's"
        return Finding("clock", State.ACT, told, "Set both by NTP.")
    if is_synchronised is False:
        return Finding("clock", State.LOOK, "not set by NTP", "timedatectl set-ntp true")
    return Finding("clock", State.OK, "set by NTP" if is_synchronised else "as the database's")


def mail(server: str | None, problem: str | None, *, dead: int) -> Finding:
    """Whether links and news can be sent."""
    if server is None:
        told = "no mail server: nobody gets links, news or a forgotten password by mail"
        return Finding("mail", State.LOOK, told, "MAIL_HOST and MAIL_FROM, if that is wanted.")
    if problem is not None:
        todo = "MAIL_HOST, MAIL_PORT, and the way there."
        return Finding("mail", State.ACT, f"{server} does not answer: {problem}", todo)
    if dead:
        return Finding("mail", State.LOOK, f"{dead} mails were given up", "findme mail retry")
    return Finding("mail", State.OK, f"{server} answers")


def models(folder: str, *, missing: list[str], damaged: list[str]) -> Finding:
    """Whether the face models are there, and whole."""
    if damaged:
        told = f"{', '.join(damaged)} in {folder} is not what it should be"
        return Finding("models", State.ACT, told, "Delete it, then: findme models pull")
    if missing:
        told = f"{', '.join(missing)} is nowhere: no face is found"
        return Finding("models", State.ACT, told, "findme models pull (needs the internet once)")
    return Finding("models", State.OK, f"packaged, or in {folder}")


def backups(
    folder: str | None, made_at: datetime | None, *, is_on_same_disk: bool, now: datetime
) -> Finding:
    """Whether there is a copy, new enough and elsewhere."""
    if made_at is None or folder is None:
        todo = "findme backup DIR, on another disk; here: findme doctor --backup DIR."
        return Finding("backups", State.ACT, "none that is known", todo)
    told = f"{day(made_at)}, in {folder}"
    if now - made_at > BACKUP_VERY_OLD:
        return Finding("backups", State.ACT, told, f"findme backup {folder}, every night.")
    if is_on_same_disk:
        todo = "It is on the data's own disk, and is lost with it: name a folder elsewhere."
        return Finding("backups", State.LOOK, told, todo)
    if now - made_at > BACKUP_OLD:
        return Finding("backups", State.LOOK, told, f"findme backup {folder}, every night.")
    return Finding("backups", State.OK, told)


def pages(*, are_built: bool) -> Finding:
    """Whether guests see anything."""
    if are_built:
        return Finding("pages", State.OK, "built")
    todo = "make web, then start FindMe anew."
    return Finding("pages", State.ACT, "not built: the address shows guests nothing", todo)


def people(*, admins: int, photographers: int) -> Finding:
    """Whether somebody can log in."""
    if not admins:
        return Finding("people", State.ACT, "no admin yet", "findme admin create")
    told = f"admins: {admins}, photographers: {photographers}"
    if not photographers:
        return Finding("people", State.LOOK, told, "findme photographer create")
    return Finding("people", State.OK, told)


def events(ends: Mapping[str, datetime], now: datetime) -> Finding:
    """Whether guests have an event to come to; `ends` by name, of those that are open."""
    if not ends:
        return Finding("events", State.LOOK, "none is open", "findme event create")
    soon = [f"{name} on {day(end)}" for name, end in ends.items() if end - now < EVENT_SOON]
    if soon:
        todo = "Prolong it in the studio's settings, if its guests are still to come."
        return Finding("events", State.LOOK, f"ends soon: {', '.join(soon)}", todo)
    return Finding("events", State.OK, f"{len(ends)} open")


def work(*, dead_letters: int, waiting_seconds: float, failed: int) -> Finding:
    """Whether anything stands still."""
    if waiting_seconds > OUTBOX_SECONDS:
        told = f"a message has waited for {waiting_seconds:.0f} s"
        return Finding("work", State.LOOK, told, "Is FindMe running? docs/operate/runbook.md")
    if dead_letters:
        told = f"{dead_letters} messages were given up"
        return Finding("work", State.LOOK, told, "findme dlq list, then: findme dlq replay --all")
    told = "nothing stands still" + (f"; photos that failed: {failed}" if failed else "")
    return Finding("work", State.OK, told)


def size(number: float) -> str:
    """Return bytes for people."""
    return f"{number / GIGABYTE:.1f} GB"


def day(moment: datetime) -> str:
    """Return a day for people."""
    return f"{moment:%Y-%m-%d}"
