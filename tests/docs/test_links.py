"""Every relative link in the documents leads to a file, and to a heading of it."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")
#: Links, and pictures in either way of writing them.
_LINK = re.compile(r"""(?:\]\(|<img [^>]*src=")([^)"\s]+)""")


def documents() -> list[Path]:
    """All Markdown that people read."""
    folders = (PROJECT, PROJECT / "clients" / "watcher", PROJECT / "benchmarks")
    return [
        *(path for folder in folders for path in sorted(folder.glob("*.md"))),
        *sorted((PROJECT / "docs").rglob("*.md")),
    ]


def anchors(document: Path) -> set[str]:
    """The anchors of its headings, as GitHub and GitLab make them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links() -> list[tuple[Path, str]]:
    """(document, target) of what leads to a place of this repository."""
    return [
        (document, target)
        for document in documents()
        for target in _LINK.findall(_CODE.sub("", _FENCE.sub("", document.read_text())))
        if not re.match(r"[a-z]+:", target)
    ]


@pytest.mark.parametrize(
    ("document", "target"),
    links(),
    ids=lambda value: value.name if isinstance(value, Path) else value,
)
def test_a_link_leads_somewhere(document: Path, target: str) -> None:
    path, _, anchor = target.partition("#")
    there = (document.parent / path).resolve() if path else document
    assert there.exists(), f"{document.name} leads to {target}"
    assert PROJECT in there.parents
    if anchor:
        assert anchor in anchors(there), f"{document.name} leads to {target}"


def test_every_document_is_led_to() -> None:
    """Nothing below docs/ can be read by nobody."""
    led_to = {
        (document.parent / target.partition("#")[0]).resolve() for document, target in links()
    }
    lost = [path for path in (PROJECT / "docs").rglob("*.md") if path.resolve() not in led_to]
    assert lost == []
