import subprocess
from configparser import ConfigParser
from pathlib import Path

from tests.support.compose import ROOT

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
    credentials = ConfigParser()
    credentials.read_string(made["s3_credentials"])
    assert credentials["default"]["aws_secret_access_key"] == made["minio_password"]


def test_git_ignores_them() -> None:
    ignored = subprocess.run(
        ["git", "check-ignore", "deploy/compose/secrets/secret_key", "findme.env", ".env"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(ignored.stdout.splitlines()) == 3
