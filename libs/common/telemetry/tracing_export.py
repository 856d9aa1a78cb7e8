"""Sends spans by OTLP over HTTP: OpenTelemetry's SDK. Imported only where tracing is on."""

import os
import threading

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from libs.common.errors import InvalidInput

#: Longest wait for the collector when the process ends.
FLUSH_SECONDS = 5.0
PROTOCOL = "http/protobuf"


class Export:
    """A tracer that sends to where the OTEL_ variables say.

    Spans wait in a bounded queue (OTEL_BSP_MAX_QUEUE_SIZE) for a thread of their own; what
    does not fit is dropped.
    """

    def __init__(self, service: str) -> None:
        """Raises InvalidInput for a protocol that is not spoken here."""
        protocol = os.environ.get(
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
        )
        if protocol not in {None, "", PROTOCOL}:
            msg = f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol} is not spoken here: use {PROTOCOL}."
            raise InvalidInput(msg)
        name = os.environ.get("OTEL_SERVICE_NAME") or service
        self._provider = TracerProvider(
            resource=Resource.create({SERVICE_NAME: name}), shutdown_on_exit=False
        )
        self._exporter = OTLPSpanExporter()
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self.tracer = self._provider.get_tracer("findme")

    def shutdown(self) -> None:
        """Send what is left, within a deadline; blocks."""
        # In a thread that is left alone when its time is over: one that waits for a collector
        # hears of no deadline.
        thread = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        thread.start()
        thread.join(FLUSH_SECONDS)
        if thread.is_alive():
            self._exporter.shutdown()  # type: ignore[no-untyped-call]  # it forgot this one
