"""Who may call which route: one line for each. A route without a line fails the test.

A new route needs its line in RULES, and a value in `Scene.fill` for a new part of a path.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from libs.common.web.auth import Role

GUEST, PHOTOGRAPHER, ADMIN = Role.PARTICIPANT, Role.PHOTOGRAPHER, Role.ADMIN
ALL = frozenset(Role)
GUESTS = frozenset({GUEST})
PHOTOGRAPHERS = frozenset({PHOTOGRAPHER})
ADMINS = frozenset({ADMIN})
RUNNERS = frozenset({PHOTOGRAPHER, ADMIN})
NO_ROLE: frozenset[Role] = frozenset()


class Viewer(StrEnum):
    """Who calls."""

    ANONYMOUS = "anonymous"
    FORGED = "with a forged token of an admin"
    EXPIRED = "with an expired token of an admin"
    DEACTIVATED = "an admin who was deactivated"
    DELETED = "an admin who was deleted"
    GUEST = "guest of the event, in no photo"
    MATCHED = "guest of the event, in the hidden photo"
    ELSEWHERE = "guest of another event"
    OWNER = "photographer of the event"
    OTHER = "photographer of another event"
    ADMIN = "admin"
    ENDED_GUEST = "guest of an event that is over, in its hidden photo"
    ENDED_OWNER = "photographer of an event that is over"


NOBODY = frozenset(
    {Viewer.ANONYMOUS, Viewer.FORGED, Viewer.EXPIRED, Viewer.DEACTIVATED, Viewer.DELETED}
)
STRANGERS = frozenset({Viewer.ELSEWHERE, Viewer.OTHER})
ROLE_OF = {
    Viewer.GUEST: GUEST,
    Viewer.MATCHED: GUEST,
    Viewer.ELSEWHERE: GUEST,
    Viewer.ENDED_GUEST: GUEST,
    Viewer.OWNER: PHOTOGRAPHER,
    Viewer.OTHER: PHOTOGRAPHER,
    Viewer.ENDED_OWNER: PHOTOGRAPHER,
    Viewer.ADMIN: ADMIN,
}


class About(StrEnum):
    """What a route is about: by that, who of a role may call it."""

    #: Nobody is asked who they are.
    ANYTHING = "anything"
    #: Other services call it, with a token of theirs.
    SERVICES = "services"
    #: The caller's own, or what all of a role see.
    SELF = "self"
    #: The event of the path, for its guests, its photographer and admins.
    EVENT = "event"
    #: A hidden photo of the event, for who is in it, its photographer and admins.
    PHOTO = "photo"
    #: A guest's selfie, for themselves, the photographers of their events and admins.
    SELFIE = "selfie"


@dataclass(frozen=True)
class Rule:
    """One route's rule."""

    method: str
    path: str
    about: About
    roles: frozenset[Role] = NO_ROLE
    #: What those are answered who may: 400, 404 and 422 are what is said of a request that is
    #: allowed, and harmless as it is.
    ok: tuple[int, ...] = (200,)
    #: What those are answered who have the role, but nothing to do with the event.
    stranger: int = 404
    #: Guests of an event that is over are answered 410, though no event is in the path.
    ends: bool = False
    #: So is everybody: nothing comes in any more.
    closes: bool = False
    #: Whoever may, changes something: each on a scene of their own.
    harms: bool = False
    #: It goes on for ever.
    streams: bool = False
    #: The answer of one viewer that is as no rule says.
    exceptions: dict[Viewer, int] = field(default_factory=dict)
    request: dict[str, Any] = field(default_factory=dict)

    def expected(self, viewer: Viewer) -> tuple[int, ...]:
        """Return the statuses of which the viewer must be answered one."""
        refusal = self.exceptions.get(viewer) or self._refusal(viewer)
        return self.ok if refusal is None else (refusal,)

    def _refusal(self, viewer: Viewer) -> int | None:
        if self.about is About.ANYTHING:
            return None
        if self.about is About.SERVICES:
            return 403
        if viewer in NOBODY:
            return 401
        if ROLE_OF[viewer] not in self.roles:
            return 403
        if self.about is About.SELF:
            return 410 if self.ends and viewer is Viewer.ENDED_GUEST else None
        if self.about is About.SELFIE:
            return 404 if viewer in STRANGERS | {Viewer.GUEST} else None
        return self._refusal_in_event(viewer)

    def _refusal_in_event(self, viewer: Viewer) -> int | None:
        if viewer in STRANGERS:
            return self.stranger
        if viewer is Viewer.ENDED_GUEST or (self.closes and viewer is Viewer.ENDED_OWNER):
            return 410
        return 404 if self.about is About.PHOTO and viewer is Viewer.GUEST else None


