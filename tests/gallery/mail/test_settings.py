"""What an operator may say of mails, and what is refused before it does harm."""

from pathlib import Path

import pytest

from libs.common.setting_files import WrongSettings
from services.gallery.mail.open import mail_transport
from services.gallery.mail.transport import FolderTransport, SmtpTransport
from services.gallery.settings import GallerySettings
from standalone.app import gallery_settings
from standalone.settings import StandaloneSettings
from tests.support.settings import settings_of

SERVER = {
    "mail_host": "mail.example.org",
    "mail_from": "FindMe <findme@example.org>",
    "public_url": "https://photos.example.org/",
}


def settings(**values: object) -> GallerySettings:
    return settings_of(GallerySettings, "postgresql://localhost/findme", **values)


@pytest.mark.parametrize(
    ("missing", "told"), [("mail_from", "MAIL_FROM"), ("public_url", "PUBLIC_URL")]
)
def test_a_mail_server_needs_a_sender_and_an_origin_for_links(missing: str, told: str) -> None:
    assert settings(**SERVER).mail_host
    with pytest.raises(WrongSettings, match=told):
        settings(**{name: value for name, value in SERVER.items() if name != missing})


@pytest.mark.parametrize(
    "values",
    [
        {"public_url": "photos.example.org"},
        {"public_url": "https://photos.example.org/path?x=1"},
        {"mail_from": "nobody"},
        {"mail_from": "a@example.org\r\nBcc: b@example.org"},
        {"mail_password": "secret"},
        {"mail_security": "whatever"},
    ],
)
def test_what_cannot_be_meant_is_refused_at_the_start(values: dict[str, object]) -> None:
    with pytest.raises(WrongSettings):
        settings(**values)


def test_links_begin_with_what_the_operator_says_else_with_the_invitations_origin() -> None:
    assert settings(**SERVER).links_begin_with == "https://photos.example.org"
    invited = settings(invite_url="https://gala.example/i/{code}")
    assert invited.links_begin_with == "https://gala.example"
    assert settings(port=8123).links_begin_with == "http://localhost:8123"


def test_mails_go_to_the_server_else_into_the_folder_else_they_wait(tmp_path: Path) -> None:
    assert isinstance(mail_transport(settings(**SERVER)), SmtpTransport)
    assert isinstance(mail_transport(settings(mail_dir=tmp_path)), FolderTransport)
    # Compose files pass "not set" as an empty variable.
    assert mail_transport(settings(mail_host="", mail_dir="")) is None


def test_standalone_keeps_mails_in_its_data_folder_unless_a_server_is_named(tmp_path: Path) -> None:
    own = StandaloneSettings(findme_data_dir=tmp_path)
    assert gallery_settings(own)["mail_dir"] == tmp_path / "mail"
    named = StandaloneSettings.model_validate({"findme_data_dir": tmp_path} | SERVER)
    assert isinstance(mail_transport(settings(**gallery_settings(named))), SmtpTransport)
