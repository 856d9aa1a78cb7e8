"""QR codes at the terminal."""

import io
import sys

import segno
from rich.console import Console
from rich.text import Text

#: White and black themselves: a theme's own may be too much alike, or the other way round.
_STYLE = "rgb(255,255,255) on rgb(0,0,0)"
_INDENT = "  "


def print_qr(text: str, console: Console) -> None:
    """Print the text as a QR code where somebody looks: not into a log."""
    if not sys.stdout.isatty():
        return
    drawn = io.StringIO()
    segno.make(text, error="m", micro=False).terminal(drawn, border=2, compact=True)
    for line in drawn.getvalue().splitlines():
        console.print(Text(_INDENT).append(line, style=_STYLE), soft_wrap=True)
