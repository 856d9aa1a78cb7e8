"""What all commands take from the command line and the environment."""

from pathlib import Path
from typing import Annotated, Any

import typer

from libs.common.telemetry import logs
from standalone.settings import StandaloneSettings

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder of all data [FINDME_DATA_DIR, else ./data]."),
]


def settings_with(data_dir: Path | None, **given: object) -> StandaloneSettings:
    """Return the settings of the environment, with what the command line says above them."""
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if data_dir is not None:
        chosen["findme_data_dir"] = data_dir
    settings = StandaloneSettings(**chosen)
    logs.configure("warning", settings.log_format)
    return settings
