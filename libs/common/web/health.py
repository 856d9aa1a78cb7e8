"""Liveness, readiness and metrics, on the same paths in every service."""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import NoReturn

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from libs.common import tasks
from libs.common.addresses import Networks, parsed_address
from libs.common.errors import NotAllowed
from libs.common.settings import ServerSettings
from libs.common.telemetry.metrics import DEPENDENCY_UP
from libs.common.telemetry.questions import Question
from libs.common.telemetry.worker_metrics import WORKERS
from libs.common.web.stopping import Stopping

CHECK_TIMEOUT_SECONDS = 3.0
#: What is only told of keeps readiness waiting no longer than this.
TELL_TIMEOUT_SECONDS = 0.5
#: An outcome is good for so long, however many ask.
FRESH_SECONDS = 1.0
WATCH_EVERY_SECONDS = 15.0
OK = "ok"

router = APIRouter(include_in_schema=False)


class Check:
    """One thing that readiness looks at; one that is not required is told of, and no more.

    Whoever asks while somebody looks waits for the same look: something that is slow is asked
    once, and not by each probe anew.
    """

    def __init__(self, probe: Callable[[], Awaitable[None]], *, required: bool = True) -> None:
        self.required = required
        self._probe = probe
        self._look: asyncio.Task[str] | None = None
        self._began = self._ended = 0.0

    async def outcome(self, *, is_patient: bool) -> str:
        """Return "ok", or what is wrong; never later than after CHECK_TIMEOUT_SECONDS.

        Who is not patient is told after TELL_TIMEOUT_SECONDS that nothing is known yet.
        """
        look = self._present_look()
        left = self._began + CHECK_TIMEOUT_SECONDS - time.monotonic()
        patience = left if is_patient else min(left, TELL_TIMEOUT_SECONDS)
        await asyncio.wait([look], timeout=max(patience, 0))
        if look.done():
            return look.result()
        if patience < left:
            return "no answer yet"
        if not look.cancelling():
            look.cancel()
        # It may take its time to end; until then nobody looks again.
        return _NO_ANSWER

    async def end(self) -> None:
        """Give up looking."""
        if self._look is not None:
            await tasks.end(self._look)

    def _present_look(self) -> asyncio.Task[str]:
        if self._look is None or (
            self._look.done() and time.monotonic() - self._ended >= FRESH_SECONDS
        ):
            self._began = time.monotonic()
            self._look = asyncio.create_task(self._ask())
        return self._look

    async def _ask(self) -> str:
        try:
            await self._probe()
        except asyncio.CancelledError:
            return _NO_ANSWER
        except Exception as error:  # noqa: BLE001 - a probe's failure is its answer
            return str(error) or type(error).__name__
        finally:
            self._ended = time.monotonic()
        return OK


_NO_ANSWER = f"no answer within {CHECK_TIMEOUT_SECONDS:.0f} s"


@router.get("/livez")
async def livez() -> JSONResponse:
    """The process answers; whether its neighbours do is readiness."""
    return JSONResponse({"status": "alive"})


@router.get("/readyz")
async def readyz(request: Request) -> JSONResponse:
    """200 when requests can be served, else 503; the body says what is missing."""
    stopping: Stopping = request.app.state.stopping
    if stopping.has_begun:
        return JSONResponse({"status": "stopping", "checks": {}}, status_code=503)
    checks: Mapping[str, Check] = request.app.state.checks
    results = await _outcomes(checks, {name: check.required for name, check in checks.items()})
    ready = all(results[name] == OK or not check.required for name, check in checks.items())
    return JSONResponse(
        {"status": "ready" if ready else "not ready", "checks": results},
        status_code=200 if ready else 503,
    )


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Prometheus's text format, for whom the settings name. Raises NotAllowed."""
    if not _may_read_metrics(request):
        msg = "Metrics are told to METRICS_ALLOW_IPS and by METRICS_TOKEN alone."
        raise NotAllowed(msg)
    # The system takes a millisecond or ten to say how much memory a worker has.
    await asyncio.to_thread(WORKERS.look)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def watch_dependencies(
    service: str,
    checks: Callable[[], Mapping[str, Check]],
    *,
    every_seconds: float = WATCH_EVERY_SECONDS,
) -> NoReturn:
    """Keep the gauge of what the service reaches current until cancelled."""
    question = Question(f"dependencies of {service}")
    while True:
        present = checks()
        outcomes = await _outcomes(present, dict.fromkeys(present, True))
        question.answer(
            {DEPENDENCY_UP.labels(service, name): outcomes[name] == OK for name in outcomes},
            again_in_seconds=every_seconds,
        )
        await asyncio.sleep(every_seconds)


def _may_read_metrics(request: Request) -> bool:
    settings: ServerSettings = request.app.state.settings
    if settings.metrics_token is not None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        expected = settings.metrics_token.get_secret_value().encode()
        if scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), expected):
            return True
    allowed = Networks.of(settings.metrics_allow_ips)
    return allowed.have(parsed_address(request.client.host) if request.client else None)


async def _outcomes(
    checks: Mapping[str, Check], is_waited_for: Mapping[str, bool]
) -> dict[str, str]:
    outcomes = await asyncio.gather(
        *(check.outcome(is_patient=is_waited_for[name]) for name, check in checks.items())
    )
    return dict(zip(checks, outcomes, strict=True))
