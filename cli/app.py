"""The `findme` command."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli import accounts as account_commands
from cli import backup as backup_commands
from cli import bucket as bucket_command
from cli import dead_letters as dlq_commands
from cli import migrate as migrate_command
from cli import partitions as partition_commands
from cli import status as status_command
from cli.models import models_app
from cli.options import DataDir, settings_with
from libs.common.errors import FindMeError, Unavailable

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(account_commands.admin_app, name="admin")
app.add_typer(account_commands.photographer_app, name="photographer")
app.add_typer(account_commands.event_app, name="event")
app.add_typer(models_app, name="models")
app.add_typer(dlq_commands.app, name="dlq")
app.command()(partition_commands.partitions)
app.command()(backup_commands.backup)
app.command()(backup_commands.restore)
app.command()(bucket_command.bucket)
app.command()(migrate_command.migrate)
app.command()(status_command.status)

console = Console()

Host = Annotated[str | None, typer.Option(help="Address to listen on [HOST, else 127.0.0.1].")]
Port = Annotated[int | None, typer.Option(help="Port to listen on, 0 for any [PORT, else 8000].")]


@app.command()
def up(
    data_dir: DataDir = None,
    host: Host = None,
    port: Port = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="Write the URL there once requests are answered.")
    ] = None,
) -> None:
    """Run FindMe: all services in one process, on one folder. Ctrl-C stops it."""
    with _all_of_findme():
        from standalone.serve import serve

    def announce(url: str) -> None:
        console.print(f"FindMe is ready at [bold]{url}[/] (Ctrl-C stops it)", highlight=False)
        if ready_file is not None:
            ready_file.write_text(url + "\n")

    serve(settings_with(data_dir, host=host, port=port), on_ready=announce)


@app.command()
def demo(
    data_dir: DataDir = None,
    host: Host = None,
    port: Port = None,
    photos: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Your own photos.")
    ] = None,
    selfie: Annotated[
        list[Path] | None, typer.Option(exists=True, dir_okay=False, help="A guest's selfie.")
    ] = None,
    count: Annotated[int, typer.Option(min=5, help="How many photos to compose.")] = 100,
    *,
    exit_: Annotated[bool, typer.Option("--exit", help="End when the job is done.")] = False,
) -> None:
    """Show the whole job: photos come in, selfies come in, guests get theirs."""
    with _all_of_findme():
        from demo.command import DemoOptions, run_demo
    if (photos is None) != (not selfie):
        msg = "--photos and --selfie go together: the photos, and whom to look for in them"
        raise typer.BadParameter(msg)
    options = DemoOptions(photos=photos, selfies=selfie or [], count=count, exit_when_done=exit_)
    run_demo(settings_with(data_dir, host=host, port=port), options, console)


@contextmanager
def _all_of_findme() -> Iterator[None]:
    """Import within this what the operators' own image leaves out: services, PostgreSQL, demo."""
    try:
        yield
    except ModuleNotFoundError as error:
        msg = f"This needs all of FindMe, of which {error.name} is not installed here."
        raise Unavailable(msg) from error


def main() -> None:
    """Run the command; an error on purpose is one sentence, not a traceback."""
    try:
        app()
    except FindMeError as error:
        Console(stderr=True).print(f"[red]{error}[/]", highlight=False)
        raise SystemExit(1) from error
