"""Expressions of house rules: a small, safe part of Python over named values.

Comparisons, ``and``, ``or``, ``not``, ``in``, arithmetic, numbers, texts, lists of these, and the functions
that are named here. Nothing is ever evaluated by Python itself: the tree is walked, and what is not on the
list is refused when the expression is read, as are unknown names and mixed-up kinds of values.

A question about a value that there is not is neither true nor false. What ``and``, ``or`` and ``not`` make of
that is S. C. Kleene's strong logic of three values ("On notation for ordinal numbers", Journal of Symbolic
Logic 3, 1938): what is false makes an ``and`` false whatever the rest would say, in whatever order it stands.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

Kind = Literal["number", "text", "list", "truth"]
Lookup = Callable[[str], Any]
Errors = tuple[type[Exception], ...]

_LONGEST = 2000
_DEEPEST = 60
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_ORDER: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


class WrongExpression(Exception):
    """The expression cannot be used; ``str(error)`` says why, without a full stop."""


class Partly(Exception):
    """Of a text or a list only a part is known; ``str(error)`` is a clause.

    Parameters
    ----------
    known
        That part. What lies in it lies in the whole; of anything else nothing can be said.
    """

    def __init__(self, message: str, known: str | tuple[str, ...]) -> None:
        super().__init__(message)
        self.known = known


@dataclass(frozen=True)
class Function:
    """A function that expressions may call.

    Parameters
    ----------
    takes
        The kinds of its arguments; the last may be repeated where `repeats`.
    call
        Gets the arguments' values.
    vet
        Called with the last argument when it is read, where the expression states it; raises
        `WrongExpression`.
    """

    takes: tuple[Kind, ...]
    call: Callable[..., float]
    repeats: bool = False
    gives: Kind = "number"
    vet: Callable[[Any], object] | None = None


BUILT_IN: dict[str, Function] = {
    "min": Function(("number", "number"), min, repeats=True),
    "max": Function(("number", "number"), max, repeats=True),
    "abs": Function(("number",), abs),
    "count": Function(("list",), len),
}


@dataclass(frozen=True)
class Expression:
    """A question about values, answered with yes or no.

    Parameters
    ----------
    source
        As written.
    names
        The values that it asks for, in order; ``check.measure`` with its dot.
    """

    source: str
    names: tuple[str, ...]
    _tree: ast.expr = field(repr=False)

    def holds(self, value: Lookup, functions: Mapping[str, Function], absent: Errors = ()) -> bool:
        """Answer it.

        Parameters
        ----------
        value
            Gives the value of a name; what it raises is passed on. Called only for what the answer needs.
        functions
            As in `parse`.
        absent
            What `value` and `functions` raise where there is no such value. It is passed on only where the
            other parts do not decide the answer; of several, one of the first of these kinds. One that is
            `Partly` too still tells what lies in the known part.

        Raises
        ------
        WrongExpression
            Where a number is divided by nought.
        """
        return bool(_Asked(value, {**BUILT_IN, **functions}, absent).of(self._tree))


def parse(
    source: str, names: Mapping[str, Kind], owners: tuple[str, ...] | None, functions: Mapping[str, Function]
) -> Expression:
    """Read an expression.

    Parameters
    ----------
    names
        Every value there is, with its kind.
    owners
        What may stand before a dot: ``owner.anything`` is a number. None: anything may.
    functions
        What may be called besides `BUILT_IN`.

    Raises
    ------
    WrongExpression
        Where it is no such expression, or no question with the answer yes or no.
    """
    if len(source) > _LONGEST:
        raise WrongExpression(f"it is longer than {_LONGEST} characters")
    try:
        tree = ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        said = error.msg if isinstance(error, SyntaxError) else "it cannot be read"
        raise WrongExpression(f"it is no expression ({said})") from error
    reader = _Reader(names, owners, {**BUILT_IN, **functions})
    if reader.kind(tree) != "truth":
        raise WrongExpression("it is no question with the answer yes or no; compare it with something")
    return Expression(source, tuple(dict.fromkeys(reader.used)), tree)


@dataclass
class _Reader:
    """Finds the kind of every part, and refuses what is not allowed."""

    names: Mapping[str, Kind]
    owners: tuple[str, ...] | None
    functions: Mapping[str, Function]
    used: list[str] = field(default_factory=list)
    depth: int = 0

    def kind(self, node: ast.expr) -> Kind:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise WrongExpression("it is nested too deeply")
        try:
            return self._kind(node)
        finally:
            self.depth -= 1

    def _kind(self, node: ast.expr) -> Kind:
        match node:
            case ast.Constant(value=bool()):
                return "truth"
            case ast.Constant(value=int() | float()):
                return "number"
            case ast.Constant(value=str()):
                return "text"
            case ast.Name(id=name):
                return self._name(name)
            case ast.Attribute(value=ast.Name(id=owner), attr=name):
                if self.owners is not None and owner not in self.owners:
                    raise WrongExpression(f"{owner} is no check; the checks are {', '.join(self.owners)}")
                self.used.append(f"{owner}.{name}")
                return "number"
            case ast.BoolOp(values=values):
                return self._all(values, "truth", "and and or join questions")
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self._all([operand], "truth", "not turns a question round")
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
                return self._all([operand], "number", "a sign belongs to a number")
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return self._all([left, right], "number", "only numbers can be reckoned with")
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part in parts:
                    if self.kind(part) not in ("number", "text"):
                        raise WrongExpression("a list holds numbers and texts only")
                return "list"
            case ast.Compare(left=left, ops=ops, comparators=others):
                parts = [left, *others]
                for one, how, other in zip(parts, ops, parts[1:], strict=False):
                    self._comparison(one, how, other)
                return "truth"
            case ast.Call(func=ast.Name(id=name), args=given, keywords=[]):
                return self._call(name, given)
        raise WrongExpression(f"{ast.unparse(node)!r} is not allowed in a rule")

    def _name(self, name: str) -> Kind:
        if name not in self.names:
            raise WrongExpression(f"there is no value {name}; the values are {', '.join(self.names)}")
        self.used.append(name)
        return self.names[name]

    def _all(self, nodes: list[ast.expr], wanted: Kind, why: str) -> Kind:
        for node in nodes:
            if (kind := self.kind(node)) != wanted:
                raise WrongExpression(f"{ast.unparse(node)!r} is a {kind}, but {why}")
        return wanted

    def _comparison(self, one: ast.expr, op: ast.cmpop, other: ast.expr) -> None:
        kinds = self.kind(one), self.kind(other)
        words = (
            f"{ast.unparse(one)!r} ({kinds[0]}) and {ast.unparse(other)!r} ({kinds[1]}) cannot be compared"
        )
        if isinstance(op, ast.In | ast.NotIn):
            if kinds[0] not in ("number", "text") or kinds[1] not in ("list", "text"):
                raise WrongExpression(f"{words} by in: a text lies in a text or in a list")
            if kinds == ("number", "text"):
                raise WrongExpression(f"{words} by in: put the number in quotes")
        elif type(op) in _ORDER:
            if kinds != ("number", "number"):
                raise WrongExpression(f"{words} by size")
        elif isinstance(op, ast.Eq | ast.NotEq):
            if kinds[0] != kinds[1]:
                raise WrongExpression(words)
        else:
            raise WrongExpression("'is' is not allowed in a rule; write ==")

    def _call(self, name: str, given: list[ast.expr]) -> Kind:
        if name not in self.functions:
            raise WrongExpression(
                f"there is no function {name}; the functions are {', '.join(self.functions)}"
            )
        function = self.functions[name]
        least = len(function.takes)
        if len(given) < least or (len(given) > least and not function.repeats):
            raise WrongExpression(f"{name} takes {least} values, not {len(given)}")
        wanted = [*function.takes, *[function.takes[-1]] * (len(given) - least)]
        for node, kind in zip(given, wanted, strict=True):
            if (found := self.kind(node)) != kind:
                raise WrongExpression(f"{name} takes a {kind}, and {ast.unparse(node)!r} is a {found}")
        if function.vet and isinstance(last := given[-1], ast.Constant):
            function.vet(last.value)
        return function.gives


@dataclass(frozen=True)
class _Asked:
    """Finds the value of a tree that `parse` has let through."""

    value: Lookup
    functions: Mapping[str, Function]
    absent: Errors

    def of(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=found):
                return found
            case ast.Name(id=name):
                return self.value(name)
            case ast.Attribute(value=ast.Name(id=owner), attr=name):
                return self.value(f"{owner}.{name}")
            case ast.BoolOp(op=op, values=values):
                return self._decided((partial(self.of, part) for part in values), isinstance(op, ast.Or))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not self.of(operand)
            case ast.UnaryOp(op=op, operand=operand):
                return -self.of(operand) if isinstance(op, ast.USub) else self.of(operand)
            case ast.BinOp(left=left, op=op, right=right):
                try:
                    return _ARITHMETIC[type(op)](self.of(left), self.of(right))
                except ZeroDivisionError:
                    raise WrongExpression(f"{ast.unparse(node)!r} divides by nought") from None
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                return tuple(self.of(part) for part in parts)
            case ast.Call(func=ast.Name(id=name), args=given):
                return self.functions[name].call(*(self.of(part) for part in given))
            case ast.Compare(left=left, ops=ops, comparators=others):
                # 1 < a < 2 asks two questions, joined by and
                links = zip((left, *others), ops, others, strict=False)
                return self._decided((partial(self._link, *link) for link in links), False)
        raise AssertionError(f"{ast.unparse(node)!r} was let through by mistake")

    def _link(self, one: ast.expr, op: ast.cmpop, other: ast.expr) -> bool:
        sought = self.of(one)
        try:
            return _compared(sought, op, self.of(other))
        except Partly as some:
            # inside a list that is written out, a text is compared as a whole: its known part says nothing
            named = isinstance(other, ast.Name) and isinstance(op, ast.In | ast.NotIn)
            if not (named and _compared(sought, ast.In(), some.known)):
                raise
            return isinstance(op, ast.In)

    def _decided(self, questions: Iterable[Callable[[], bool]], by: bool) -> bool:
        """Ask until one answers `by`; what has no answer counts only where none does."""
        gone: list[Exception] = []
        for question in questions:
            try:
                if bool(question()) == by:
                    return by
            except self.absent as error:
                gone.append(error)
        if gone:
            raise min(gone, key=lambda one: [isinstance(one, kind) for kind in self.absent].index(True))
        return not by


def _compared(one: Any, op: ast.cmpop, other: Any) -> bool:
    one, other = _folded(one), _folded(other)
    if isinstance(op, ast.In):
        return bool(one in other)
    if isinstance(op, ast.NotIn):
        return bool(one not in other)
    if isinstance(op, ast.Eq):
        return bool(one == other)
    if isinstance(op, ast.NotEq):
        return bool(one != other)
    return _ORDER[type(op)](one, other)


def _folded(value: Any) -> Any:
    """Texts compare without regard to case: a label's print is not the catalog's."""
    if isinstance(value, str):
        return value.casefold()
    return tuple(_folded(part) for part in value) if isinstance(value, tuple) else value
