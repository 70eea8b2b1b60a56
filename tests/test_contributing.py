"""CONTRIBUTING.md keeps its word: its examples run as they stand there, and what it says of
versions is so.
"""

from __future__ import annotations

import importlib
import json
import re
import tomllib

import numpy as np
import pytest
import yaml
from PIL import Image

import conceptbind
from conceptbind.benchmarks import BENCHMARKS
from conceptbind.cli import main
from conceptbind.core.errors import MismatchError
from documented import ROOT, documented

BLOCKS = list(documented(ROOT / "CONTRIBUTING.md"))


def block(start: str) -> str:
    """The one block of Python that holds a line."""
    (found,) = (found.text for found in BLOCKS if found.kind == "python" and start in found.text)
    return found


def command(start: str) -> list[str]:
    """The words of the one command that begins so."""
    (found,) = (found.text for found in BLOCKS if found.text.startswith(start))
    return found.split()[1:]


@pytest.mark.slow
def test_an_encoder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "letters.py").write_text(block("class Letters"))
    assert main([*command("conceptbind measure py:letters"), "--out", "run"]) == 0
    records = json.loads((tmp_path / "run" / "results.json").read_text())["records"]
    (read,) = (
        record
        for record in records
        if record["study"] == "probe"
        and record["metric"] == "object_recognition"
        and record["control"] == "none"
    )
    assert read["encoder"] == "letters"
    assert read["value"] < 0.5  # a caption and its swap are one to it


@pytest.fixture
def pairs(tmp_path, monkeypatch):
    """A folder in the layout of the benchmark, and the benchmark among the others."""
    names: dict = {}
    exec(compile(block("class Pairs"), "CONTRIBUTING.md", "exec"), names)
    monkeypatch.setitem(BENCHMARKS, "pairs", names["Pairs"]())
    folder = tmp_path / "data"
    folder.mkdir()
    entries = []
    for i, (true, false) in enumerate([("red square", "blue circle"), ("blue star", "red ring")]):
        Image.fromarray(np.full((32, 32, 3), 90 * i, dtype=np.uint8)).save(folder / f"{i}.png")
        entries += [
            {"image": f"{i}.png", "caption": f"a {true}", "false_caption": f"a {false}"},
            {"image": f"{i}.png", "caption": f"a {true}", "false_caption": f"a {true}"},
        ]
    (folder / "pairs.json").write_text(json.dumps(entries))
    return folder


def test_a_benchmark(pairs, tmp_path, capsys):
    command = ["evaluate", "tiny", "--benchmark", "pairs", "--data", str(pairs)]
    assert main([*command, "--out", str(tmp_path / "run")]) == 0
    records = json.loads((tmp_path / "run" / "results.json").read_text())["records"]
    (score,) = (
        record
        for record in records
        if record["metric"] == "accuracy" and record["control"] == "none"
    )
    assert score["n"] == 4
    assert score["ties"] == 2  # the captions that are their own false ones, which are misses
    assert score["value"] in (0, 0.25, 0.5)
    assert main([*command, "--check"]) == 0
    assert "pictures: 2 of 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "said"), [({}, "expected a list of items"), ([{"image": "0.png"}], "caption")]
)
def test_a_benchmark_of_another_form_says_so(pairs, content, said):
    (pairs / "pairs.json").write_text(json.dumps(content))
    with pytest.raises(MismatchError, match=said):
        BENCHMARKS["pairs"].read(pairs, None)


def test_a_study(tmp_path, monkeypatch):
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "order.py").write_text(block("class Order"))
    described = tmp_path / "my_package-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (group, points) = tomllib.loads(text.partition("```toml")[2].partition("```")[0])["project"][
        "entry-points"
    ].popitem()
    lines = [f"[{group}]", *(f"{name} = {where}" for name, where in points.items())]
    (described / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    importlib.invalidate_caches()
    chosen = re.search(r"`(--studies order)`", text)[1].split()
    assert (
        main(["measure", "tiny", *chosen, "--modality", "text", "--no-controls", "--out", "run"])
        == 0
    )
    found = json.loads((tmp_path / "run" / "results.json").read_text())
    (record,) = found["records"]
    assert (record["study"], record["metric"], record["n"]) == ("order", "order_cosine", 276)
    assert 0.5 < record["value"] < 1
    (sentence,) = found["sentences"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert sentence.startswith("A caption and its other order have a cosine of 0.")
    assert '<h2 id="order">Order of mention ' in page


def test_the_changelog_is_dated_and_the_version_is_one():
    heads = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert heads[0] == "Unreleased"
    dated = [re.fullmatch(r"(\d+)\.(\d+)\.(\d+) \(\d{4}-\d{2}-\d{2}\)", head) for head in heads[1:]]
    assert None not in dated, heads
    released = [tuple(map(int, head.groups())) for head in dated if head]
    assert released == sorted(released, reverse=True)
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == conceptbind.__version__
    assert {part["url"].rpartition("/")[2] for part in cited["references"]} == {
        "2605.31503",
        "2502.03566",
    }


def test_every_room_is_in_the_picture():
    picture = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("```mermaid")[2]
    drawn = set(re.findall(r"\b[a-z]+\b", picture.partition("```")[0]))
    rooms = {path.parent.name for path in (ROOT / "src" / "conceptbind").glob("*/__init__.py")}
    assert rooms <= drawn, rooms - drawn


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.yml")), ids=str)
def test_templates_are_yaml(path):
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert path.name == "config.yml" or {"name", "description", "body"} <= set(content)
