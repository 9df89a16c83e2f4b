"""A device law written for one number, as source for a vector of them: branches become masks, so that a law is written once.

`LaneForm` reads the source of a compiled function of ours and of all that it calls. ``if`` becomes a mask, entered only if some lane
takes it; an assignment under a mask keeps the other lanes' values; what follows a branch that returns belongs to the other branch; functions of
``math`` become those of `circuits.kernels.lane_math`. Loops with a fixed count stay; what leaves a loop early has no lane form (`NoLaneForm`), and its
law is evaluated lane by lane instead.
"""

from __future__ import annotations

import ast
import inspect
import math
import textwrap

from numba.core.registry import CPUDispatcher

from circuits.kernels import lane_math, lanes

_RENAMED = {"abs": "magnitude", "max": "most", "min": "least"}
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


class NoLaneForm(Exception):
    """The function does something that has no lane form; the text says what."""


class LaneForm:
    """Collects the lane forms of functions; `text` has them all, `imports` the modules and names that it needs."""

    def __init__(self):
        self.forms: dict[tuple, tuple[str, int]] = {}
        self.parts: list[str] = []
        self.imports: set[tuple[str, str]] = {("circuits.kernels.jit", "kernel")}

    @property
    def text(self) -> str:
        """Source of all functions so far."""
        return "\n\n\n".join(self.parts)

    def of(self, function: CPUDispatcher, **fixed: float) -> str:
        """Name of a function's lane form; arguments given here are numbers known when it is written, and no longer arguments.

        Raises
        ------
        NoLaneForm
            If it has none.
        """
        return self._form(function, fixed)[0]

    def _form(self, function: CPUDispatcher, fixed: dict) -> tuple[str, int]:
        key = (function.py_func.__module__, function.py_func.__name__, tuple(fixed.items()))
        if key not in self.forms:
            name = "_".join([key[0].rsplit(".", 1)[-1], key[1], *(str(value) for value in fixed.values())]).replace(".", "_").replace("-", "m")
            translated = _Function(self, function, name, fixed)
            self.parts.append(translated.text)
            self.forms[key] = name, translated.size
        return self.forms[key]


