"""Small faults of a module, on its syntax tree."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from types import CodeType
from typing import Any, NamedTuple

UNSEEN = re.compile(
    "line|marker.*|.*color.*|mode|opacity|width|height|range|.*legend.*|.*spacing|strict"
)
"""Arguments that change no word and no number: the looks of a figure, and a check that holds."""
TURNED: dict[type[ast.AST], type[ast.AST]] = {
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq},
    **{ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot},
    **{ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And, ast.Sub: ast.Add, ast.Mult: ast.Div},
    **{ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd},
}


class Fault(NamedTuple):
    """A node of a module, and what is planted in its place."""

    holder: Any
    """The list, or the attributes, that hold the node."""
    key: Any
    other: ast.AST
    lines: range | None
    """Of the statement that it is in; None where that runs at import."""
    words: str

    def planted(self, tree: ast.Module, file: str) -> CodeType:
        """The code of the module with the fault; `tree` holds it from now on."""
        self.holder[self.key] = ast.copy_location(self.other, self.holder[self.key])
        return compile(ast.fix_missing_locations(tree), file, "exec")


def others(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in the place of a node: a comparison, a branch or a sign turned, a number
    moved, a clause, an item or a term left out, two things exchanged, nothing returned.
    """

    def but(**fields: Any) -> ast.AST:
        changed = copy.copy(node)
        vars(changed).update(fields)
        return changed

    def without(name: str) -> Iterator[ast.AST]:
        values = getattr(node, name)
        yield from (but(**{name: values[:i] + values[i + 1 :]}) for i in range(len(values)))

    match node:
        case ast.Compare(ops=ops):
            for i, one in enumerate(ops):
                yield but(ops=[*ops[:i], TURNED[type(one)](), *ops[i + 1 :]])
        case ast.BinOp(op=ast.Add()):
            yield node.left
        case ast.BoolOp(op=op) | ast.BinOp(op=op) if type(op) in TURNED:
            yield but(op=TURNED[type(op)]())
        case ast.Constant(value=bool() as value):
            yield but(value=not value)
        case ast.Constant(value=int() | float() as value):
            yield but(value=value + (1 if isinstance(value, int) else 0.01))
        case ast.Constant(value=str() as value) if value and not value.startswith("#"):
            yield but(value=value[: len(value) // 2] if " " in value else "")
        case ast.If(test=test) | ast.IfExp(test=test):
            yield but(test=ast.UnaryOp(ast.Not(), test))
        case ast.comprehension(ifs=[_, *_]):
            yield from without("ifs")
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            yield but(value=ast.Constant(None))
        case ast.Tuple(elts=[one, two], ctx=ast.Load()) if ast.dump(one) != ast.dump(two):
            yield but(elts=[two, one])
        case ast.List(ctx=ast.Load()) | ast.Set() | ast.Tuple(elts=[_, _, _, *_], ctx=ast.Load()):
            yield from without("elts")
        case ast.Subscript(slice=ast.Constant(value=0 | 1 as value)):
            yield but(slice=ast.Constant(1 - value))
        case ast.JoinedStr():
            yield from without("values")
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.AugAssign() | ast.Expr():
            yield ast.Pass()
        case ast.Call(func=ast.Name(id="min" | "max" as name)):
            yield but(func=ast.Name("max" if name == "min" else "min", ast.Load()))
        case ast.Call(args=[one, two, *more]) if not isinstance(two, ast.Starred):
            yield but(args=[two, one, *more])


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_unseen(node: ast.AST, holder: ast.AST) -> bool:
    """Docstrings, imports, type aliases, what only type checkers read, and looks."""
    match holder, node:
        case ast.Call(func=ast.Name(id="as_html")), ast.Constant(value=int()):
            return True
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Pass() | ast.expr_context():
            return True
        case ast.Expr(value=ast.Constant()) | ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assign(value=ast.Subscript(value=ast.Name(id="Literal" | "Mapping"))):
            return True
        case ast.Assign(value=ast.BinOp(op=ast.BitOr(), left=ast.Subscript())):
            return True
        case ast.keyword(arg=str() as name):
            return UNSEEN.fullmatch(name) is not None
    return False


def faults(node: ast.AST, lines: range | None = None, inside: bool = False) -> Iterator[Fault]:
    """Every fault below a node."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        body = inside or (name == "body" and isinstance(node, ast.FunctionDef))
        held = enumerate(value) if isinstance(value, list) else [(name, value)]
        for key, child in held:
            if not isinstance(child, ast.AST) or _is_unseen(child, node):
                continue
            here = _header(child) if body and isinstance(child, ast.stmt) else lines
            part = isinstance(node, ast.JoinedStr) or isinstance(
                getattr(node, "slice", None), ast.Constant
            )
            if not (part and isinstance(child, ast.Constant)):  # what holds it has the fault
                for other in others(child):
                    words = f"line {getattr(child, 'lineno', '?')}: {_told(child, other)}"
                    yield Fault(value if key != name else vars(node), key, other, here, words)
            yield from faults(child, here, body)


def _header(statement: ast.stmt) -> range:
    """Lines of a statement, without the statements inside it."""
    inner = getattr(statement, "body", None)
    end = inner[0].lineno if inner else (statement.end_lineno or 0) + 1
    return range(statement.lineno, max(end, statement.lineno + 1))


def _told(before: ast.AST, after: ast.AST) -> str:
    """Both, from shortly before the first letter in which they differ."""
    one, two = ast.unparse(before), ast.unparse(after)
    pairs = enumerate(zip(one, two, strict=False))
    same = next((i for i, (a, b) in pairs if a != b), min(len(one), len(two)))
    return " -> ".join(repr(text[max(same - 30, 0) : same + 40]) for text in (one, two))
