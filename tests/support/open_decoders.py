"""Run with a module's name and a folder of samples: which decoders that module leaves open.

A process of its own, as what libvips shuts stays shut in the process that asked for it.
"""

import importlib
import json
import sys
from pathlib import Path


def open_loaders(samples: Path) -> list[str]:
    """The names of libvips' loaders of files that are not shut."""
    import pyvips

    found: set[str] = set()

    def look(gtype: object, *_: object) -> object:
        if pyvips.type_name(gtype).endswith("File"):
            found.add(pyvips.nickname_find(gtype))
        pyvips.type_map(gtype, look)
        return pyvips.ffi.NULL

    pyvips.type_map(pyvips.type_from_name("VipsForeignLoad"), look)
    return sorted(name for name in found if not is_shut(name, samples))


def is_shut(loader: str, samples: Path) -> bool:
    """Whether it says so of any sample: of others it may say first that they are not its."""
    import pyvips

    for sample in samples.iterdir():
        try:
            pyvips.Operation.call(loader, str(sample))
        except pyvips.Error as error:
            if "operation is blocked" in str(error):
                return True
    return False


def plugins() -> list[str]:
    """The formats that Pillow opens."""
    from PIL import Image

    return sorted(Image.OPEN)


if __name__ == "__main__":
    importlib.import_module(sys.argv[1])
    loaders = open_loaders(Path(sys.argv[2])) if "pyvips" in sys.modules else []
    sys.stdout.write(json.dumps({"libvips": loaders, "pillow": plugins()}))
