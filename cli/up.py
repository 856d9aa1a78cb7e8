"""`findme up`: run FindMe, and say where phones open it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cli.options import DataDir, Host, Port, all_of_findme, settings_with
from cli.qr import print_qr

if TYPE_CHECKING:
    from standalone.address import Address
    from standalone.serve import Ready

console = Console()

ONLY_THIS_MACHINE = (
    "Only this machine can open it. For guests' phones: findme up --host 0.0.0.0, or PUBLIC_URL"
    " where a proxy leads here."
)
NO_CAMERA = (
    "Browsers give the camera to HTTPS pages only: by this address guests choose a photo of"
    " themselves instead. With HTTPS: --tls CERT KEY, or Caddy (docs/install/tls.md)."
)


def up(
    data_dir: DataDir = None,
    host: Host = None,
    port: Port = None,
    tls: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--tls",
            metavar="CERT KEY",
            help="Serve HTTPS with this certificate and key (PEM) [TLS_CERTIFICATE, TLS_KEY].",
        ),
    ] = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="Write the URL there once requests are answered.")
    ] = None,
) -> None:
    """Run FindMe: all services in one process, on one folder. Ctrl-C stops it."""
    with all_of_findme():
        from standalone.serve import serve

    certificate, key = tls or (None, None)
    settings = settings_with(
        data_dir, host=host, port=port, tls_certificate=certificate, tls_key=key
    )

    def announce(ready: "Ready") -> None:
        _tell_address(ready.address)
        if ready.setup_token is not None:
            _tell_first_admin(ready.address.url, ready.setup_token)
        if ready_file is not None:
            ready_file.write_text(ready.local_url + "\n")
        # The last of all, for whoever waits for it goes on at once.
        _say(f"FindMe is ready at [bold]{ready.address.url}[/] (Ctrl-C stops it)")

    serve(settings, on_ready=announce)


def _tell_address(address: "Address") -> None:
    if not address.is_for_phones:
        _say(ONLY_THIS_MACHINE)
        return
    _say(f"Phones open [bold]{address.url}[/]")
    print_qr(address.url, console)
    if not address.has_camera:
        _say(NO_CAMERA)


def _tell_first_admin(url: str, setup_token: str) -> None:
    # A log is kept, and read by others than whoever sits at the terminal.
    by_token = (
        f" at [bold]{url}/start[/] with the setup token [bold]{setup_token}[/]"
        " (good until this process ends), or"
        if sys.stdout.isatty()
        else ""
    )
    _say(f"There is no admin yet. The first one is made{by_token} by findme admin create.")


def _say(text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True)
