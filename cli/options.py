"""What all commands take from the command line and the environment."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from libs.common.errors import Unavailable
from libs.common.telemetry import logs
from standalone.settings import StandaloneSettings

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder of all data [FINDME_DATA_DIR, else ./data]."),
]

Host = Annotated[
    str | None,
    typer.Option(help="Address to listen on [HOST, else 127.0.0.1]; 0.0.0.0 lets phones in."),
]
Port = Annotated[int | None, typer.Option(help="Port to listen on, 0 for any [PORT, else 8000].")]


def settings_with(data_dir: Path | None, **given: object) -> StandaloneSettings:
    """Return the settings of the environment, with what the command line says above them."""
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if data_dir is not None:
        chosen["findme_data_dir"] = data_dir
    settings = StandaloneSettings(**chosen)
    logs.configure("warning", settings.log_format)
    return settings


@contextmanager
def all_of_findme() -> Iterator[None]:
    """Import within this what the operators' own image leaves out: services, PostgreSQL, demo."""
    try:
        yield
    except ModuleNotFoundError as error:
        msg = f"This needs all of FindMe, of which {error.name} is not installed here."
        raise Unavailable(msg) from error
