"""Where standalone FindMe keeps its data, and where it listens."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from libs.common.messaging.bus.retry import DEFAULT_RETRY_DELAYS_SECONDS
from libs.common.setting_files import FileOrVariableSettings
from libs.common.settings import DEFAULT_PROXIES, Proxies, RetryDelays


class StandaloneSettings(FileOrVariableSettings):
    """Everything has a default: one folder holds database, objects, models and the secret."""

    findme_data_dir: Path = Field(default=Path("data"), description="Folder of all data.")
    database_url: str | None = Field(
        default=None, description="A PostgreSQL of your own instead of the one in the folder."
    )
    amqp_url: str | None = Field(
        default=None, description="RabbitMQ; `findme migrate` declares its queues."
    )
    retry_delays_seconds: RetryDelays = Field(
        default=DEFAULT_RETRY_DELAYS_SECONDS,
        description="Pauses before a photo's further attempts; `findme migrate` makes the queues.",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0: any.")
    forwarded_allow_ips: Proxies = Field(
        default=DEFAULT_PROXIES,
        description="Proxies whose X-Forwarded-Proto and X-Forwarded-For are believed, or *.",
    )
    client_stall_seconds: float = Field(
        default=30, gt=0, description="A client that takes nothing of an answer for so long is cut."
    )
    photo_queue_workers: int = Field(
        default=2, ge=1, le=64, description="Worker processes that analyse photos."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe records that are written."
    )
    log_format: Literal["json", "console"] = Field(
        default="console", description="One JSON object a line, or text for a terminal."
    )

    @property
    def data_dir(self) -> Path:
        """The folder, absolute."""
        return self.findme_data_dir.expanduser().absolute()
