"""How an account is answered."""

from services.gallery.accounts.repository import AccountRow
from services.gallery.web.answers import View


def account_view(account: AccountRow) -> View:
    """Return `user`; there is no password hash in what it is made of."""
    return {
        "id": account.id,
        "username": account.username,
        "email": account.email,
        "user_type": account.user_type,
        "is_active": account.is_active,
        "created_at": account.created_at,
        "selfie_path": f"/api/selfie/{account.id}" if account.has_selfie else None,
        "event_id": account.event_id,
        "event_name": account.event_name,
        "event_code": account.event_code,
        "event_date": account.event_date,
    }
