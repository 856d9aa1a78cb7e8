"""What PromQL expressions ask for: metrics, labels, and whether a rate is taken."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from promql_parser import (
    AggModifierType,
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    MatchOp,
    MatrixSelector,
    ParenExpr,
    SubqueryExpr,
    UnaryExpr,
    VectorSelector,
    parse,
)

#: Functions that make sense on counters only.
RATES = frozenset({"rate", "irate", "increase", "resets"})
#: Grafana's variables, as it would fill them in.
VARIABLES = {"$__rate_interval": "1m", "$__interval": "15s", "$__range": "3h"}


@dataclass(frozen=True)
class Use:
    """One metric in an expression; `labels` are those it must have."""

    metric: str
    labels: frozenset[str]
    #: (label, operator, value) of each matcher; the operator is =, !=, =~ or !~.
    matchers: tuple[tuple[str, str, str], ...]
    is_rated: bool
    is_in_quantile: bool


@dataclass(frozen=True)
class _Around:
    labels: frozenset[str] = field(default_factory=frozenset)
    functions: frozenset[str] = field(default_factory=frozenset)


def filled_in(expr: str) -> str:
    """The expression as Grafana sends it."""
    for variable, value in VARIABLES.items():
        expr = expr.replace(variable, value)
    return expr


def uses(expr: str) -> list[Use]:
    """Every metric that the expression selects. Raises ValueError when it is no PromQL."""
    return list(_uses(parse(filled_in(expr)), _Around()))


def _uses(node: Expr, around: _Around) -> Iterator[Use]:
    match node:
        case AggregateExpr():
            modifier = node.modifier
            by = modifier is not None and modifier.type == AggModifierType.By
            labels = frozenset(modifier.labels) if modifier is not None and by else frozenset()
            yield from _uses(node.expr, _Around(around.labels | labels, around.functions))
        case Call():
            inner = _Around(around.labels, around.functions | {node.func.name})
            for argument in node.args:
                yield from _uses(argument, inner)
        case BinaryExpr():
            yield from _uses(node.lhs, around)
            yield from _uses(node.rhs, around)
        case ParenExpr() | UnaryExpr() | SubqueryExpr():
            yield from _uses(node.expr, around)
        case MatrixSelector():
            yield from _uses(node.vector_selector, around)
        case VectorSelector():
            yield _use(node, around)


def _use(selector: VectorSelector, around: _Around) -> Use:
    matchers = tuple(
        (matcher.name, _OPERATORS[str(matcher.op)], matcher.value)
        for matcher in selector.matchers.matchers
    )
    return Use(
        metric=selector.name or "",
        labels=around.labels | {name for name, _, _ in matchers},
        matchers=matchers,
        is_rated=bool(around.functions & RATES),
        is_in_quantile="histogram_quantile" in around.functions,
    )


_OPERATORS = {
    str(MatchOp.Equal): "=",
    str(MatchOp.NotEqual): "!=",
    str(MatchOp.Re): "=~",
    str(MatchOp.NotRe): "!~",
}
