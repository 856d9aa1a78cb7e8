"""Liveness, readiness and metrics, on the same paths in every service."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from libs.common.telemetry import worker_metrics as _  # noqa: F401 - registers them
from libs.common.telemetry.metrics import DEPENDENCY_UP
from libs.common.telemetry.questions import Question
from libs.common.web.stopping import Stopping

CHECK_TIMEOUT_SECONDS = 3.0
WATCH_EVERY_SECONDS = 15.0

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that readiness looks at; one that is not required only shows in the detail."""

    probe: Callable[[], Awaitable[None]]
    required: bool = True


@router.get("/livez")
async def livez() -> dict[str, str]:
    """The process answers; whether its neighbours do is readiness."""
    return {"status": "alive"}


@router.get("/readyz")
async def readyz(request: Request) -> JSONResponse:
    """200 when requests can be served, else 503; the body says what is missing."""
    stopping: Stopping = request.app.state.stopping
    if stopping.has_begun:
        return JSONResponse({"status": "stopping", "checks": {}}, status_code=503)
    checks: Mapping[str, Check] = request.app.state.checks
    results = await _outcomes(checks)
    ready = all(results[name] == "ok" or not check.required for name, check in checks.items())
    return JSONResponse(
        {"status": "ready" if ready else "not ready", "checks": results},
        status_code=200 if ready else 503,
    )


@router.get("/metrics")
async def metrics() -> Response:
    """Prometheus's text format."""
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
        outcomes = await _outcomes(checks())
        question.answer(
            {DEPENDENCY_UP.labels(service, name): outcomes[name] == "ok" for name in outcomes},
            again_in_seconds=every_seconds,
        )
        await asyncio.sleep(every_seconds)


async def _outcomes(checks: Mapping[str, Check]) -> dict[str, str]:
    outcomes = await asyncio.gather(*(_outcome(check.probe) for check in checks.values()))
    return dict(zip(checks, outcomes, strict=True))


async def _outcome(probe: Callable[[], Awaitable[None]]) -> str:
    try:
        await asyncio.wait_for(probe(), CHECK_TIMEOUT_SECONDS)
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT_SECONDS:.0f} s"
    except Exception as error:  # noqa: BLE001 - a probe's failure is its answer
        return str(error) or type(error).__name__
    return "ok"
