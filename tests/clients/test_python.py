"""Models for Python are made of the OpenAPI document, and are those that it was made of."""

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel

from services.gallery.accounts.schemas import User
from services.gallery.api_document.routes import DOCUMENT
from services.gallery.events.schemas import Event
from services.gallery.lists.schemas import GuestPhoto, PhotographerPhoto, UncertainPhoto
from services.gallery.people.schemas import EventPeople, FaceGroups
from services.ingest.photos.routes import UploadAnswer


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The module, as somebody makes it who writes a client."""
    path: Path = tmp_path_factory.mktemp("client") / "findme_api.py"
    subprocess.run(
        [
            Path(sys.executable).with_name("datamodel-codegen"),
            "--input",
            DOCUMENT,
            "--input-file-type",
            "openapi",
            "--output-model-type",
            "pydantic_v2.BaseModel",
            "--target-python-version",
            "3.11",
            "--output",
            path,
        ],
        check=True,
        timeout=120,
    )
    spec = importlib.util.spec_from_file_location("findme_api", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Pydantic looks there for what annotations name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize(
    "ours",
    [
        Event,
        EventPeople,
        FaceGroups,
        GuestPhoto,
        PhotographerPhoto,
        UncertainPhoto,
        UploadAnswer,
        User,
    ],
)
def test_its_models_have_our_fields_and_need_what_ours_need(
    made: ModuleType, ours: type[BaseModel]
) -> None:
    theirs: type[BaseModel] = getattr(made, ours.__name__)
    assert theirs.model_fields.keys() == ours.model_fields.keys()
    assert needed(theirs) == needed(ours)


def test_it_reads_what_a_service_answers(made: ModuleType) -> None:
    status = made.MatchingDone.model_validate_json(
        '{"status": "done", "finished_at": 1782.5, "matched": 3}'
    )
    assert (status.finished_at, status.matched) == (1782.5, 3)
    with pytest.raises(ValueError, match="matched"):
        made.MatchingDone.model_validate_json('{"status": "done", "finished_at": 1782.5}')


def needed(model: type[BaseModel]) -> set[str]:
    return {name for name, field in model.model_fields.items() if field.is_required()}
