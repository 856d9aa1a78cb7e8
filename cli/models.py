"""`findme models`: OpenCV's own files of the face models, which come before the packaged ones."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from services.recognition.engine.models.download import download, is_there
from services.recognition.engine.models.files import ZOO_MODELS, ModelFile
from standalone.data_dir import NoDataDir
from standalone.settings import StandaloneSettings

models_app = typer.Typer(no_args_is_help=True, help="Face models from OpenCV's zoo.")
console = Console()

ModelDir = Annotated[
    Path | None,
    typer.Option(
        "--model-dir",
        envvar="FINDME_MODEL_DIR",
        help="Folder of model files; else `models` in the data folder.",
    ),
]


@models_app.command("pull")
def pull(model_dir: ModelDir = None) -> None:
    """Download the detector and the recogniser, check them, and resume one that was cut."""
    folder = _folder_to_fill(model_dir)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=console) as bars:
        for model in ZOO_MODELS:
            _pull(model, folder, bars)
    console.print(f"The models are in {folder}.", highlight=False, soft_wrap=True)


@models_app.command("list")
def list_models(model_dir: ModelDir = None) -> None:
    """Show which models there are, and where they belong."""
    folder = _folder(model_dir)
    table = Table()
    table.add_column("file", no_wrap=True)
    for heading in ("there", "license", "what for"):
        table.add_column(heading)
    for model in ZOO_MODELS:
        there = "yes" if is_there(model, folder) else "no"
        table.add_row(model.name, there, model.license, model.purpose)
    console.print(table)
    console.print(f"They belong into {folder}.", highlight=False, soft_wrap=True)


def _pull(model: ModelFile, folder: Path, bars: Progress) -> None:
    task = bars.add_task(model.name, total=None)

    def show(done: int, size: int | None) -> None:
        bars.update(task, completed=done, total=size)

    path = download(model, folder, progress=show)
    size = path.stat().st_size
    bars.update(task, completed=size, total=size)


def _folder(model_dir: Path | None) -> Path:
    return (model_dir or StandaloneSettings().data_dir / "models").expanduser().absolute()


def _folder_to_fill(model_dir: Path | None) -> Path:
    data_dir = StandaloneSettings().data_dir
    if model_dir is None and not data_dir.is_dir():
        raise NoDataDir(data_dir)
    return _folder(model_dir)
