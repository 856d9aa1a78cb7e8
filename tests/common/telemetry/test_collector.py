"""Where spans go: to a collector that answers, that is away, that never answers, or nowhere."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from libs.common.telemetry import tracing
from libs.common.telemetry.tracing_export import FLUSH_SECONDS
from tests.support.polling import PATIENCE_SECONDS
from tests.support.services import free_port

#: More than a processor's queue holds.
MANY = 5000
#: A flag of W3C Trace Context.
SAMPLED = 1


class Collector:
    """Takes what is sent by OTLP over HTTP."""

    def __init__(self) -> None:
        self.got: list[ExportTraceServiceRequest] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                assert head.startswith(b"POST /v1/traces ")
                sizes = [
                    int(line.partition(b":")[2])
                    for line in head.splitlines()
                    if line.lower().startswith(b"content-length:")
                ]
                body = await reader.readexactly(sizes[0])
                self.got.append(ExportTraceServiceRequest.FromString(body))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    @property
    def names(self) -> list[str]:
        return [
            span.name
            for request in self.got
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def services(self) -> set[str]:
        return {
            attribute.value.string_value
            for request in self.got
            for resource in request.resource_spans
            for attribute in resource.resource.attributes
            if attribute.key == "service.name"
        }


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)


async def test_spans_are_sent_by_otlp_at_the_latest_when_the_service_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    collector = Collector()
    async with collector.running() as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        async with tracing.running("findme-test"):
            with tracing.span("work"):
                pass
        assert collector.names == ["work"]
        assert collector.services == {"findme-test"}
        monkeypatch.setenv("OTEL_SERVICE_NAME", "wedding")
        async with tracing.running("findme-test"):
            with tracing.span("more"):
                pass
        assert collector.services == {"findme-test", "wedding"}
    assert not tracing.is_on()


async def test_the_sampler_of_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = Collector()
    async with collector.running() as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
        async with tracing.running("findme-test"):
            with tracing.span("work"):
                # What was decided goes along, so that a trace is complete or not there at all.
                flags = int(tracing.headers()["traceparent"].rpartition("-")[2], 16)
                assert not flags & SAMPLED
    assert collector.names == []


@pytest.mark.parametrize("answers", ["refuses", "is silent"])
async def test_a_collector_that_is_away_costs_spans_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, answers: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1] if answers == "is silent" else free_port()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(tracing.running("findme-test"))
            for _ in range(MANY):
                with tracing.span("work"):
                    pass
            async with asyncio.timeout(FLUSH_SECONDS + PATIENCE_SECONDS):
                await stack.aclose()


@pytest.mark.parametrize(
    ("name", "value"),
    [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")],
)
async def test_the_environment_can_turn_it_off_again(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv(name, value)
    async with tracing.running("findme-test"):
        assert not tracing.is_on()


async def test_a_protocol_that_is_not_spoken_is_told_and_the_service_runs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    async with tracing.running("findme-test"):
        assert not tracing.is_on()
    assert "use http/protobuf" in caplog.text


def test_without_a_collector_the_sdk_is_not_even_imported() -> None:
    program = """
import asyncio, sys
import cli.app, standalone.serve, services.ingest.app, services.gallery.app, services.media.app
import services.recognition.app
from libs.common.telemetry import tracing
async def run():
    async with tracing.running("findme"):
        with tracing.span("work"):
            assert tracing.headers() == {}
asyncio.run(run())
sdk = ("opentelemetry.sdk", "opentelemetry.exporter")
loaded = [name for name in sys.modules if name.startswith(sdk)]
sys.exit(f"imported: {loaded}" if loaded else 0)
"""
    environment = {name: value for name, value in os.environ.items() if "OTEL_" not in name}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
