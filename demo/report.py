"""What the demo found, as tables for people."""

from rich.console import Console
from rich.table import Table

from demo.scenario import Result

SHOWN_REJECTIONS = 10


def print_report(result: Result, console: Console) -> None:
    """Print each guest's photos beside the truth, where it is known, and the speed."""
    table = Table(title="Your photos", title_justify="left")
    for heading in ("guest", "photos found", "truly in", "right", "wrong", "missed"):
        table.add_column(heading, justify="left" if heading == "guest" else "right")
    for guest in result.guests:
        row = [guest.name, str(len(guest.found))]
        if guest.truth is not None:
            wrong, missed = len(guest.found - guest.truth), len(guest.truth - guest.found)
            row += [str(len(guest.truth)), str(guest.correct), str(wrong), str(missed)]
        table.add_row(*row)
    console.print(table)
    if any(guest.truth is not None for guest in result.guests):
        console.print(
            f"precision [bold]{result.precision:.3f}[/]   recall [bold]{result.recall:.3f}[/]"
        )
    console.print(
        f"{result.photos} photos in [bold]{result.total_seconds:.1f} s[/] "
        f"({result.photos_per_second:.1f} photos/s); uploads answered within "
        f"{result.upload_seconds:.1f} s; upload to match: median {result.median_latency:.1f} s, "
        f"worst {result.worst_latency:.1f} s",
        highlight=False,
    )
    if result.failed:
        console.print(f"[yellow]{result.failed} photos could not be analysed.[/]")
    for rejection in result.rejected[:SHOWN_REJECTIONS]:
        console.print(f"[yellow]rejected: {rejection}[/]")
    if len(result.rejected) > SHOWN_REJECTIONS:
        console.print(f"[yellow]… and {len(result.rejected) - SHOWN_REJECTIONS} more[/]")
