"""Login of admins and photographers by an OpenID provider, where one is named."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from libs.common.errors import NotFound
from libs.common.limits.budgets import PROVIDER_LOGINS
from libs.common.limits.source import caller_source
from libs.common.web.openapi import problems
from libs.common.web.session_cookie import set_session_cookie
from services.gallery.gallery import CurrentGallery, Gallery
from services.gallery.oidc import login_state
from services.gallery.oidc.log_in import log_in_identity
from services.gallery.oidc.login_state import LoginState
from services.gallery.oidc.provider import LoginRefused, Provider
from services.gallery.oidc.rules import local_path

router = APIRouter(prefix="/api/oidc", tags=["accounts"])

SEE_OTHER = 303
#: Visible ASCII, as RFC 6749 has it; all three fit into a request's head.
Parameter = Annotated[str | None, Query(max_length=4096, pattern=r"^[ -~]*$")]


class LoginService(BaseModel):
    """Whether there is one."""

    is_offered: bool = Field(description="Whether people may log in by an OpenID provider.")


@router.get("", operation_id="get_login_service")
async def login_service(request: Request) -> LoginService:
    """Say whether one may log in by a provider, so that pages offer it."""
    return LoginService(is_offered=request.app.state.oidc_provider is not None)


@router.get(
    "/login",
    operation_id="begin_oidc_login",
    status_code=SEE_OTHER,
    response_class=RedirectResponse,
    responses=problems(404),
)
async def begin(
    request: Request,
    gallery: CurrentGallery,
    path: Annotated[
        str | None, Query(alias="next", max_length=255, description="Our page to go on at.")
    ] = None,
) -> RedirectResponse:
    """Send the browser to the provider."""
    provider = _provider(request, gallery)
    begun = LoginState(local_path(path))
    answer = RedirectResponse(await provider.login_url(begun), SEE_OTHER)
    login_state.keep(begun, answer, request)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@router.get(
    "/callback",
    operation_id="finish_oidc_login",
    status_code=SEE_OTHER,
    response_class=RedirectResponse,
    responses=problems(400, 401, 403, 404, 429),
)
async def finish(
    request: Request,
    gallery: CurrentGallery,
    code: Parameter = None,
    state: Parameter = None,
    iss: Parameter = None,
) -> RedirectResponse:
    """Take the provider's answer, set the cookie of a login, and go on at our page."""
    provider = _provider(request, gallery)
    begun = login_state.kept(request, state=state or "")
    # A provider names itself, so that the code of another one is not taken for its (RFC 9207).
    if code is None or iss not in (None, provider.issuer):
        raise LoginRefused("no code, or another issuer's")
    await gallery.limiter.spend(PROVIDER_LOGINS.of(caller_source()))
    session = await log_in_identity(
        await provider.identify(code, begun),
        photographer_domains=gallery.settings.photographer_domains,
        lifetime=timedelta(days=gallery.settings.access_token_days),
        user_agent=request.headers.get("user-agent"),
        tokens=request.app.state.tokens,
        database=gallery.database,
        passwords=gallery.passwords,
    )
    answer = RedirectResponse(begun.path, SEE_OTHER)
    set_session_cookie(answer, request, session.token, lifetime=session.lifetime)
    login_state.forget(answer, request)
    return answer


def _provider(request: Request, gallery: Gallery) -> Provider:
    provider: Provider | None = request.app.state.oidc_provider
    if provider is None:
        raise NotFound("Login service", gallery.settings.oidc_issuer)
    return provider
