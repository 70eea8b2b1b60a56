"""How many small faults of a module do the tests catch?

    PYTHONPATH=tests python -m mutants src/conceptbind/probes/words.py --tests tests/report

One fault at a time is planted, in memory and in a process of its own, and the tests of those files
run whose tests reach it: it is caught when one of them fails. Tests that take longer than LONG are
left out, so the share is a lower bound. What nobody catches is printed: it needs a test, or changes
nothing that anybody could see.
"""

from __future__ import annotations

import argparse
import ast
import gc
import importlib
import json
import os
import random
import resource
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest

from mutants.faults import Fault, faults

LONG, LIMIT = 3.0, 60
"""Seconds of the processor that a test may take, and that a fault may take to be caught."""
BROKEN = 99
LOADED = ("torch", "sklearn.ensemble", "sklearn.linear_model", "plotly.subplots", "plotly.io")
"""Large packages, loaded once."""


class Watch:
    """Which lines of a module each test reaches, how long it takes, and which fixtures do."""

    def __init__(self, module: str) -> None:
        self.module, self.lines, self.long = module, set[int](), set[str]()

    def trace(self, frame: FrameType, event: str, arg: object) -> Callable[..., Any] | None:
        """For `sys.settrace`."""
        if frame.f_code.co_filename != self.module:
            return None
        self.lines.add(frame.f_lineno)
        return self.trace

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        """Remember a fixture that takes long."""
        start = time.process_time()
        made = yield
        if time.process_time() - start > LONG:
            self.long.add(fixturedef.argname)
        return made

    def test(self, item: pytest.Item, then: pytest.Item | None) -> tuple[list[int], float]:
        """Lines and seconds of one test."""
        self.lines, start = set(), time.process_time()
        threading.settrace(self.trace)
        sys.settrace(self.trace)
        item.ihook.pytest_runtest_protocol(item=item, nextitem=then)
        sys.settrace(None)
        return sorted(self.lines), time.process_time() - start


