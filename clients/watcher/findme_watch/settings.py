"""What is asked for: by options, else by environment variables."""

import argparse
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from platformdirs import user_data_path

from findme_watch.folder import What
from findme_watch.folder_watch import Job
from findme_watch.moving import NowhereToMove, target_of
from findme_watch.server import Access
from findme_watch.watching import Polling
from findme_watch.wholeness import Patience

COMMANDS: Final = ("watch", "status", "doctor")
#: More than this fills any line, and is many for one server.
_MAX_PARALLEL: Final = 32
_KEY_BEGINS: Final = "fmk_"
_EPILOG: Final = """\
commands: findme-watch FOLDER (watches), findme-watch status, findme-watch doctor [FOLDER].

Keys and passwords are better given by FINDME_KEY, FINDME_KEY_FILE or FINDME_PASSWORD: other users
of this machine can read options. FINDME_URL, FINDME_EVENT, FINDME_USER and FINDME_MACHINE are read,
too.

exit status: 0 all is sent; 1 some files could not be sent, and are listed; 2 wrong options;
3 the key, the login or the event is not good; 4 the network was away for longer than --give-up.
"""


class WrongSettings(Exception):
    """What was asked for cannot be done; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it. `access` is None where no server was named, as for `status`."""

    command: str
    access: Access | None
    state: Path
    #: None in agent mode, and where none was named.
    folder: Path | None
    event_id: int | None
    #: What each folder's job is like.
    template: Job
    parallel: int
    agent_label: str | None
    retry_refused: bool
    give_up_seconds: float | None
    as_json: bool