class _Function:
    """One function on its way."""

    def __init__(self, forms: LaneForm, function: CPUDispatcher, name: str, fixed: dict):
        self.forms, self.fixed = forms, fixed
        self.names = function.py_func.__globals__
        tree = ast.parse(textwrap.dedent(inspect.getsource(function.py_func))).body[0]
        self.arguments = [one.arg for one in tree.args.args]
        self.lines: list[str] = []
        self.masked: set[str] = set()
        self.count = 0
        self.size = self.returned(tree.body)
        self.block(tree.body, None, 1)
        head = [f"    {one} = 0.0" for one in sorted(self.masked | {f"r{k}" for k in range(self.size)}) if one not in self.arguments]
        result = ", ".join(f"r{k}" for k in range(self.size)) if self.size > 1 else "r0"
        given = ", ".join(one for one in self.arguments if one not in fixed)
        self.text = "\n".join(["@kernel(bare=True)", f"def {name}({given}):", *head, *self.lines, f"    return {result}"])

    def fresh(self, letter: str) -> str:
        self.count += 1
        return f"{letter}_{self.count}"

    def need(self, name: str) -> str:
        self.forms.imports.add(((lanes if hasattr(lanes, name) else lane_math).__name__, name))
        return name

    def say(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    # --- statements -------------------------------------------------------------------------------------------------
    def block(self, statements: list[ast.stmt], mask: str | None, depth: int) -> None:
        """Statements under a mask (None: all lanes)."""
        for at, one in enumerate(statements):
            if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant):
                continue  # the docstring
            if isinstance(one, ast.Return):
                for k, value in enumerate(self.several(one.value, self.size, depth)):
                    self.put(f"r{k}", value, mask, depth)
                return
            if isinstance(one, ast.If):
                rest = statements[at + 1:]
                known = self.known(one.test)
                if known is not None:
                    self.block([*(one.body if known else one.orelse), *rest], mask, depth)
                    return
                body, other = one.body, one.orelse
                if _ends(body):
                    other, rest = [*other, *rest], []
                elif _ends(other):
                    body, rest = [*body, *rest], []
                elif _returns(body) or _returns(other):
                    raise NoLaneForm(f"line {one.lineno} returns in a part of a branch")
                self.branch(one.test, body, other, mask, depth)
                if not rest:
                    return
            elif isinstance(one, ast.For):
                if any(isinstance(inner, (ast.Break, ast.Continue, ast.Return)) for inner in ast.walk(one)) or one.orelse:
                    raise NoLaneForm(f"line {one.lineno} leaves a loop early")
                self.say(depth, f"for {one.target.id} in {ast.unparse(one.iter)}:")
                self.block(one.body, mask, depth + 1)
            else:
                self.assign(one, mask, depth)

    def branch(self, test: ast.expr, body: list, other: list, mask: str | None, depth: int) -> None:
        yes, no = self.fresh("m"), self.fresh("m")
        self.say(depth, f"{yes} = {self.value(test)}")
        if other:
            self.say(depth, f"{no} = ~{yes}" if mask is None else f"{no} = {mask} & ~{yes}")
        if mask is not None:
            self.say(depth, f"{yes} = {mask} & {yes}")
        for statements, name in ((body, yes), (other, no)):
            if statements:
                self.say(depth, f"if {self.need('any_of')}({name}):")
                self.block(statements, name, depth + 1)

    def assign(self, one: ast.stmt, mask: str | None, depth: int) -> None:
        if isinstance(one, ast.AugAssign) and isinstance(one.target, ast.Name):
            self.put(one.target.id, f"{one.target.id} {_OPERATORS[type(one.op)]} ({self.value(one.value)})", mask, depth)
            return
        if not isinstance(one, ast.Assign):
            raise NoLaneForm(f"line {one.lineno}: {type(one).__name__}")
        first = one.targets[0]
        if isinstance(first, ast.Tuple) and len(one.targets) == 1:
            for target, value in zip(first.elts, self.several(one.value, len(first.elts), depth)):
                self.put(target.id, value, mask, depth)
            return
        if isinstance(one.value, ast.Call) and self.sizes(one.value) > 1:
            if mask is not None:
                raise NoLaneForm(f"line {one.lineno} keeps a tuple under a mask")
            self.say(depth, f"{first.id} = {self.value(one.value)}")
            return
        value = self.value(one.value)
        if len(one.targets) > 1:
            shared = self.fresh("t")
            self.say(depth, f"{shared} = {value}")
            value = shared
        for target in one.targets:
            self.put(target.id, value, mask, depth)

    def put(self, name: str, value: str, mask: str | None, depth: int) -> None:
        if mask is None:
            self.say(depth, f"{name} = {value}")
        else:
            self.masked.add(name)
            self.say(depth, f"{name} = {self.need('where')}({mask}, {value}, {name})")

    def several(self, value: ast.expr, size: int, depth: int) -> list[str]:
        """Texts of the parts of a tuple, all evaluated before any is assigned."""
        if size == 1:
            return [self.value(value)]
        names = [self.fresh("t") for _ in range(size)]
        if isinstance(value, ast.Tuple):
            for name, part in zip(names, value.elts, strict=True):
                self.say(depth, f"{name} = {self.value(part)}")
        elif isinstance(value, ast.IfExp):
            mask = self.fresh("m")
            yes, no = self.several(value.body, size, depth), self.several(value.orelse, size, depth)
            self.say(depth, f"{mask} = {self.value(value.test)}")
            for name, a, b in zip(names, yes, no):
                self.say(depth, f"{name} = {self.need('where')}({mask}, {a}, {b})")
        else:
            self.say(depth, f"{', '.join(names)} = {self.value(value)}")
        return names

    # --- expressions ------------------------------------------------------------------------------------------------
    def value(self, one: ast.expr) -> str:
        """Text of an expression of vectors, numbers and masks."""
        if isinstance(one, ast.Constant) and isinstance(one.value, (int, float)) and not isinstance(one.value, bool):
            return _literal(one.value)
        if isinstance(one, ast.Name):
            if one.id in self.fixed:
                return _literal(self.fixed[one.id])
            if isinstance(self.names.get(one.id), (int, float)) and one.id not in self.arguments:
                return _literal(self.names[one.id])
            return one.id
        if isinstance(one, ast.Attribute):
            return _literal(getattr(math, one.attr)) if isinstance(one.value, ast.Name) and one.value.id == "math" else ast.unparse(one)
        if isinstance(one, ast.Subscript):
            return ast.unparse(one)
        if isinstance(one, ast.UnaryOp):
            return f"(~{self.value(one.operand)})" if isinstance(one.op, ast.Not) else f"(-{self.value(one.operand)})"
        if isinstance(one, ast.BinOp):
            if isinstance(one.op, ast.Pow):
                if isinstance(one.right, ast.Constant) and one.right.value == 2:
                    return f"{self.need('squared')}({self.value(one.left)})"
                return f"{self.need('pow')}({self.value(one.left)}, {self.value(one.right)})"
            return f"({self.value(one.left)} {_OPERATORS[type(one.op)]} {self.value(one.right)})"
        if isinstance(one, ast.BoolOp):
            sign = " & " if isinstance(one.op, ast.And) else " | "
            return f"({sign.join(self.value(part) for part in one.values)})"
        if isinstance(one, ast.Compare):
            left = [one.left, *one.comparators[:-1]]
            parts = [f"({self.value(a)} {_COMPARISONS[type(op)]} {self.value(b)})" for a, op, b in zip(left, one.ops, one.comparators)]
            return f"({' & '.join(parts)})"
        if isinstance(one, ast.IfExp):
            known = self.known(one.test)
            if known is not None:
                return self.value(one.body if known else one.orelse)
            return f"{self.need('where')}({self.value(one.test)}, {self.value(one.body)}, {self.value(one.orelse)})"
        if isinstance(one, ast.Call):
            return self.call(one)
        raise NoLaneForm(f"line {one.lineno}: {type(one).__name__}")

    def call(self, one: ast.Call) -> str:
        function = self.target(one)
        arguments = [self.value(part) for part in one.args]
        if isinstance(function, str):
            if function and all(isinstance(part, ast.Name) and part.id not in self.arguments and part.id in self.names for part in one.args):
                # a function of a constant of the law's file
                return _literal(getattr(math, function)(*(self.names[part.id] for part in one.args)))
            return f"{function}({', '.join(arguments)})" if function else arguments[0]
        # a plain number among vectors would make a comparison of it no mask
        like = next((text for text, part in zip(arguments, one.args) if not isinstance(part, ast.Constant)), None)
        given = [f"{self.need('alike')}({text}, {like})" if isinstance(part, ast.Constant) and like else text for text, part in zip(arguments, one.args)]
        return f"{self.forms.of(function)}({', '.join(given)})"

    def target(self, one: ast.Call):
        """What is called: a function of ours, the name of one of lane_math, or "" for what changes nothing."""
        where = one.func
        if isinstance(where, ast.Attribute) and isinstance(where.value, ast.Name) and where.value.id == "math" and hasattr(lane_math, where.attr):
            return self.need(where.attr)
        if isinstance(where, ast.Name) and where.id == "float":
            return ""
        if isinstance(where, ast.Name) and where.id in _RENAMED:
            return self.need(_RENAMED[where.id])
        found = self.names.get(where.id) if isinstance(where, ast.Name) else None
        if isinstance(found, CPUDispatcher):
            return found
        raise NoLaneForm(f"line {one.lineno} calls {ast.unparse(where)}")

    def sizes(self, one: ast.Call) -> int:
        function = self.target(one)
        return 1 if isinstance(function, str) else self.forms._form(function, {})[1]

    def known(self, test: ast.expr) -> bool | None:
        """The truth of a comparison of a fixed argument with a number; None if it depends on lanes."""
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.left, ast.Name) and test.left.id in self.fixed \
                and isinstance(test.ops[0], ast.Eq) and isinstance(test.comparators[0], ast.Constant):
            return self.fixed[test.left.id] == test.comparators[0].value
        return None

    def returned(self, statements: list[ast.stmt]) -> int:
        """How many values a function returns."""
        for one in ast.walk(ast.Module(statements, [])):
            if isinstance(one, ast.Return):
                value = one.value.body if isinstance(one.value, ast.IfExp) else one.value
                if isinstance(value, ast.Tuple):
                    return len(value.elts)
                if isinstance(value, ast.Call):
                    return self.sizes(value)
        return 1


def _literal(value: float) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "NAN" if math.isnan(value) else "INFINITY" if value > 0 else "(-INFINITY)"
    return repr(float(value))


def _returns(statements: list[ast.stmt]) -> bool:
    return any(isinstance(inner, ast.Return) for one in statements for inner in ast.walk(one))


def _ends(statements: list[ast.stmt]) -> bool:
    """True if every way through the statements ends in a return."""
    if not statements:
        return False
    last = statements[-1]
    return isinstance(last, ast.Return) or (isinstance(last, ast.If) and _ends(last.body) and _ends(last.orelse))
