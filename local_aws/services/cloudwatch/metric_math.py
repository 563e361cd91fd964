"""Metric math: arithmetic, comparisons, IF, FILL and functions over several metrics. Everything else is refused.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Points = dict[float, float]  # by the beginning of a period


class UnknownExpression(Exception):
    """The expression is not one, or not known here. It says why."""


def evaluate(
    name: str,
    expressions: Mapping[str, str],
    results: dict[str, Points],
    metrics: Mapping[str, Points],
    periods: Sequence[float],
) -> None:
    """Put the values of the expression with this id into `results`, and first those of the expressions that it uses.

    `metrics` are the queries that are no expressions: what METRICS() stands for. `periods` are the beginnings of all of
    them.
    """
    if name in results:
        return
    text = expressions[name]
    try:
        # ^ is a power in metric math; && and || and = are written as in Python.
        tree = ast.parse(text.replace("^", "**").replace("&&", " and ").replace("||", " or "), mode="eval")
    except SyntaxError:
        raise UnknownExpression(
            f"Error in expression '{name}': Syntax error or unsupported function in '{text}'"
        ) from None
    waiting = {**expressions}
    del waiting[name]
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in waiting:
            evaluate(node.id, waiting, results, metrics, periods)
    found = _Evaluation(name, results, metrics, periods).of(tree.body)
    if isinstance(found, list):
        raise UnknownExpression(
            f"Error in expression '{name}': The embedded AWS does not know expressions with several results."
        )
    if isinstance(found, float):
        found = dict.fromkeys(periods, found)
    results[name] = {when: value for when, value in found.items() if math.isfinite(value)}


_BINARY: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda a, b: a / b if b else math.nan,  # there is no data point then
    ast.Pow: lambda a, b: float(a**b),
    ast.Gt: lambda a, b: float(a > b),
    ast.GtE: lambda a, b: float(a >= b),
    ast.Lt: lambda a, b: float(a < b),
    ast.LtE: lambda a, b: float(a <= b),
    ast.Eq: lambda a, b: float(a == b),
    ast.NotEq: lambda a, b: float(a != b),
    ast.And: lambda a, b: float(bool(a) and bool(b)),
    ast.Or: lambda a, b: float(bool(a) or bool(b)),
}
_OVER: dict[str, Callable[[list[float]], float]] = {
    "SUM": sum,
    "AVG": lambda values: sum(values) / len(values),
    "MIN": min,
    "MAX": max,
}
_ALONE: dict[str, Callable[[float], float]] = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}


class _Evaluation:
    def __init__(
        self, name: str, results: Mapping[str, Points], metrics: Mapping[str, Points], periods: Sequence[float]
    ) -> None:
        self.name = name
        self.results = results
        self.metrics = metrics
        self.periods = periods

    def of(self, node: ast.expr) -> Any:
        """Return a number, the points of a series, or several series."""
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return float(node.value)
        if isinstance(node, ast.Name) and node.id in self.results:
            return self.results[node.id]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return _together(operator.mul, -1.0, self.of(node.operand))
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            return _together(_BINARY[type(node.op)], self.of(node.left), self.of(node.right))
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _BINARY:
            return _together(_BINARY[type(node.ops[0])], self.of(node.left), self.of(node.comparators[0]))
        if isinstance(node, ast.BoolOp):
            first, *others = map(self.of, node.values)
            for other in others:
                first = _together(_BINARY[type(node.op)], first, other)
            return first
        if isinstance(node, ast.List):
            return list(map(self.of, node.elts))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self._call(node.func.id.upper(), node.args)
        raise self._unknown(ast.unparse(node))

    def _call(self, function: str, arguments: list[ast.expr]) -> Any:
        if function == "METRICS" and len(arguments) <= 1:
            part = arguments[0].value if arguments and isinstance(arguments[0], ast.Constant) else ""
            return [points for name, points in self.metrics.items() if str(part) in name]
        if function == "FILL" and len(arguments) == 2:
            return self._filled(self.of(arguments[0]), arguments[1])
        given = [self.of(argument) for argument in arguments]
        if function == "IF" and len(given) in (2, 3):
            return _choice(*given)
        if function in _ALONE and len(given) == 1:
            return _together(lambda value, _: float(_ALONE[function](value)), given[0], 0.0)
        if function in _OVER and len(given) == 1:
            [one] = given
            if isinstance(one, dict):  # one series: a number of all its points
                return float(_OVER[function](list(one.values()))) if one else math.nan
            if isinstance(one, list):
                times = set().union(*one) if one else set()
                return {when: float(_OVER[function]([p[when] for p in one if when in p])) for when in times}
        raise self._unknown(function)

    def _filled(self, points: Any, value: ast.expr) -> Points:
        if not isinstance(points, dict):
            raise self._unknown("FILL")
        times = sorted({*points, *self.periods})
        if isinstance(value, ast.Name) and value.id == "REPEAT":
            filled, last = {}, None
            for when in times:
                last = points.get(when, last)
                if last is not None:
                    filled[when] = last
            return filled
        constant = self.of(value)
        if not isinstance(constant, float):
            raise self._unknown("FILL")
        return {when: points.get(when, constant) for when in times}

    def _unknown(self, what: str) -> UnknownExpression:
        return UnknownExpression(
            f"Error in expression '{self.name}': The embedded AWS does not know {what} in metric math."
        )


def _together(function: Callable[[float, float], float], one: Any, other: Any) -> Any:
    """Apply a function of two numbers to numbers or series: of two series, where both have a point."""
    if isinstance(one, list) or isinstance(other, list):
        raise UnknownExpression("The embedded AWS does not know arithmetic of several series in metric math.")
    if isinstance(one, float) and isinstance(other, float):
        return float(function(one, other))
    if isinstance(one, float):
        return {when: function(one, value) for when, value in other.items()}
    if isinstance(other, float):
        return {when: function(value, other) for when, value in one.items()}
    return {when: function(value, other[when]) for when, value in one.items() if when in other}


def _choice(condition: Any, yes: Any, no: Any = None) -> Any:
    def at(what: Any, when: float) -> float | None:
        return what.get(when) if isinstance(what, dict) else what

    if isinstance(condition, float):
        return (yes if condition else no) if no is not None or condition else {}
    chosen = {when: at(yes if value else no, when) for when, value in condition.items()}
    return {when: value for when, value in chosen.items() if value is not None}
