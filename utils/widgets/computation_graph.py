"""Computation graph: values flow forward, gradients flow back, one node at a time."""

import ast
import itertools
from collections.abc import Mapping, Sequence

import traitlets

from utils.widgets.base import CourseWidget, check_finite, read_module, read_style

RANGE = (-3.0, 3.0)  # of an input
BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
UNARY = ("tanh", "exp", "log", "relu")
EXPRESSIONS = (
    "c = a + b; d = b + 1; e = c * d",
    "u = w * x; z = u + b; p = tanh(z); r = p - y; L = r ** 2",
    "p = exp(a); q = exp(b); s = p + q; y = log(s)",
    "h = relu(a); u = h * b; v = u + a; y = v / 2",
)
VALUES = {"a": 2.0, "b": 1.0, "w": -1.0, "x": 1.5, "y": 1.0}


def _number(tree: ast.expr) -> float | None:
    """The number that is written there, with or without a minus sign; None if it is anything else."""
    match tree:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -float(value)
    return None


def parse(description: str) -> list[dict]:
    """The nodes of a graph, each after its parents.

    Args:
        description: assignments with ``+ - * /``, a number as exponent after ``**``, and the functions tanh,
            exp, log and relu, separated by semicolons: ``"c = a + b; e = c ** 2"``. A name that is used and
            not assigned is an input. What has no name, such as ``a + b`` in ``e = (a + b) * c``, gets one.

    Returns:
        Dictionaries with ``name``, ``op`` (``"input"``, ``"constant"`` or the operation) and ``parents``, the
        indices of earlier nodes. Constants have a ``value``, powers an ``exponent``.

    Raises:
        ValueError: if the description holds anything else, or a node that the last one does not need.
    """
    nodes, index = [], {}
    spare = (f"v{i}" for i in itertools.count(1) if f"v{i}" not in description)

    def add(op: str, parents: list[int], name: str | None, **more: float) -> int:
        nodes.append({"name": next(spare) if name is None else name, "op": op, "parents": parents, **more})
        return len(nodes) - 1

    def visit(tree: ast.expr, name: str | None = None) -> int:
        match tree:
            case ast.Name(id=known) if name is None:
                if known not in index:
                    index[known] = add("input", [], known)
                return index[known]
            case _ if (value := _number(tree)) is not None and name is None:
                return add("constant", [], f"{value:g}", value=value)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return add("neg", [visit(operand)], name)
            case ast.BinOp(left=left, op=ast.Pow(), right=right) if (power := _number(right)) is not None:
                return add("**", [visit(left)], name, exponent=power)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
                return add(BINARY[type(op)], [visit(left), visit(right)], name)
            case ast.Call(func=ast.Name(id=function), args=[argument], keywords=[]) if function in UNARY:
                return add(function, [visit(argument)], name)
        wrong = ast.unparse(tree)
        raise ValueError(f"expected + - * / ** or one of {UNARY}, got {wrong!r} in {description!r}")

    try:
        statements = ast.parse(description.strip()).body
    except SyntaxError as error:
        example = "'c = a + b; e = c * b'"
        raise ValueError(f"expected assignments such as {example}, got {description!r}") from error
    for statement in statements:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=tree):
                result = visit(tree, name)
                if index.setdefault(name, result) == result:
                    continue
        raise ValueError(f"expected each name to be assigned once, got {ast.unparse(statement)!r}")
    idle = set(range(len(nodes) - 1)) - {parent for node in nodes for parent in node["parents"]}
    if not nodes or idle:
        unused = [nodes[i]["name"] for i in sorted(idle)]
        raise ValueError(f"expected one result that needs every node, got {description!r}; unused: {unused}")
    return nodes


class ComputationGraph(CourseWidget):
    """A few expressions as graphs, with values on the nodes and gradients on the edges, found step by step.

    Traits (all can be set and read from Python): ``expressions``, descriptions that :func:`parse` reads;
    ``chosen``, the index of the one shown; ``values`` of all their inputs, in [-3, 3]; and ``step``, how much
    is shown: 0 is the inputs alone, then one operation forward a step, then one backward; by default all.
    ``graphs`` holds the parsed expressions and follows them. Expressions with other inputs go in together
    with their values, as the points of :class:`LineAndLoss` do.
    """

    _esm = read_module("shared", "computation_graph")
    _css = read_style("computation_graph")

    expressions = traitlets.List(traitlets.Unicode()).tag(sync=True)
    chosen = traitlets.Int().tag(sync=True)
    values = traitlets.Dict(value_trait=traitlets.CFloat(), key_trait=traitlets.Unicode()).tag(sync=True)
    step = traitlets.Int(999, min=0).tag(sync=True)
    graphs = traitlets.List(read_only=True).tag(sync=True)

    def __init__(
        self,
        expressions: Sequence[str] = EXPRESSIONS,
        values: Mapping[str, float] | None = None,
        *,
        chosen: int = 0,
        step: int = 999,
    ):
        """Show the chosen expression.

        Args:
            expressions: descriptions such as ``"c = a + b; d = b + 1; e = c * d"``.
            values: input name to number in [-3, 3]; those not given are 1, or those of the chapter.
            chosen: which expression to show first.
            step: 0 for the inputs alone, up to twice the number of operations; more shows everything.

        Raises:
            traitlets.TraitError: if a description cannot be read, a value is missing or out of range, or
                there is no expression number ``chosen``.
        """
        names = {node["name"] for text in expressions for node in self._parse(text) if node["op"] == "input"}
        known = {name: VALUES.get(name, 1.0) for name in sorted(names)}
        super().__init__(
            expressions=list(expressions), values=known | dict(values or {}), chosen=chosen, step=step
        )

    @staticmethod
    def _parse(description: str) -> list[dict]:
        try:
            return parse(description)
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from error

    @traitlets.validate("expressions", "chosen", "values")
    def _validate(self, proposal: dict) -> list[str] | int | dict[str, float]:
        expressions, chosen, values = self.values_with(proposal, "expressions", "chosen", "values")
        if not 0 <= chosen < len(expressions):
            raise traitlets.TraitError(f"expected chosen in 0..{len(expressions) - 1}, got {chosen}")
        check_finite("values", list(values.values()))
        nodes = [node for text in expressions for node in self._parse(text)]
        names = {node["name"] for node in nodes if node["op"] == "input"}
        if names != set(values) or any(not RANGE[0] <= v <= RANGE[1] for v in values.values()):
            raise traitlets.TraitError(
                f"expected a value in [{RANGE[0]:g}, {RANGE[1]:g}] for each of {sorted(names)}, got {values}"
            )
        return proposal["value"]

    @traitlets.observe("expressions")
    def _parse_all(self, change: dict) -> None:
        self.set_trait("graphs", [parse(text) for text in change["new"]])
