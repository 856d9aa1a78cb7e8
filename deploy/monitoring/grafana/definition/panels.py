"""What a dashboard is made of: values, without Grafana's format."""

from dataclasses import dataclass
from typing import Literal

#: What rates are computed over: four scrapes at least. Grafana fills it in.
INTERVAL = "$__rate_interval"

Unit = Literal[
    "s", "short", "bytes", "percentunit", "ops", "opm", "Bps", "currencyUSD", "cores", "bool"
]


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression; `legend` may name labels as {{label}}."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Limits:
    """From which value on a panel is yellow and red; below, for `falling` limits."""

    yellow: float | None = None
    red: float | None = None
    falling: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """A picture. `normal` says what one sees on a good day, `otherwise` what to do else."""

    title: str
    unit: Unit
    queries: tuple[Query, ...]
    normal: str
    otherwise: str
    limits: Limits = Limits()
    kind: Literal["timeseries", "stat"] = "timeseries"
    stacked: bool = False

    @property
    def description(self) -> str:
        return f"Normal: {self.normal}\n\nOtherwise: {self.otherwise}"


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page; `name` is its file and, behind `findme-`, its address."""

    name: str
    title: str
    description: str
    rows: tuple[Row, ...]


def rate(metric: str, matchers: str = "", *, by: str = "") -> str:
    """Per second, of a counter, over all replicas or by some labels."""
    return f"sum{_by(by)} (rate({metric}{_braces(matchers)}[{INTERVAL}]))"


def per_minute(metric: str, matchers: str = "", *, by: str = "") -> str:
    """Per minute, of a counter."""
    return f"60 * {rate(metric, matchers, by=by)}"


def quantile(share: float, histogram: str, matchers: str = "", *, by: str = "") -> str:
    """The value below which this share of a histogram's observations lies."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share:g}, {rate(f'{histogram}_bucket', matchers, by=labels)})"


def quantiles(histogram: str, matchers: str = "") -> tuple[Query, ...]:
    """Median, 95th and 99th percentile."""
    return tuple(
        Query(quantile(share, histogram, matchers), f"p{share * 100:g}")
        for share in (0.5, 0.95, 0.99)
    )


def _by(labels: str) -> str:
    return f" by ({labels})" if labels else ""


def _braces(matchers: str) -> str:
    return f"{{{matchers}}}" if matchers else ""
