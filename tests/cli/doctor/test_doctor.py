"""`findme doctor` on a real database, disk and backup."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from typer.testing import CliRunner

from backup.files import FileFacts
from backup.manifest import FORMAT, Manifest, write_manifest
from cli.app import app
from standalone.address import address_of, keep_address
from standalone.data_dir import note_backup

PASSWORD = "Quiet-Lake-12"


@pytest.fixture
def data_dir(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATABASE_URL", database_url)
    return tmp_path


def fresh_manifest() -> Manifest:
    """Of a backup that was made at this moment."""
    file = FileFacts("database.dump", 1, "00")
    now = datetime.now(UTC).isoformat()
    return Manifest(
        format=FORMAT,
        created_at=now,
        findme="0.1.0",
        schema="0042",
        postgres=18,
        pg_dump=18,
        database=file,
        objects=file,
        object_count=0,
        object_bytes=0,
        rows={},
        missing=[],
        secret=None,
    )


def doctor(data_dir: Path, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The status, and the findings by name."""
    command = ["doctor", "--json", "--data-dir", str(data_dir), *arguments]
    done = CliRunner().invoke(app, command)
    return done.exit_code, {one["name"]: one for one in json.loads(done.stdout)}


def test_a_new_installation_is_told_all_that_is_to_be_done(data_dir: Path) -> None:
    status, found = doctor(data_dir)
    assert status == 1
    assert found["people"] | {"told": ""} == {
        "name": "people",
        "state": "act",
        "told": "",
        "todo": "findme admin create",
    }
    assert found["backups"]["state"] == "act"
    assert found["events"]["state"] == "look"
    assert {"disk", "memory", "workers", "clock", "address", "tls", "mail", "models"} <= set(found)


def test_for_people_each_line_says_how_it_is_and_what_to_do(data_dir: Path) -> None:
    done = CliRunner().invoke(app, ["doctor", "--data-dir", str(data_dir)])
    assert done.exit_code == 1
    line = next(line for line in done.stdout.splitlines() if " people " in line)
    assert line.startswith("act")
    assert "→ findme admin create" in done.stdout


def test_what_is_in_order_is_ok(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = CliRunner()
    for kind in ("admin", "photographer"):
        account = ["--username", kind, "--email", f"{kind}@example.org", "--password", PASSWORD]
        assert runner.invoke(app, [kind, "create", *account]).exit_code == 0
    made = ["--name", "Gala", "--photographer", "photographer", "--data-dir", str(data_dir)]
    assert runner.invoke(app, ["event", "create", *made]).exit_code == 0
    monkeypatch.setattr("cli.doctor.machine.why_no_answer", lambda _: None)
    monkeypatch.setenv("PUBLIC_URL", "https://photos.example.org")
    folder = data_dir / "backup"
    folder.mkdir()
    write_manifest(folder, fresh_manifest())
    note_backup(data_dir, folder)
    _, found = doctor(data_dir)
    states = {name: one["state"] for name, one in found.items()}
    assert {states[name] for name in ("people", "events", "work", "address", "tls")} == {"ok"}
    assert states["backups"] == "look"  # on the data's own disk


def test_a_certificate_for_somebody_else_is_found(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = trustme.CA().issue_cert("photos.example.org")
    certificate = data_dir / "cert.pem"
    certificate.write_bytes(made.private_key_and_cert_chain_pem.bytes())
    monkeypatch.setenv("TLS_CERTIFICATE", str(certificate))
    keep_address(data_dir, address_of("https://gala.example.org:1"))
    status, found = doctor(data_dir)
    assert status == 1
    assert found["tls"]["state"] == "act"
    assert "for photos.example.org, not for gala.example.org" in found["tls"]["told"]
    assert found["answers"]["state"] == "act"


def test_each_face_model_is_looked_for_where_the_engine_does(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, found = doctor(data_dir)
    assert found["models"]["state"] == "ok"  # the packaged ones
    monkeypatch.setattr("services.recognition.engine.models.files.package_folder", lambda _: None)
    _, found = doctor(data_dir)
    assert "face_detection_yunet_2023mar.onnx, face_recognition_sface" in found["models"]["told"]
    (data_dir / "models").mkdir()
    (data_dir / "models" / "face_detection_yunet_2026may.onnx").touch()
    _, found = doctor(data_dir)
    assert found["models"]["told"].startswith("face_recognition_sface_2021dec.onnx is nowhere")
    (data_dir / "models" / "face_recognition_sface_2026may.onnx").touch()
    _, found = doctor(data_dir)
    assert found["models"]["state"] == "ok"
    monkeypatch.setenv("FACE_DETECTOR_MODEL", str(data_dir / "elsewhere.onnx"))
    _, found = doctor(data_dir)
    assert found["models"]["state"] == "act"
    assert "elsewhere.onnx" in found["models"]["told"]


def test_a_backup_that_is_damaged_is_found(data_dir: Path) -> None:
    folder = data_dir / "backup"
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")
    _, found = doctor(data_dir, "--backup", str(folder))
    assert found["backups"]["state"] == "act"