def _anybody(method: str, path: str, **values: Any) -> Rule:
    return Rule(method, path, About.ANYTHING, **values)


def _self(method: str, path: str, roles: frozenset[Role], **values: Any) -> Rule:
    return Rule(method, path, About.SELF, roles, **values)


def _event(method: str, path: str, roles: frozenset[Role], **values: Any) -> Rule:
    return Rule(method, path, About.EVENT, roles, **values)


def _photo(method: str, path: str, roles: frozenset[Role], **values: Any) -> Rule:
    return Rule(method, path, About.PHOTO, roles, **values)


def _admin(method: str, path: str, **values: Any) -> Rule:
    return Rule(method, path, About.SELF, ADMINS, **values)


NO_BODY: dict[str, Any] = {"ok": (422,)}
NO_FILE: dict[str, Any] = {"ok": (400,)}
NONE_THERE: dict[str, Any] = {"ok": (404,)}
_OF = "/api/photographer/events/{event_id}"

RULES = [
    # What every service has.
    _anybody("GET", "/livez"),
    _anybody("GET", "/readyz"),
    # By where it is asked from, or a token of its own.
    _anybody("GET", "/metrics", ok=(200, 403, 404)),
    *(
        _anybody(method, f"/api/docs/{service}/openapi.json")
        for service in ("gallery", "ingest", "media", "recognition")
        for method in ("GET", "HEAD")
    ),
    _anybody("GET", "/api/docs/gallery"),
    _anybody("GET", "/api/docs/assets/{asset}", **NONE_THERE),
    _anybody("GET", "/api/openapi.json"),
    # Accounts.
    _anybody("POST", "/api/check-event-code", **NO_BODY),
    _anybody("POST", "/api/look-up-event", **NO_BODY),
    _anybody("POST", "/api/check-user-availability", **NO_BODY),
    _anybody("POST", "/api/register-with-event-code", **NO_BODY),
    _anybody("POST", "/api/register-invite", **NO_BODY),
    _anybody("POST", "/api/register-invite-with-selfie", **NO_FILE),
    _anybody("POST", "/api/register-admin", **NO_BODY),
    _anybody("POST", "/api/admin/register-admin", **NO_BODY),
    _anybody("POST", "/api/login", **NO_BODY),
    _self("POST", "/api/join-event", GUESTS, **NO_BODY),
    _self("GET", "/api/me", ALL),
    _self("DELETE", "/api/me", ALL, ok=(200, 409), harms=True),
    _self("GET", "/api/profile", ALL),
    _self("GET", "/api/me/export", ALL, ok=(200, 429)),
    _self("GET", "/api/sessions", ALL),
    _self("DELETE", "/api/sessions/{session_id}", ALL, **NONE_THERE),
    _self("POST", "/api/logout", ALL, harms=True),
    _anybody("GET", "/api/consent"),
    _self("GET", "/api/me/consent", ALL),
    _self("POST", "/api/me/consent", ALL, **NO_BODY),
    _self("PUT", "/api/me", ALL, **NO_BODY),
    _self("GET", "/api/me/settings", ALL),
    _self("POST", "/api/me/password", ALL, **NO_BODY),
    _self("POST", "/api/me/link", GUESTS, harms=True),
    # By a link's token, or an event's code.
    _anybody("POST", "/api/join", **NO_BODY),
    _anybody("POST", "/api/join-with-selfie", **NO_FILE),
    # Off: no provider is named.
    _anybody("GET", "/api/oidc"),
    _anybody("GET", "/api/oidc/login", **NONE_THERE),
    _anybody("GET", "/api/oidc/callback", **NONE_THERE),
    _anybody("POST", "/api/link/confirm", **NO_BODY),
    _anybody("POST", "/api/password-reset/request", **NO_BODY),
    _anybody("POST", "/api/password-reset/confirm", **NO_BODY),
    _anybody("GET", "/api/unsubscribe"),
    _anybody("POST", "/api/unsubscribe", ok=(200, 400, 404)),
    *(
        _anybody("GET", f"/api/pages/{page}")
        for page in ("link", "page.css", "page.js", "password-reset")
    ),
    _admin("POST", "/api/admin/create-admin", **NO_BODY),
    _admin("POST", "/api/admin/create-photographer", **NO_BODY),
    _admin("GET", "/api/admin/photographers"),
    _admin("POST", "/api/admin/photographers", **NO_BODY),
    _admin("PUT", "/api/admin/photographers/{unknown_id}", **NO_BODY),
    _admin("DELETE", "/api/admin/photographers/{unknown_id}", **NONE_THERE),
    _admin("DELETE", "/api/admin/users/{unknown_id}", **NONE_THERE),
    _admin("GET", "/api/admin/audit"),
    _admin("GET", "/api/admin/situation"),
    _admin("GET", "/api/admin/failed-photos"),
    _admin("GET", "/api/admin/people"),
    _admin("POST", "/api/admin/people/{unknown_id}/logout", **NONE_THERE),
    _anybody("GET", "/api/first-start"),
    # Events.
    _self("GET", "/api/user/events", GUESTS),
    _self("GET", "/api/user/event-expiration", GUESTS),
    _self("GET", "/api/photographer/events", PHOTOGRAPHERS),
    _self("POST", "/api/photographer/events", RUNNERS, **NO_BODY),
    _self("GET", "/api/photographer/overview", RUNNERS),
    _self("GET", "/api/photographer/my-event", PHOTOGRAPHERS),
    _admin("GET", "/api/admin/events"),
    _admin("POST", "/api/admin/create-event", **NO_BODY),
    _admin("PUT", "/api/admin/events/{event_id}", **NO_BODY),
    _admin("DELETE", "/api/admin/events/{event_id}", harms=True),
    _admin("POST", "/api/admin/generate-event-code", harms=True),
    _admin("POST", "/api/admin/set-event-code", **NO_BODY),
    _admin("GET", "/api/admin/event-qr/{code}"),
    _admin("GET", "/api/admin/events/{event_id}/users"),
    _event(
        "PUT",
        f"{_OF}/upload-settings",
        RUNNERS,
        harms=True,
        request={"json": {"duplicates": "event"}},
    ),
    _event("POST", "/api/admin/events/{event_id}/reset-expiration", RUNNERS, harms=True),
    _event("GET", f"{_OF}/settings", RUNNERS),
    _event(
        "PATCH", f"{_OF}/settings", RUNNERS, harms=True, request={"json": {"accent": "#B93E14"}}
    ),
    _event("GET", f"{_OF}/cameras", RUNNERS),
    _event(
        "PUT",
        f"{_OF}/cameras/{{camera_id}}/clock",
        RUNNERS,
        harms=True,
        request={"json": {"shift_seconds": 60}},
    ),
    _event("DELETE", _OF, RUNNERS, harms=True),
    _event("GET", "/api/events/{event_id}/stream", ALL, streams=True),
    # Lists.
    _self("GET", "/api/my-photos", GUESTS, ends=True),
    _self("GET", "/api/all-photos", GUESTS, ends=True),
    _self("GET", "/api/my-uncertain-photos", GUESTS, ends=True),
    _event("GET", "/api/user/events/{event_id}/photos", GUESTS, stranger=403),
    _event("GET", "/api/user/events/{event_id}/all-photos", GUESTS, stranger=403),
    _event("GET", "/api/user/events/{event_id}/uncertain-photos", GUESTS, stranger=403),
    _event("GET", "/api/user/events/{event_id}/favourites", GUESTS, stranger=403),
    _photo("PUT", "/api/my-photos/{photo_id}/favourite", GUESTS, harms=True),
    _self("DELETE", "/api/my-photos/{photo_id}/favourite", GUESTS, **NONE_THERE),
    _event("GET", f"{_OF}/photos", RUNNERS),
    _self("GET", "/api/my-uploaded-photos", PHOTOGRAPHERS),
    # One photo.
    _photo("GET", "/api/photo/{photo_id}", ALL),
    _photo("HEAD", "/api/photo/{photo_id}", ALL),
    _photo("GET", "/api/image/{filename}", ALL),
    _photo("HEAD", "/api/image/{filename}", ALL),
    _photo("GET", "/api/photo/{photo_id}/faces", ALL),
    _photo("POST", "/api/my-photos/{photo_id}/not-me", GUESTS, harms=True),
    _photo("DELETE", "/api/my-photos/{photo_id}/not-me", GUESTS, harms=True),
    _photo("POST", "/api/my-photos/{photo_id}/its-me", GUESTS, harms=True),
    # By the link alone, which is not signed here.
    _anybody("GET", "/api/media/{key}", ok=(403,)),
    _anybody("HEAD", "/api/media/{key}", ok=(403,)),
    _anybody("GET", "/api/downloads/{download_id}", ok=(403,)),
    _anybody("GET", "/api/downloads/{download_id}/photos.zip", ok=(403,)),
    _anybody("HEAD", "/api/downloads/{download_id}/photos.zip", ok=(403,)),
    # Photos to take along.
    _event(
        "POST",
        "/api/events/{event_id}/downloads",
        ALL,
        request={"json": {"photo_ids": [10**12]}},
        **NONE_THERE,
    ),
    # No photo shows the guest.
    _event("GET", "/api/events/{event_id}/my-photos.zip", GUESTS, ok=(303, 404)),
    _event("HEAD", "/api/events/{event_id}/my-photos.zip", GUESTS, ok=(303, 404)),
    _event("GET", "/api/events/{event_id}/all-photos.zip", RUNNERS, ok=(303,)),
    _event("HEAD", "/api/events/{event_id}/all-photos.zip", RUNNERS, ok=(303,)),
    _self("PUT", "/api/photos/bulk/show-in-general", PHOTOGRAPHERS, **NO_BODY),
    _photo(
        "PUT",
        "/api/photos/{photo_id}/show-in-general",
        PHOTOGRAPHERS,
        harms=True,
        request={"json": {"show_in_general": True}},
    ),
    _photo("DELETE", "/api/photos/{photo_id}", PHOTOGRAPHERS, harms=True),
    _self("DELETE", "/api/photos", PHOTOGRAPHERS, **NO_BODY),
    # What the photographer sees and does of an event.
    _event("GET", f"{_OF}/progress", RUNNERS),
    _event("GET", f"{_OF}/pace", RUNNERS),
    _event("GET", f"{_OF}/guests", RUNNERS),
    _event("GET", f"{_OF}/photos/{{photo_id}}/guests", RUNNERS),
    _event(
        "POST",
        f"{_OF}/photos/{{photo_id}}/guests",
        RUNNERS,
        harms=True,
        request={"json": {"user_id": "{user_id}"}},
    ),
    # The guest is in it by a match, and was not added by hand.
    _event("DELETE", f"{_OF}/photos/{{photo_id}}/guests/{{user_id}}", RUNNERS, **NONE_THERE),
    _event("DELETE", f"{_OF}/guests/{{user_id}}", RUNNERS, harms=True),
    _event("PUT", f"{_OF}/photos/{{photo_id}}/guests/{{user_id}}/not-them", RUNNERS, harms=True),
    _event("DELETE", f"{_OF}/photos/{{photo_id}}/guests/{{user_id}}/not-them", RUNNERS),
    _event("POST", f"{_OF}/photos/analyse-again", RUNNERS, closes=True, request={"json": {}}),
    _event("GET", f"{_OF}/people", RUNNERS, ok=(200, 503)),
    _event("GET", f"{_OF}/people/{{person_id}}/photos", RUNNERS, ok=(404, 503)),
    _event(
        "POST",
        f"{_OF}/people/{{person_id}}/guest",
        RUNNERS,
        ok=(404, 503),
        request={"json": {"user_id": "{user_id}"}},
    ),
    _event("POST", f"{_OF}/notify-photos-available", PHOTOGRAPHERS, closes=True, harms=True),
    _event("GET", f"{_OF}/match-threshold", RUNNERS),
    _event("GET", f"{_OF}/match-threshold/preview", RUNNERS, request={"params": {"value": 90}}),
    _event("PUT", f"{_OF}/match-threshold", RUNNERS, harms=True, request={"json": {"value": 90}}),
    _event("POST", f"{_OF}/rematch", PHOTOGRAPHERS, closes=True),
    _admin("POST", "/api/admin/events/{event_id}/rematch"),
    _admin("GET", "/api/admin/events/{event_id}/face-groups"),
    _admin("GET", "/api/admin/events/{event_id}/users/{user_id}/group-faces"),
    # Uploads. Without a file: who may not is refused before anything is read.
    _event("POST", f"{_OF}/upload-photos", RUNNERS, stranger=403, closes=True, **NO_FILE),
    _event("POST", f"{_OF}/upload-photos-async", RUNNERS, stranger=403, closes=True, **NO_FILE),
    _event("GET", f"{_OF}/connections", RUNNERS, stranger=403, closes=True),
    _event(
        "PUT",
        "/api/events/{event_id}/photos/{name}",
        RUNNERS,
        stranger=403,
        closes=True,
        **NO_FILE,
    ),
    _event(
        "POST",
        "/api/events/{event_id}/photos/exists",
        RUNNERS,
        stranger=403,
        closes=True,
        request={"json": {"sha256": ["0" * 64]}},
    ),
    _event("GET", "/api/events/{event_id}/progress", RUNNERS, stranger=403),
    # Without the protocol's version, which is looked at before the upload is.
    _anybody("OPTIONS", "/api/uploads", ok=(204,)),
    _anybody("OPTIONS", "/api/uploads/{upload_id}", ok=(204,)),
    _self("POST", "/api/uploads", RUNNERS, ok=(412,)),
    _self("HEAD", "/api/uploads/{upload_id}", RUNNERS, ok=(412,)),
    _self("PATCH", "/api/uploads/{upload_id}", RUNNERS, ok=(412,)),
    _self("DELETE", "/api/uploads/{upload_id}", RUNNERS, ok=(412,)),
    _self("POST", "/api/uploads/{upload_id}", RUNNERS, ok=(400,)),
    _self("GET", "/api/upload-jobs/{job_id}/status", RUNNERS, **NONE_THERE),
    _self("GET", "/api/admin/local-watchers", RUNNERS),
    _self("POST", "/api/admin/local-watchers", RUNNERS, **NO_BODY),
    _self("GET", "/api/admin/local-watchers/events", RUNNERS),
    _self("POST", "/api/admin/local-watchers/{watcher_id}/heartbeat", RUNNERS, **NO_BODY),
    _self("PUT", "/api/admin/local-watchers/{watcher_id}", RUNNERS, **NO_BODY),
    _self("DELETE", "/api/admin/local-watchers/{watcher_id}", RUNNERS, **NONE_THERE),
    _self("GET", "/api/api-keys", RUNNERS),
    _self("POST", "/api/api-keys", RUNNERS, **NO_BODY),
    _self("DELETE", "/api/api-keys/{key_id}", RUNNERS, **NONE_THERE),
    # How an event is told of.
    _event("GET", f"{_OF}/invitation", RUNNERS),
    _event("GET", f"{_OF}/walls", RUNNERS),
    _event("POST", f"{_OF}/walls", RUNNERS, closes=True, harms=True),
    _event("DELETE", f"{_OF}/walls/{{key_id}}", RUNNERS, **NONE_THERE),
    _anybody("GET", "/api/wall", **NO_BODY),
    # Selfies.
    _anybody("POST", "/api/validate-selfie", **NO_FILE),
    _self("POST", "/api/upload-selfie", frozenset({GUEST, ADMIN}), ends=True, **NO_FILE),
    _self("GET", "/api/my-selfie", ALL, ok=(200, 404)),
    _self("DELETE", "/api/my-selfie", ALL, ok=(200, 404), harms=True),
    _self("GET", "/api/my-selfies", ALL),
    _self("DELETE", "/api/my-selfies/{selfie_id}", ALL, **NONE_THERE),
    _self("GET", "/api/rematch-status", ALL),
    Rule("GET", "/api/selfie/{user_id}", About.SELFIE, ALL),
    Rule("HEAD", "/api/selfie/{user_id}", About.SELFIE, ALL),
    # Operations.
    _admin("GET", "/api/admin/queue/stats"),
    _admin("GET", "/api/admin/queue/jobs/{job_id}", **NONE_THERE),
    _admin("POST", "/api/admin/cache/clear"),
    _admin("GET", "/api/admin/rekognition/threshold"),
    _admin("POST", "/api/admin/rekognition/threshold", **NO_BODY),
    _admin("GET", "/api/admin/aws-usage"),
    _admin("GET", "/api/admin/dead-letters"),
    _admin("GET", "/api/admin/dead-letters/{letter_id}", **NONE_THERE),
    _admin("POST", "/api/admin/dead-letters/replay", ok=(200, 422)),
    _admin("POST", "/api/admin/dead-letters/{letter_id}/replay", **NONE_THERE),
    _admin("DELETE", "/api/admin/dead-letters", **NO_BODY),
    _admin("DELETE", "/api/admin/dead-letters/{letter_id}", **NONE_THERE),
    # Between services.
    Rule("POST", "/internal/face-check", About.SERVICES),
    Rule("POST", "/internal/joins", About.SERVICES),
    Rule("POST", "/internal/joins/check", About.SERVICES),
    Rule("POST", "/internal/registrations", About.SERVICES),
    Rule("POST", "/internal/registrations/check", About.SERVICES),
    Rule("DELETE", "/internal/registrations/{unknown_id}", About.SERVICES),
    Rule("GET", "/internal/events/{event_id}/people", About.SERVICES),
    Rule("GET", "/internal/events/{event_id}/people/{person_id}", About.SERVICES),
]
