"""Shapes of arrays, checked while the tests run: `Float[Floats, "pairs width"]` in a signature or a
dataclass means what it says.

Users pay nothing: annotations are text, and jaxtyping is imported by type checkers and here only.
`watch` wraps the functions and dataclasses of a package as its modules are imported. A name means
one number within a call (its parameters and its result), and within a dataclass with its methods.
Where the function refuses what it was given, in its own words, that error goes first: a wrong shape
is a fault of ours only where nothing refuses it.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import FunctionType, ModuleType, UnionType
from typing import Any, Union, get_args, get_origin

import jaxtyping
import numpy as np
from jaxtyping import AbstractArray, TypeCheckError, jaxtyped

KINDS = [name for name, one in vars(jaxtyping).items() if isinstance(one, type(jaxtyping.Float))]
SHAPED = re.compile(rf"\b({'|'.join(KINDS)})\[")
"""How an annotation with a shape is known before anything in it is imported."""
_watched: list[str] = []


def watch(package: str) -> None:
    """Check all shapes of a package from now on, which must not be imported yet."""
    if package in sys.modules:
        raise RuntimeError(f"{package} is imported already; its shapes would not be checked")
    _watched.append(package)
    sys.meta_path.insert(0, _Finder(package))


class _Finder(MetaPathFinder):
    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(
        self, fullname: str, path: Any = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != self.package:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(fullname, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        check(module)


def check(module: ModuleType) -> None:
    """Wrap what a module defines."""
    for name, value in list(vars(module).items()):
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(value):
            _check_class(value)
        elif isinstance(value, FunctionType):
            setattr(module, name, _checked(value))


def _check_class(cls: type) -> None:
    if getattr(cls, "_is_protocol", False):
        return
    maker = None
    if "__init__" in vars(cls) and dataclasses.is_dataclass(cls):
        maker = "__init__"
    elif "__new__" in vars(cls) and hasattr(cls, "_fields"):
        maker = "__new__"
    held = _fields(cls) if maker else None
    for name, member in list(vars(cls).items()):
        changed: Any = None
        if name == maker:
            if held is not None:
                changed = _checked_fields(cls, getattr(member, "__func__", member), held)
        elif isinstance(member, FunctionType):
            changed = _checked(member, held)
        elif isinstance(member, classmethod | staticmethod):
            changed = type(member)(_checked(member.__func__))
        elif isinstance(member, property) and isinstance(member.fget, FunctionType):
            got = _checked(member.fget, held)
            changed = property(got, member.fset, member.fdel, member.__doc__)
        elif isinstance(member, functools.cached_property):
            member.func = _checked(member.func, held)
        if changed is not None:
            setattr(cls, name, changed)


Hints = Callable[[], dict[str, Any]]
"""Types by name. They are read at the first call, when all modules can be imported."""


def _checked(function: Callable[..., Any], held: Hints | None = None) -> Callable[..., Any]:
    """The function, with its shapes checked; itself where it states none.

    `held` are the attributes of a dataclass whose method it is: its names stand for what they are
    in that object.
    """
    stated = _shaped(getattr(function, "__annotations__", {}))
    if not stated:
        return function
    signature = inspect.signature(function)
    at = [i for i, name in enumerate(signature.parameters) if name in stated]
    names = Names.of(sys.modules[function.__module__])
    place = f"{function.__module__}.{function.__qualname__}"
    passed: set[Any] = set()
    """Calls whose shapes were right: most calls are like one before."""

    @functools.cache
    def hints() -> tuple[dict[str, Any], Any]:
        read = {name: names.read(text) for name, text in stated.items()}
        return read, read.pop("return", None)

    def judge(args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        parameters, returned = hints()
        given = signature.bind(*args, **kwargs).arguments
        with jaxtyped("context"):
            if held is not None:
                _first_wrong(held(), {name: getattr(args[0], name) for name in held()})
            wrong = _first_wrong(parameters, given)
            if wrong is not None:
                raise TypeCheckError(f"{place}: {wrong}")
            if returned is not None and not _fits(result, returned):
                raise TypeCheckError(
                    f"{place} returned {_told(result)}; stated: {_told_hint(returned)}, with "
                    f"{_sizes(parameters, given)}"
                )

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)  # what it refuses itself goes first
        seen: list[Any] = [_outline(args[i]) for i in at if i < len(args)]
        seen += [(name, _outline(one)) for name, one in kwargs.items() if name in stated]
        if held is not None:
            seen += [_outline(getattr(args[0], name)) for name in held()]
        if "return" in stated:
            seen.append(_outline(result))
        call = tuple(seen)
        if call not in passed:
            judge(args, kwargs, result)
            passed.add(call)
        return result

    return checked


def _outline(value: Any) -> Any:
    """All that a judgement depends on: shapes and types of numbers."""
    if _is_array(value):
        return value.shape, value.dtype, type(value)
    if isinstance(value, tuple | list):
        return (type(value), *map(_outline, value))
    if isinstance(value, Mapping):
        return tuple(map(_outline, value.values()))
    return type(value)


def _fields(cls: type) -> Hints | None:
    """The shapes that a dataclass or a NamedTuple states, with what it inherits."""
    stated: dict[str, tuple[Names, str]] = {}
    for base in reversed(cls.__mro__):
        if dataclasses.is_dataclass(base) or hasattr(base, "_fields"):
            names = Names.of(sys.modules[base.__module__])
            own = _shaped(inspect.get_annotations(base))
            stated |= {name: (names, text) for name, text in own.items()}

    @functools.cache
    def hints() -> dict[str, Any]:
        return {name: names.read(text) for name, (names, text) in stated.items()}

    return hints if stated else None


def _checked_fields(cls: type, make: Callable[..., Any], hints: Hints) -> Callable[..., Any]:
    """The constructor of a dataclass (`__init__`) or a NamedTuple (`__new__`), after which its
    arrays have the shapes that it states.
    """
    passed: set[Any] = set()

    @functools.wraps(make)
    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        made = make(self, *args, **kwargs)
        held = {name: getattr(self if made is None else made, name) for name in hints()}
        seen = _outline(held)
        if seen not in passed:
            with jaxtyped("context"):
                wrong = _first_wrong(hints(), held)
            if wrong is not None:
                raise TypeCheckError(f"{cls.__module__}.{cls.__qualname__}: {wrong}")
            passed.add(seen)
        return made

    return checked


def _first_wrong(hints: Mapping[str, Any], given: Mapping[str, Any]) -> str | None:
    for name, hint in hints.items():
        if name in given and not _fits(given[name], hint):
            told = f"{name} is {_told(given[name])}; stated: {_told_hint(hint)}"
            return f"{told}, with {_sizes(hints, given)}"
    return None


def _fits(value: Any, hint: Any) -> bool:
    """Whether all arrays in a value have the stated shapes; what is not an array is not judged."""
    kind, inner = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if inner and isinstance(value, Mapping):
        return all(_fits(one, inner[-1]) for one in value.values())
    if inner and isinstance(value, tuple | list):
        of_each = inner if kind is tuple and inner[-1] is not Ellipsis else inner[:1] * len(value)
        return len(of_each) == len(value) and all(map(_fits, value, of_each))
    if inspect.isclass(hint) and issubclass(hint, AbstractArray):
        array = np.asarray(value) if isinstance(value, np.generic) else value
        return isinstance(array, hint) or not _is_array(array)
    return not _is_array(value) or isinstance(value, np.generic)


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _sizes(hints: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_told(given[name])}" for name in hints if name in given)


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_told(one)}" for name, one in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "(" + ", ".join(_told(one) for one in value[:8]) + ")"
    if _is_array(value):
        return f"{value.dtype}{tuple(value.shape)}"
    return type(value).__name__


def _told_hint(hint: Any) -> str:
    return str(hint).replace("jaxtyping.", "")


def _shaped(annotations: Mapping[str, Any]) -> dict[str, str]:
    """Those that state a shape, as the text that they are under `from __future__`."""
    texts = {name: getattr(one, "__forward_arg__", str(one)) for name, one in annotations.items()}
    return {name: text for name, text in texts.items() if SHAPED.search(text)}


class Names(Mapping[str, Any]):
    """What the annotations of a module can name, also what only type checkers import: imported when
    it is looked up.
    """

    @classmethod
    @functools.cache
    def of(cls, module: ModuleType) -> Names:
        """Those of a module."""
        return cls(module)

    def __init__(self, module: ModuleType) -> None:
        self.module = module

    def read(self, annotation: str) -> Any:
        """The type that an annotation states."""
        return eval(annotation, {}, self)

    def __getitem__(self, name: str) -> Any:
        if name in vars(self.module):
            return vars(self.module)[name]
        found = self._later[name]
        if not isinstance(found, tuple):
            return self.read(found)
        home = importlib.import_module(found[0])
        if len(found) == 1:
            return home
        ours = found[0].split(".")[0] in _watched
        return Names.of(home)[found[1]] if ours else getattr(home, found[1])

    def __iter__(self) -> Iterator[str]:
        return iter({*vars(self.module), *self._later})

    def __len__(self) -> int:
        return len({*vars(self.module), *self._later})

    @functools.cached_property
    def _later(self) -> dict[str, Any]:
        """Names under `if TYPE_CHECKING:`: module and name, or the text of an alias."""
        later: dict[str, Any] = {}
        for block in ast.parse(Path(str(self.module.__file__)).read_text()).body:
            if not isinstance(block, ast.If) or ast.unparse(block.test) != "TYPE_CHECKING":
                continue
            for node in block.body:
                if isinstance(node, ast.ImportFrom):
                    later |= {a.asname or a.name: (node.module, a.name) for a in node.names}
                elif isinstance(node, ast.Import):
                    later |= {a.asname or a.name.split(".")[0]: (a.name,) for a in node.names}
                elif isinstance(node, ast.AnnAssign) and node.value is not None:
                    later[ast.unparse(node.target)] = ast.unparse(node.value)
        return later
