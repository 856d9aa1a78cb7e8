"""Decoders of strangers' bytes, and networks, are loaded by workers alone."""

import subprocess
import sys

import pytest

LOADED = """
import importlib, sys
importlib.import_module(sys.argv[1])
print(*sys.modules)
"""
OF_WORKERS = {
    "PIL.AvifImagePlugin",
    "cv2",
    "dlib",
    "onnx",
    "onnxruntime",
    "pillow_heif",
    "pyvips",
}


def loaded_by(module: str) -> set[str]:
    ended = subprocess.run(
        [sys.executable, "-c", LOADED, module], check=True, capture_output=True, text=True
    )
    return set(ended.stdout.split())


@pytest.mark.parametrize(
    "service",
    [
        "services.gallery.app",
        "services.ingest.app",
        "services.media.app",
        "services.recognition.app",
        "standalone.serve",
    ],
)
def test_a_service_loads_no_decoder(service: str) -> None:
    loaded = loaded_by(service)
    assert service in loaded
    assert not loaded & OF_WORKERS


@pytest.mark.parametrize(
    ("worker", "decoders"),
    [
        ("services.media.renditions.rendition_worker", {"pyvips", "pillow_heif"}),
        ("services.recognition.engine.engines", {"pyvips", "onnxruntime", "dlib"}),
    ],
)
def test_the_workers_do(worker: str, decoders: set[str]) -> None:
    assert decoders <= loaded_by(worker)
