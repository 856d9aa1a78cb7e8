"""Logins of which only a message tells that they have ended."""

from fastapi import FastAPI

from libs.common.accounts.accounts import Accounts
from tests.support.polling import PATIENCE_SECONDS


def keep_logins(app: FastAPI) -> None:
    """Have a started application keep what it knows of logins and keys for longer than a test.

    So a test need not tell by the time that passed what it was that ended one.
    """
    accounts: Accounts = app.state.accounts
    for known in (accounts.sessions, accounts.keys):
        known._kept_seconds = 10 * PATIENCE_SECONDS
