import os
import re
import subprocess
from pathlib import Path

from tests.support.compose import ROOT, read_compose

SCRIPT = ROOT / "deploy/compose/make-secrets.sh"


def make_secrets(folder: Path) -> str:
    run = subprocess.run([SCRIPT, folder], check=True, capture_output=True, text=True)
    return run.stdout


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_secrets_are_made_once_and_never_changed(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    assert make_secrets(folder).count("made ") == len(contents(folder))
    first = contents(folder)
    (folder / "grafana_password").unlink()
    assert make_secrets(folder) == f"made {folder}/grafana_password\n"
    second = contents(folder)
    assert second.pop("grafana_password") != first.pop("grafana_password")
    assert second == first


def test_no_two_installations_share_a_secret(tmp_path: Path) -> None:
    make_secrets(tmp_path / "one")
    make_secrets(tmp_path / "two")
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    # Nobody's: an operator writes theirs.
    for name in ("s3_credentials", "alert_webhook_url"):
        assert two.pop(name) == one.pop(name)
    assert [name for name in one if one[name] == two[name]] == []
    assert len(set(one.values())) == len(one)


def test_only_their_owner_reaches_them(tmp_path: Path) -> None:
    """The folder guards them; in a container, a file is read by a user that is not its owner."""
    folder = tmp_path / "secrets"
    make_secrets(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o444}


def test_addresses_carry_the_passwords(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    made = {name: text.strip() for name, text in contents(tmp_path).items()}
    assert f":{made['postgres_password']}@postgres:" in made["database_url"]
    assert f":{made['rabbitmq_password']}@rabbitmq:" in made["amqp_url"]
    assert f"default_pass = {made['rabbitmq_password']}" in made["rabbitmq_user.conf"]


def test_git_ignores_them() -> None:
    ignored = subprocess.run(
        ["git", "check-ignore", "deploy/compose/secrets/secret_key", "findme.env", ".env"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(ignored.stdout.splitlines()) == 3


def test_images_of_others_are_pinned_once_to_what_their_tags_name(tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\necho "sha256:$(echo "$5" | sha256sum | cut -c1-64)"\n')
    docker.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def pin() -> dict[str, str]:
        script = ROOT / "deploy/compose/pin-images.sh"
        subprocess.run([script, tmp_path / ".env"], check=True, env=environment)
        lines = (tmp_path / ".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    (tmp_path / ".env").write_text("GRAFANA_IMAGE=kept\n")
    pinned = pin()
    assert pinned == pin()
    images = {name: service["image"] for name, service in read_compose(pinned)["services"].items()}
    others = {"gateway", "postgres", "rabbitmq", "prometheus"}
    assert all(re.search(r":[\d.v]+.*@sha256:[0-9a-f]{64}$", images[name]) for name in others)
    assert images["grafana"] == "kept"