class Plant:
    """In the place of pytest's loop over the tests one loop for each fault, in a fork."""

    def __init__(self, module: Path, tree: ast.Module, drawn: list[Fault], place: Path) -> None:
        self.module, self.tree, self.drawn, self.place = str(module), tree, drawn, place
        self.watch, self.early = Watch(self.module), set[int]()
        self.functions: list[FunctionType] = []

    def pytest_configure(self) -> None:
        """No search for the smallest example."""
        from hypothesis import Phase, settings

        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("mutants", phases=phases, database=None, deadline=None)
        settings.load_profile("mutants")

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self) -> Iterator[Any]:
        """Which lines are reached while tests are collected, for their parameters."""
        sys.settrace(self.watch.trace)
        done = yield
        sys.settrace(None)
        self.early = set(self.watch.lines)
        return done

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Watch the tests without a fault, then plant those that are inside of functions."""
        if forked(partial(self.look, session)) != 0:
            raise pytest.UsageError("the tests fail without a fault")
        reached = json.loads((self.place / "reached.json").read_text())
        tests = {item.nodeid: item for item in session.items}
        every = (each for each in gc.get_objects() if type(each) is FunctionType)
        self.functions = [each for each in every if each.__code__.co_filename == self.module]
        found: list[tuple[int | None, list[str]]] = []
        for fault in self.drawn:
            names = meets(fault, reached)
            chosen = [tests[name] for name in names]
            code: int | None = 0
            if fault.lines and names:
                code = forked(partial(self.met, session, fault, chosen))
            if code == 0 and (fault.lines is None or self.early & set(fault.lines)):
                code, names = None, list(reached)
            found.append((code, names))
        (self.place / "found.json").write_text(json.dumps(found))
        return True

    def look(self, session: pytest.Session) -> int:
        """Write down what the quick tests reach, the quickest first; whether a test fails."""
        watch, found = self.watch, []
        session.config.pluginmanager.register(watch)
        for item, then in followed(session.items):
            lines, seconds = watch.test(item, then)
            found.append((seconds, item.nodeid, lines, getattr(item, "fixturenames", ())))
        quick = {
            name: lines
            for seconds, name, lines, fixtures in sorted(found)
            if seconds < LONG and not watch.long & set(fixtures)
        }
        (self.place / "reached.json").write_text(json.dumps(quick))
        return session.testsfailed

    def met(self, session: pytest.Session, fault: Fault, chosen: list[pytest.Item]) -> int:
        """Whether a test fails with a fault inside of a function: all functions get new code."""
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
        codes = codes_in(fault.planted(self.tree, self.module))
        new = {(code.co_qualname, code.co_firstlineno): code for code in codes}
        for function in self.functions:
            old = function.__code__
            function.__code__ = new.get((old.co_qualname, old.co_firstlineno), old)
        for item, then in followed(chosen):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=then)
            if session.testsfailed:
                return 1
        return 0

    def met_at_import(self, fault: Fault, names: list[str], options: list[str]) -> int:
        """Whether a test fails with a fault that is met when the module is imported."""
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
        code, plain = fault.planted(self.tree, self.module), SourceFileLoader.get_code

        def get_code(loader: SourceFileLoader, name: str) -> CodeType | None:
            return code if loader.path == self.module else plain(loader, name)

        SourceFileLoader.get_code = get_code  # type: ignore[assignment, method-assign]
        files = dict.fromkeys(name.partition("::")[0] for name in names)
        return pytest.main([*files, "-x", *options], plugins=[Only(names)])


class Only:
    """The tests that a fault meets."""

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """In order; a fault may change what stands in the brackets of a name."""
        place = {name: i for i, name in enumerate(self.names)}
        tests = {name.partition("[")[0] for name in self.names}
        mine = [item for item in items if item.nodeid.partition("[")[0] in tests]
        items[:] = sorted(mine, key=lambda item: place.get(item.nodeid, len(place)))


def followed(items: list[pytest.Item]) -> Iterator[tuple[pytest.Item, pytest.Item | None]]:
    """Each test with the next one."""
    return zip(items, [*items[1:], None], strict=False)


def meets(fault: Fault, reached: dict[str, list[int]]) -> list[str]:
    """The tests that run for a fault: of each file first those that reach it, then the others,
    which may use what the first have made.
    """
    direct = {
        name: None
        for name, lines in reached.items()
        if fault.lines and set(fault.lines) & set(lines)
    }
    names = []
    for file in dict.fromkeys(name.partition("::")[0] for name in direct):
        mine = [name for name in reached if name.partition("::")[0] == file]
        names += sorted(mine, key=lambda name: name not in direct)
    return names


def codes_in(code: CodeType) -> Iterator[CodeType]:
    """The code of every function in some code."""
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from codes_in(each)


def forked(work: Callable[[], int]) -> int:
    """The exit code of some work in a process of its own; below 0 where it was killed."""
    child = os.fork()
    if child == 0:
        code = BROKEN
        try:
            code = int(work())
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def silent(log: Path, work: Callable[[], int]) -> int:
    """Some work whose output goes into a file."""
    with log.open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    return work()


def left_of(module: Path, tests: list[str], tree: ast.Module, drawn: list[Fault]) -> list[Fault]:
    """The faults that no test catches."""
    left = []
    with tempfile.TemporaryDirectory() as folder:
        place, log = Path(folder), Path(folder, "log")
        options = ["-q", "-p", "no:cacheprovider", f"--basetemp={place / 'tests'}"]
        plant = Plant(module, tree, drawn, place)
        run = partial(pytest.main, [*tests, *options], plugins=[plant])
        if forked(partial(silent, log, run)) != 0:
            raise SystemExit(log.read_text()[-3000:])
        found = json.loads((place / "found.json").read_text())
        for fault, (code, names) in zip(drawn, found, strict=True):
            ended = code or 0
            if code is None and names:
                run = partial(plant.met_at_import, fault, names, options)
                ended = forked(partial(silent, log, run))
            if ended > 2:  # neither failed tests nor a module that cannot be imported
                raise SystemExit(f"{log.read_text()[-3000:]}\n{fault.words}")
            if ended == 0:
                left.append(fault)
    return left


def main() -> None:
    """Plant faults, and say which are not caught."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("modules", nargs="+", type=Path, help="files of the package")
    parser.add_argument("--tests", nargs="+", help="tests/ROOM and tests/report by default")
    parser.add_argument("--most", type=int, default=30, help="faults a module, drawn at random")
    parser.add_argument("--skip", type=int, default=0, help="of the draw: for faults never met yet")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    asked = parser.parse_args()
    for name in LOADED:
        importlib.import_module(name)
    for module in (path.resolve() for path in asked.modules):
        tree = ast.parse(module.read_text())
        drawn = list(faults(tree))
        random.Random(asked.seed).shuffle(drawn)
        drawn = drawn[asked.skip : asked.skip + asked.most]
        tests = asked.tests or [f"tests/{module.parent.name}", "tests/report"]
        left = left_of(module, tests, tree, drawn)
        name = f"{module.parent.name}/{module.name}"
        print(f"{name}: {len(drawn) - len(left)} of {len(drawn)} caught")
        for fault in left:
            print(f"  {fault.words}", flush=True)


if __name__ == "__main__":
    main()
