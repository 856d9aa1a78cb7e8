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
TOOLS_ENTRY = "standalone.cli"


def import_all(package: str) -> int:
    """Import a package with everything below it; return how many modules that were."""
    found = importlib.import_module(package)
    names = [module.name for module in pkgutil.walk_packages(found.__path__, f"{package}.")]
    # Entry points and alembic's environment run when they are imported.
    modules = [name for name in names if not name.endswith((".__main__", ".migrations.env"))]
    for name in modules:
        importlib.import_module(name)
    return len(modules) + 1


def missing_libraries(folder: Path) -> list[str]:
    """Return what the loader does not find, as `library (needed by file)`."""
    ldd = shutil.which("ldd")
    if ldd is None:
        sys.exit("check-image.py needs ldd")
    missing = []
    for library in sorted(folder.rglob("*.so*")):
        if not library.is_file():
            continue
        shown = subprocess.run([ldd, library], capture_output=True, text=True, check=False)  # noqa: S603
        missing += [
            f"{line.split()[0]} (needed by {library.name})"
            for line in shown.stdout.splitlines()
            if "not found" in line
        ]
    return missing


def main(image: str) -> None:
    """Check, and say what was looked at; end with status 1 when something is missing."""
    if image == "tools":
        importlib.import_module(TOOLS_ENTRY)
        modules = sum(name.startswith(("libs", "services", "standalone")) for name in sys.modules)
    else:
        modules = import_all("libs") + import_all(f"services.{image}")
    missing = missing_libraries(Path(sysconfig.get_path("purelib")))
    if missing:
        sys.exit(f"{image}: libraries are missing:\n" + "\n".join(sorted(set(missing))))
    print(f"{image}: {modules} modules imported, no native library is missing")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
