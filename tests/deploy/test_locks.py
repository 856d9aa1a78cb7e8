"""The locks are whole: they name all that any locked package asks for, with its extras."""

import importlib.metadata
import itertools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ["standalone", "dev", "ingest", "recognition", "gallery", "media", "tools"]
HEADER = re.compile(r"^(?P<requirement>[A-Za-z0-9][^;\\]*?==[^;\\ ]+)")


def locked(name: str) -> dict[str, set[str]]:
    """The extras that a lock names, by package; of forks for several platforms, all."""
    packages: dict[str, set[str]] = {}
    for line in (ROOT / "requirements" / f"{name}.lock").read_text().splitlines():
        if found := HEADER.match(line):
            requirement = Requirement(found["requirement"].strip())
            packages.setdefault(canonicalize_name(requirement.name), set()).update(
                requirement.extras
            )
    return packages


def asked_for(packages: dict[str, set[str]]) -> Iterator[tuple[str, Requirement]]:
    """Each requirement, on this machine, of each locked package that is installed here."""
    for package, extras in packages.items():
        try:
            requirements = importlib.metadata.requires(package) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # of another platform
        for requirement in map(Requirement, requirements):
            environments = [{"extra": extra} for extra in ["", *extras]]
            if requirement.marker is None or any(map(requirement.marker.evaluate, environments)):
                yield package, requirement


def own_requirements(extra: str) -> Iterator[Requirement]:
    """What pyproject.toml asks for, FindMe's own extras followed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = itertools.chain(project["dependencies"], project["optional-dependencies"][extra])
    for requirement in map(Requirement, wanted):
        if requirement.name == "findme":
            for further in requirement.extras:
                yield from own_requirements(further)
        else:
            yield requirement


def missing(requirement: Requirement, packages: dict[str, set[str]]) -> bool:
    extras = packages.get(canonicalize_name(requirement.name))
    return extras is None or not requirement.extras <= extras


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_each_requirement_of_its_packages_with_its_extras(name: str) -> None:
    packages = locked(name)

    incomplete = [
        f"{package} asks for {requirement}"
        for package, requirement in asked_for(packages)
        if missing(requirement, packages)
    ]

    assert len(packages) > 20
    assert incomplete == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_what_the_project_asks_for(name: str) -> None:
    packages = locked(name)

    assert [str(r) for r in own_requirements(name) if missing(r, packages)] == []


def test_no_lock_says_where_packages_are_fetched_from() -> None:
    for lock in (ROOT / "requirements").glob("*.lock"):
        assert "://" not in lock.read_text(), lock.name