def parse(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings. Raises WrongSettings; argparse itself ends for what it does not know."""
    environment = os.environ if environment is None else environment
    command, rest = "watch", list(arguments)
    # A folder of such a name is written ./status.
    if rest and rest[0] in COMMANDS:
        command = rest.pop(0)
    given = _parser().parse_args(rest)
    access = _access(given, environment)
    folder = _folder(given.folder)
    if command == "watch":
        _check(given, access)
    event = given.event if given.event is not None else environment.get("FINDME_EVENT")
    template = Job(
        folder=folder or Path(),
        event_id=0,
        what=What(subfolders=not given.no_subfolders, ignore=tuple(given.ignore)),
        patience=Patience(given.still, given.patience),
        polling=Polling(given.polling),
        poll_seconds=given.poll_seconds,
        move_to=_move_to(folder, given.move_to),
        once=given.once or given.dry_run,
        dry_run=given.dry_run,
    )
    return Settings(
        command=command,
        access=access,
        state=given.state or default_state(),
        folder=folder,
        event_id=_event_id(event),
        template=template,
        parallel=given.parallel,
        agent_label=_label(given, environment) if given.agent else None,
        retry_refused=given.retry_refused,
        give_up_seconds=given.give_up,
        as_json=given.json,
    )


def default_state() -> Path:
    """Return where it is remembered what was sent: never on the share or card that is watched."""
    return user_data_path("findme-watch", appauthor=False) / "manifest.sqlite3"


def _access(given: argparse.Namespace, environment: Mapping[str, str]) -> Access | None:
    url = given.url or environment.get("FINDME_URL")
    if not url:
        return None
    return Access(
        _address(url),
        key=_key(given, environment),
        user=given.user or environment.get("FINDME_USER"),
        password=given.password or environment.get("FINDME_PASSWORD"),
        timeout=given.timeout,
    )


def _address(url: str) -> str:
    if "://" not in url:
        url = f"https://{url}"
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        is_good = False
    if not is_good:
        msg = f"The server's address is written https://photos.example.com, and was {url}."
        raise WrongSettings(msg)
    return url.rstrip("/")


def _key(given: argparse.Namespace, environment: Mapping[str, str]) -> str | None:
    """Return the key, None for a login. What an option says goes before all of the environment."""
    key, file = given.key, given.key_file
    if not key and not file and given.user is None:
        key, file = environment.get("FINDME_KEY"), environment.get("FINDME_KEY_FILE")
    if not key and file:
        try:
            key = Path(file).expanduser().read_text().strip()
        except (OSError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            msg = f"The key's file cannot be read: {file} ({why})."
            raise WrongSettings(msg) from error
    if key and not key.startswith(_KEY_BEGINS):
        msg = f"An upload key begins with {_KEY_BEGINS}, and this one does not: copy all of it."
        raise WrongSettings(msg)
    return key or None


def _folder(given: Path | None) -> Path | None:
    try:
        return None if given is None else given.expanduser().absolute()
    except RuntimeError as error:
        msg = f"{given} is nobody's folder: {error}"
        raise WrongSettings(msg) from error


def _move_to(folder: Path | None, to: str | None) -> Path | None:
    if folder is None or not to:
        return None
    try:
        return target_of(folder, to)
    except (NowhereToMove, RuntimeError) as error:
        raise WrongSettings(str(error)) from error


def _check(given: argparse.Namespace, access: Access | None) -> None:
    if access is None:
        raise WrongSettings("Name the server: --url https://… (or FINDME_URL).")
    if access.key is None and (access.user is None or access.password is None):
        raise WrongSettings("Give an upload key (--key, FINDME_KEY), or --user and --password.")
    if (given.folder is None) != given.agent:
        raise WrongSettings("Name the folder to watch, or --agent for those the server names.")
    if given.agent and (given.once or given.dry_run):
        raise WrongSettings("--agent goes on until it is stopped: leave out --once and --dry-run.")
    if given.agent and given.move_to:
        raise WrongSettings("With --agent the server says where sent photos go, not --move-to.")
    if given.give_up is not None and not (given.once or given.dry_run):
        raise WrongSettings("--give-up ends a run with --once: a watch never ends by itself.")


def _event_id(event: str | None) -> int | None:
    if event is None or event == "":
        return None
    if not event.isdecimal():
        raise WrongSettings(f"--event is the event's number, and was {event}.")
    return int(event)


def _label(given: argparse.Namespace, environment: Mapping[str, str]) -> str:
    return given.machine or environment.get("FINDME_MACHINE") or platform.node() or "findme-watch"


def _positive(kind: type[float] | type[int], text: str) -> float:
    value = kind(text)
    if not value > 0:  # as of "nan"
        raise argparse.ArgumentTypeError("it must be above 0")
    return value


def _seconds(text: str) -> float:
    return _positive(float, text)


def _number(text: str) -> int:
    value = int(_positive(int, text))
    if value > _MAX_PARALLEL:
        msg = f"it must be at most {_MAX_PARALLEL}"
        raise argparse.ArgumentTypeError(msg)
    return value


def _version() -> str:
    try:
        return version("findme-watch")
    except PackageNotFoundError:
        return "(not installed)"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="findme-watch",
        description="Send every photo of a folder to its FindMe event, once.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("folder", nargs="?", type=Path, metavar="FOLDER", help="the folder, with what is in it")
    add("--version", action="version", version=f"findme-watch {_version()}")
    add("--url", help="the server's address")
    add("--key", help="an upload key, as the event's page shows it")
    add("--key-file", metavar="FILE", help="the file that holds the key")
    add("--user", help="a photographer's name, instead of a key")
    add("--password", help="the photographer's password")
    add("--event", metavar="ID", help="the event's number, where there are several")
    add("--once", action="store_true", help="send what is there, and end")
    add("--dry-run", action="store_true", help="say what would be sent, and send nothing")
    add("--json", action="store_true", help="one JSON object for each event, a line each")
    add("--move-to", metavar="DIR", help="move what was sent there (relative: in the folder)")
    add("--no-subfolders", action="store_true", help="only the folder itself")
    add("--ignore", action="append", default=[], metavar="PATTERN",
        help="leave out such names, as *_edit.jpg or raw/*; may be repeated")  # fmt: skip
    add("--retry-refused", action="store_true", help="send again what the server refused")
    add("--parallel", type=_number, default=8, metavar="N", help="most uploads at once [8]")
    add("--polling", choices=[one.value for one in Polling], default="auto",
        help="look every few seconds instead of waiting for events [auto]")  # fmt: skip
    add("--poll-seconds", type=_seconds, default=5.0, metavar="S", help="how often [5]")
    add("--still", type=_seconds, default=2.0, metavar="S",
        help="for how long a file holds still before it is taken [2]")  # fmt: skip
    add("--patience", type=_seconds, default=60.0, metavar="S",
        help="for how long a file's end is waited for [60]")  # fmt: skip
    add("--timeout", type=_seconds, default=60.0, metavar="S",
        help="for how long a silent server is waited for [60]")  # fmt: skip
    add("--give-up", type=_seconds, metavar="S",
        help="with --once: end when nothing could be sent for so long [never]")  # fmt: skip
    add("--state", type=Path, metavar="FILE", help=f"what was sent [{default_state()}]")
    add("--agent", action="store_true", help="watch the folders that the server names")
    add("--machine", metavar="LABEL", help=f"this machine's label there [{platform.node()}]")
    return parser
