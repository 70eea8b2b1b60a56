"""The words that users see: plain ones, in short sentences, one term for one thing.

What is looked at are the strings of the source, with what is put into them as one word each, and
the sentences that the reference runs print.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import conceptbind
import conceptbind.commands
from conceptbind.commands.command import Command, documentation, options
from documented import PAGES, ROOT
from report.test_verdicts import level1, level3
from sentences import LONGEST, too_long

SOURCE = Path(conceptbind.__file__).parent
PLAINER = {
    r"foretell\w*|foretold": "predict",
    r"\banew\b": "again",
    r"\bunseen (scene|object|combination|pair)s?\b": "new; of scenes: test scenes",
    r"\bimage embeddings\b": "picture embeddings",
    r"\btext embeddings\b": "caption embeddings",
    r"\bone a line\b|\b(row|scenes|names?|captions?) an? (line|item|row)\b": "per",
    r"(?<!there )\b(is|was) no (adapter|array|command|encoder|run folder|table of)": "not a",
    r"\bprobes? (still )?reads?\b|\bobjects (are|were) read\b": "recognise",
    r"\bLevels? II?\b(?! and I of)|\blevel of additive\b": "order 1 (values), order 2 (objects)",
    r"\bhangs on\b": "depends on",
    r"\bhardly hold\b": "hardly show",
    r"\b(hears?|heard)\b": "goes by, or reacts to",
    r"\bacross modalities\b": "between pictures and captions",
    r"\bno comparison\b": "not compared",
    r"\bsays? the same\b": "means the same",
    r"\bby heart\b": "memorised",
    r"\bbind(s|ing)? no worse\b": "at least as well",
    r"\bloud\b": "large",
    r"\bless well read\b|\bwell read\b": "recognised",
    r"\bon the way that\b": "that",
    r"\bwherein\b|\bthereof\b|\bthereby\b|\bhitherto\b|\bheretofore\b": "a newer word",
    r"\bbag-of-words twin\b": "bag twin",
    r"\butili[sz]e\w*\b": "use",
}
"""What is not written, and what is."""
PREPOSITIONS = "About After At Before Below By For From In Into Of On Over To Under With Without"


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """All strings of a module with their lines, in strings with fields each field as {}."""
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inside.update(map(id, node.values))
            parts = [v.value if isinstance(v, ast.Constant) else "{}" for v in node.values]
            yield node.lineno, "".join(map(str, parts))
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and id(node) not in inside:
            yield node.lineno, text


def descriptions(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The strings that stand below fields and constants: help of options, and the reference."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for one, after in itertools.pairwise(body) if isinstance(body, list) else ():
            is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            if isinstance(one, ast.AnnAssign) and is_text:
                yield after.lineno, str(after.value.value)


def plainer(text: str) -> list[str]:
    """What a text says that has a plainer word, with that word."""
    text = " ".join(text.split())
    pairs = ((re.search(pattern, text), word) for pattern, word in PLAINER.items())
    return [f"{match[0]!r}: write {word!r}" for match, word in pairs if match]


MODULES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_strings_are_short_sentences_of_plain_words(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    wrong = [
        f"{path.name}:{line}: {what}"
        for line, text in texts(tree)
        if len(text.split()) > 2
        for what in (*plainer(text), *too_long(text))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_description_begins_with_what_it_describes(path):
    found = descriptions(ast.parse(path.read_text(encoding="utf-8")))
    begins = [
        f"{path.name}:{line}: {text[:60]}"
        for line, text in found
        if text.split()[0] in PREPOSITIONS.split()
    ]
    assert not begins, "\n".join(begins)


def commands(of: type = Command) -> Iterator[type]:
    """All commands, and the classes of options that they share."""
    for module in pkgutil.iter_modules(conceptbind.commands.__path__):
        importlib.import_module(f"conceptbind.commands.{module.name}")
    for found in of.__subclasses__():
        yield found
        yield from commands(found)


COMMANDS = sorted(set(commands()), key=lambda command: command.__qualname__)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__)
def test_help_is_told_in_short_sentences(command):
    texts = {option.name: option.text for option in options(command)}
    wrong = [
        f"{name}: {what}"
        for name, text in (*texts.items(), ("the command", documentation(command)))
        for what in (*too_long(re.sub("[()]", "", text), ".!?"), *plainer(text))
    ]
    assert not wrong, "\n".join(wrong)


SHARES = (0.0, 0.2, 0.45, 0.5, 0.6, 0.7, 0.9, 1.0)


def test_verdicts_of_any_numbers_are_told_in_short_sentences():
    made = [
        *(level1(v, max(v - w, 0), min(v + w, 1)) for v in SHARES for w in (0.01, 0.3)),
        *(level1(v, v, v, ceiling=c, n=9) for v in SHARES for c in (None, 0.0, 0.5)),
        *(level3(v, max(v - w, 0), min(v + w, 1)) for v in SHARES for w in (0.01, 0.3)),
        *(level3(v, v, v, ties=t, concept=v) for v in SHARES for t in (5, 336)),
    ]
    assert {(one.level, one.word) for one in made} >= {
        (level, word) for level in (1, 3) for word in ("yes", "partly", "no", "unclear")
    }
    assert [what for one in made for what in too_long(one.sentence, ".!?")] == []


TEMPLATES = sorted(SOURCE.rglob("*.j2"))


@pytest.mark.parametrize("path", [*TEMPLATES, *PAGES], ids=lambda path: path.name)
def test_pages_say_it_in_plain_words(path):
    assert plainer(path.read_text(encoding="utf-8")) == []


def test_the_changelog_says_it_in_short_sentences_of_plain_words():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert [*plainer(text), *too_long(text)] == []


RUNS = sorted((ROOT / "tests" / "reference" / "records").glob("*.json"))


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_what_a_run_prints_is_short_and_plain(path):
    sentences = json.loads(path.read_text(encoding="utf-8"))["sentences"]
    assert sentences
    wrong = [what for text in sentences for what in (*plainer(text), *too_long(text, ".!?"))]
    assert not wrong, "\n".join(wrong)


def test_odd_words_and_long_sentences_are_found():
    assert plainer("The probes read\nnothing.") == ["'probes read': write 'recognise'"]
    assert plainer("The encoder cannot read captions.") == []
    full = " ".join(["word"] * LONGEST)
    assert too_long(f"Short. One {full}. {full} ({full}). {full}.") == [f"One {full}."]
    assert too_long(f"{full}: {full}", ".") == [f"{full}: {full}"]
    assert too_long(f"{full}; {full}") == [f"{full}; {full}"]
    tree = ast.parse('class A:\n    x: int\n    """Of what."""\n    y = f"a {x} b"\n')
    assert list(descriptions(tree)) == [(3, "Of what.")]
    assert list(texts(tree)) == [(4, "a {} b"), (3, "Of what.")]
