"""The `findme` command."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from cli import accounts as account_commands
from cli import backup as backup_commands
from cli import bucket as bucket_command
from cli import dead_letters as dlq_commands
from cli import documents as document_commands
from cli import events as event_commands
from cli import mails as mail_commands
from cli import migrate as migrate_command
from cli import partitions as partition_commands
from cli import status as status_command
from cli import up as up_command
from cli.doctor import command as doctor_command
from cli.models import models_app
from cli.options import DataDir, Host, Port, all_of_findme, settings_with
from cli.sweep import command as sweep_command
from libs.common.errors import FindMeError
from libs.common.telemetry import logs

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(account_commands.admin_app, name="admin")
app.add_typer(account_commands.photographer_app, name="photographer")
app.add_typer(event_commands.event_app, name="event")
app.add_typer(models_app, name="models")
app.add_typer(dlq_commands.app, name="dlq")
app.add_typer(mail_commands.app, name="mail")
app.command()(partition_commands.partitions)
app.command()(backup_commands.backup)
app.command()(backup_commands.restore)
app.command()(bucket_command.bucket)
app.command()(migrate_command.migrate)
app.command()(status_command.status)
app.command()(sweep_command.sweep)
app.command()(up_command.up)
app.command()(doctor_command.doctor)
app.command()(document_commands.openapi)
app.command()(document_commands.asyncapi)

console = Console()


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
    with all_of_findme():
        from demo.command import DemoOptions, run_demo
    if (photos is None) != (not selfie):
        msg = "--photos and --selfie go together: the photos, and whom to look for in them"
        raise typer.BadParameter(msg)
    options = DemoOptions(photos=photos, selfies=selfie or [], count=count, exit_when_done=exit_)
    run_demo(settings_with(data_dir, host=host, port=port), options, console)


def main() -> None:
    """Run the command; an error on purpose is one sentence, not a traceback."""
    logs.configure("warning", "console")
    logs.catch_crashes()
    try:
        app()
    except FindMeError as error:
        # It may quote anything: no markup.
        Console(stderr=True).print(Text(str(error), style="red"), soft_wrap=True)
        raise SystemExit(1) from error
