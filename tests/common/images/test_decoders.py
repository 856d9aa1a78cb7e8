"""Which decoders a stranger's bytes can reach, process by process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.image_files import image_file
from tests.support.polling import PATIENCE_SECONDS

OURS = ["gifload", "jpegload", "pngload", "tiffload", "webpload"]


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for each loader that looks into it before it says that it is shut."""
    folder = tmp_path_factory.mktemp("samples")
    (folder / "a.avif").write_bytes(image_file("AVIF"))
    (folder / "a.csv").write_text("1,2\n3,4\n")
    (folder / "a.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    return folder


def open_decoders(module: str, samples: Path) -> dict[str, list[str]]:
    command = [sys.executable, "-m", "tests.support.open_decoders", module, str(samples)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS
    )
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    "module",
    [
        "services.recognition.engine.engines",
        "services.recognition.indexes.rekognition.image",
        "services.media.renditions.rendition_worker",
    ],
)
def test_a_worker_has_only_the_loaders_of_our_table_open(module: str, samples: Path) -> None:
    found = open_decoders(module, samples)

    assert found["libvips"] == OURS
    assert set(found["pillow"]) <= {"AVIF", "BMP", "DIB"}


def test_ingest_reads_headers_and_has_no_decoder_open(samples: Path) -> None:
    found = open_decoders("services.ingest.images.header", samples)

    assert found == {"libvips": [], "pillow": []}


def test_what_is_shut_is_open_where_nobody_shuts_it(samples: Path) -> None:
    found = open_decoders("pyvips", samples)

    assert {"csvload", "heifload", "svgload", "uhdrload"} <= set(found["libvips"])
