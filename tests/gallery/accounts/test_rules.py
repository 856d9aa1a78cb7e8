import pytest

from services.gallery.accounts.rules import NewAccount, account_problems, password_problems

GOOD = NewAccount.of("anna", "anna@example.org", "Secret-12")


def test_a_good_account_has_no_problems() -> None:
    assert account_problems(GOOD) == []


@pytest.mark.parametrize(
    ("password", "missing"),
    [
        ("Sh-1", "at least 8 characters"),
        ("secret-12", "an upper-case letter"),
        ("Secret-word", "a digit"),
        ("Secret1234", "a special character"),
    ],
)
def test_each_thing_a_password_lacks_is_named(password: str, missing: str) -> None:
    assert password_problems(password) == [f"The password needs {missing}."]


def test_everything_a_password_lacks_is_one_sentence() -> None:
    assert password_problems("") == [
        "The password needs at least 8 characters, an upper-case letter, a digit, "
        "a special character."
    ]


def test_a_very_long_password_is_refused_before_it_is_hashed() -> None:
    assert len(password_problems("Aa-1" * 1000)) == 1


@pytest.mark.parametrize("email", ["", "anna", "anna@", "@example.org", "a b@example.org", "a@b"])
def test_something_else_than_an_address_is_refused(email: str) -> None:
    account = NewAccount.of("anna", email, GOOD.password)
    assert account_problems(account) == ["A valid email address is required."]


def test_a_name_of_white_space_is_no_name() -> None:
    account = NewAccount.of("  ", GOOD.email, GOOD.password)
    assert account_problems(account) == ["A username is required."]


def test_nobody_may_be_named_like_another_persons_address() -> None:
    account = NewAccount.of("victim@example.org", GOOD.email, GOOD.password)
    assert len(account_problems(account)) == 1


def test_ones_own_address_may_be_the_username() -> None:
    account = NewAccount.of("Anna@example.org", GOOD.email, GOOD.password)
    assert account_problems(account) == []


def test_the_password_does_not_show_in_logs() -> None:
    assert GOOD.password not in repr(GOOD)
