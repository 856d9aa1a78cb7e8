"""Where phones open FindMe: an address that they understand."""

from pathlib import Path

import pytest

from libs.common.addresses import is_this_machine
from standalone.address import (
    address_of,
    keep_address,
    known_address,
    listening_address,
    own_address,
)
from standalone.settings import StandaloneSettings


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        ("localhost", True),
        ("photos.localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("0.0.0.0", True),  # leads every machine to itself
        ("192.168.1.20", False),
        ("2001:db8::20", False),
        ("photos.example.org", False),
    ],
)
def test_what_only_this_machine_understands_is_known(host: str, *, is_here: bool) -> None:
    assert is_this_machine(host) is is_here


def settings(tmp_path: Path, **given: object) -> StandaloneSettings:
    return StandaloneSettings.model_validate({"findme_data_dir": tmp_path} | given)


def test_it_is_what_the_operator_says_else_where_it_listens(tmp_path: Path) -> None:
    named = settings(tmp_path, host="0.0.0.0", public_url="https://photos.example.org/")
    assert listening_address(named, 8000, None) == address_of("https://photos.example.org")
    here = listening_address(settings(tmp_path), 8123, None)
    assert (here.url, here.is_for_phones) == ("http://127.0.0.1:8123", False)
    there = listening_address(settings(tmp_path, host="192.168.1.20"), 8123, None)
    assert (there.url, there.is_for_phones) == ("http://192.168.1.20:8123", True)
    assert not there.has_camera
    six = listening_address(settings(tmp_path, host="2001:db8::20"), 8123, None)
    assert six.url == "http://[2001:db8::20]:8123"


def test_listening_everywhere_it_is_an_address_of_this_machine_in_its_network(
    tmp_path: Path,
) -> None:
    found = listening_address(settings(tmp_path, host="0.0.0.0"), 8000, None)
    assert "0.0.0.0" not in found.url
    own = own_address()
    if own is not None:  # a machine without a network has none
        assert own in found.url
        assert found.is_for_phones


def test_commands_know_the_last_starts_address_and_settings_count_more(tmp_path: Path) -> None:
    assert known_address(settings(tmp_path)) is None
    keep_address(tmp_path, address_of("http://192.168.1.20:8000"))
    assert known_address(settings(tmp_path)) == address_of("http://192.168.1.20:8000")
    named = settings(tmp_path, public_url="https://photos.example.org")
    assert known_address(named) == address_of("https://photos.example.org")
