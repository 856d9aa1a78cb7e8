"""A Dockerfile's stages, and its build steps followed in a folder, without an engine."""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: `name` in upper case, `flags` (--from=…), and the rest."""

    name: str
    flags: dict[str, str]
    value: str

    @property
    def words(self) -> list[str]:
        """The arguments, of the JSON form or of the shell form."""
        if self.value.startswith("["):
            words: list[str] = json.loads(self.value)
            return words
        return shlex.split(self.value)

    def words_after(self, keyword: str) -> list[str]:
        """The JSON list behind a keyword, as in HEALTHCHECK … CMD [...]."""
        words: list[str] = json.loads(self.value.partition(keyword)[2])
        return words


@dataclass(frozen=True, slots=True)
class Stage:
    """One FROM with what follows it."""

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, name: str) -> list[Instruction]:
        """Its instructions of one kind."""
        return [found for found in self.instructions if found.name == name]


def read_stages(dockerfile: Path) -> dict[str, Stage]:
    """Parse; the arguments before the first FROM are left out."""
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    for instruction in _instructions(dockerfile.read_text()):
        if instruction.name == "FROM":
            base, _, name = instruction.words
            stage = stages[name] = Stage(name, base)
        elif stage is not None:
            stage.instructions.append(instruction)
    return stages


def lineage(stages: dict[str, Stage], name: str) -> list[Stage]:
    """The stage and those it is built from, the first of them first."""
    chain = [stages[name]]
    while chain[0].base in stages:
        chain.insert(0, stages[chain[0].base])
    return chain


def environment(stages: dict[str, Stage], name: str) -> dict[str, str]:
    """What ENV says in a stage and those below it."""
    found: dict[str, str] = {}
    for stage in lineage(stages, name):
        for instruction in stage.all("ENV"):
            found |= dict(word.split("=", 1) for word in instruction.words)
    return found


def last(stages: dict[str, Stage], name: str, kind: str) -> Instruction | None:
    """The instruction of this kind that counts, as of USER or ENTRYPOINT."""
    found = [item for stage in lineage(stages, name) for item in stage.all(kind)]
    return found[-1] if found else None


def follow(
    stages: dict[str, Stage],
    name: str,
    *,
    context: Path,
    root: Path,
    path: str,
    without: Collection[str] = (),
) -> None:
    """Do a build stage's COPY and RUN steps as if `root` were the image's root.

    What it takes from other stages is built first, in folders beside. `path` is the PATH of the
    commands, of which those `without` are left out. Raises CalledProcessError, with what the
    command wrote.
    """
    workdir = root
    for stage in lineage(stages, name):
        for instruction in stage.instructions:
            if instruction.name == "WORKDIR":
                workdir = _inside(root, instruction.value, workdir)
                workdir.mkdir(parents=True, exist_ok=True)
            elif instruction.name == "COPY":
                *sources, target = instruction.words
                origin = context
                if (other := instruction.flags.get("from")) is not None:
                    origin = root.with_name(f"{root.name}-{other}")
                    follow(stages, other, context=context, root=origin, path=path)
                for source in sources:
                    _copy(origin / source.lstrip("/"), _inside(root, target, workdir), target)
            elif instruction.name == "RUN" and instruction.words[0] not in without:
                command = [
                    str(_inside(root, word, workdir)) if word.startswith("/") else word
                    for word in instruction.words
                ]
                subprocess.run(
                    command,
                    cwd=workdir,
                    env=os.environ | {"PATH": path},
                    check=True,
                    capture_output=True,
                    text=True,
                )


def _copy(source: Path, destination: Path, target: str) -> None:
    if source.is_dir():
        unneeded = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, destination, dirs_exist_ok=True, ignore=unneeded)
    else:
        assert target.endswith("/"), f"COPY of a file into {target}: write a folder with a slash"
        destination.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, destination)


def _inside(root: Path, path: str, workdir: Path) -> Path:
    if PurePosixPath(path).is_absolute():
        return root / path.lstrip("/")
    return workdir / path


def _instructions(text: str) -> list[Instruction]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found = []
    for line in filter(None, map(str.strip, joined.splitlines())):
        name, _, rest = line.partition(" ")
        flags = {}
        while match := re.match(r"--([a-z-]+)=(\S+)\s+", rest):
            flags[match[1]] = match[2]
            rest = rest[match.end() :]
        found.append(Instruction(name.upper(), flags, rest.strip()))
    return found
