"""Files, folders and modules that the documents name are there."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
DOCUMENTS = (
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    *sorted(path.relative_to(PROJECT).as_posix() for path in (PROJECT / "docs").rglob("*.md")),
)
PACKAGES = ("backup", "benchmarks", "cli", "demo", "libs", "services", "standalone", "tests")
FOLDERS = (*PACKAGES, "clients", "deploy", "docs", "requirements", ".ci")
#: On the operator's machine only.
MADE_BY_OPERATORS = "deploy/compose/secrets"


def words(document: str) -> list[str]:
    """The words of what is set as code, in the text and in blocks."""
    text = (PROJECT / document).read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    return sorted({word.strip("\"',;()") for code in (*blocks, *inline) for word in code.split()})


def named_paths() -> list[tuple[str, str]]:
    """(document, path): below one of the project's folders, or the bare name of a module."""
    ours = re.compile(rf"(?:{'|'.join(map(re.escape, FOLDERS))})(?:/\S*)?/?|\w+\.py")
    return [
        (document, word)
        for document in DOCUMENTS
        for word in words(document)
        if ours.fullmatch(word) and ("/" in word or word.endswith(".py"))
        if not word.startswith(MADE_BY_OPERATORS)
    ]


def named_modules() -> list[tuple[str, str]]:
    """(document, module), as after `python -m`."""
    ours = re.compile(rf"(?:{'|'.join(PACKAGES)})(?:\.\w+)+")
    return [
        (document, word)
        for document in DOCUMENTS
        for word in words(document)
        if ours.fullmatch(word) and not word.endswith(".py")
    ]


def is_there(pattern: str) -> bool:
    """Whether there is such a file, or a folder with files; what only caches are left of is not."""
    return any(
        "__pycache__" not in file.parts
        for found in PROJECT.glob(pattern.rstrip("/"))
        for file in ([found] if found.is_file() else found.rglob("*"))
        if file.is_file()
    )


@pytest.mark.parametrize(("document", "path"), named_paths())
def test_a_path_that_a_document_names_is_there(document: str, path: str) -> None:
    if "/" in path:
        assert is_there(path), f"{document} names {path}"
    else:
        assert any(is_there(f"{folder}/**/{path}") for folder in (*PACKAGES, "clients/watcher")), (
            f"{document} names {path}"
        )


@pytest.mark.parametrize(("document", "module"), named_modules())
def test_a_module_that_a_document_names_is_there(document: str, module: str) -> None:
    path = module.replace(".", "/")
    assert is_there(f"{path}.py") or is_there(f"{path}/*.py"), f"{document} names {module}"


def test_the_documents_name_paths_at_all() -> None:
    assert {document for document, _ in named_paths()} >= {
        "ARCHITECTURE.md",
        "docs/develop/tour.md",
    }
    assert len(named_modules()) > 5
