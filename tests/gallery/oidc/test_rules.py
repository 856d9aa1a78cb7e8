import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.accounts.principal import Role
from services.gallery.oidc.rules import Identity, Known, Verdict, local_path, verdict

PAULA = "paula@studio.example"
PHOTOGRAPHER, ADMIN = Known(1, Role.PHOTOGRAPHER, True), Known(2, Role.ADMIN, True)
GUEST, LOCKED = Known(3, Role.PARTICIPANT, True), Known(4, Role.ADMIN, False)


def decided(
    *,
    email: str | None = PAULA,
    is_verified: bool = True,
    linked: Known | None = None,
    by_email: Known | None = None,
    domains: tuple[str, ...] = (),
) -> Verdict:
    identity = Identity("https://login.example", "1", email, is_verified)
    return verdict(identity, linked=linked, by_email=by_email, photographer_domains=domains)


@pytest.mark.parametrize("account", [PHOTOGRAPHER, ADMIN])
def test_a_linked_account_is_logged_in_whatever_its_address_is_by_now(account: Known) -> None:
    assert decided(linked=account) is Verdict.LOG_IN
    assert decided(linked=account, email=None) is Verdict.LOG_IN
    assert decided(linked=account, is_verified=False) is Verdict.LOG_IN


@pytest.mark.parametrize("account", [PHOTOGRAPHER, ADMIN])
def test_an_account_of_the_same_verified_address_is_linked(account: Known) -> None:
    assert decided(by_email=account) is Verdict.LINK
    assert decided(by_email=account, is_verified=False) is Verdict.REFUSE


@pytest.mark.parametrize("account", [GUEST, LOCKED])
def test_guests_and_locked_accounts_are_not_logged_in(account: Known) -> None:
    domains = ("studio.example",)
    assert decided(linked=account, domains=domains) is Verdict.REFUSE
    assert decided(by_email=account, domains=domains) is Verdict.REFUSE


@pytest.mark.parametrize(
    ("email", "is_verified", "domains", "expected"),
    [
        (PAULA, True, (), Verdict.REFUSE),
        (PAULA, True, ("studio.example",), Verdict.CREATE),
        ("paula@STUDIO.example", True, ("studio.example",), Verdict.CREATE),
        (PAULA, False, ("studio.example",), Verdict.REFUSE),
        (None, True, ("studio.example",), Verdict.REFUSE),
        ("paula@evil-studio.example", True, ("studio.example",), Verdict.REFUSE),
        ("paula@studio.example.evil.example", True, ("studio.example",), Verdict.REFUSE),
        ("studio.example@evil.example", True, ("studio.example",), Verdict.REFUSE),
        ("@", True, ("studio.example",), Verdict.REFUSE),
    ],
)
def test_an_account_is_made_for_verified_addresses_of_the_named_domains_alone(
    email: str | None, *, is_verified: bool, domains: tuple[str, ...], expected: Verdict
) -> None:
    assert decided(email=email, is_verified=is_verified, domains=domains) is expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/events/3?tab=people#x", "/events/3?tab=people#x"),
        (None, "/"),
        ("", "/"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\nSet-Cookie: x=1", "/"),
        ("/é", "/"),
    ],
)
def test_a_login_goes_on_at_our_own_pages_alone(path: str | None, expected: str) -> None:
    assert local_path(path) == expected


@given(st.text())
def test_no_text_leads_to_another_host(path: str) -> None:
    found = local_path(path)
    assert found.startswith("/")
    assert not found.startswith(("//", "/\\"))
