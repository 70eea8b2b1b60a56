"""Published files that no one here wrote, read whole; nothing of them is part of the project."""

from __future__ import annotations

import ast
import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from conceptbind.benchmarks import BENCHMARKS, Making, evaluate_benchmark
from conceptbind.benchmarks.blind import blind_baselines
from conceptbind.benchmarks.declared import own_benchmark
from conceptbind.benchmarks.registry import benchmarks_at_hand
from conceptbind.benchmarks.texts import alike
from conceptbind.core.errors import ConceptBindError
from conceptbind.repairs.negatives import read_negclip
from known_vectors import AXES, ByName, read_benchmark

PAGE = Path(__file__).parents[2] / "docs/howto/benchmark.md"


def linked(folder, name, source):
    """A published file under its published name."""
    folder.mkdir(exist_ok=True)
    (folder / name).symlink_to(source)
    return folder


def test_cola_has_210_items_of_218_pictures(shared_data, tmp_path):
    file = shared_data / "cola_multi.json"
    folder = linked(tmp_path / "cola", "COLA_multiobjects_matching_benchmark.json", file)
    data = BENCHMARKS["cola"].read(folder, Making(tmp_path))
    content = json.loads(file.read_text())
    assert len(data.items["rows"]) == len(content) == 210
    assert len(data.pictures) == 218
    assert data.pictures[0] == "2390970.jpg"
    told = [[row[0], row[1], row[2], row[3]] for row in content]
    places = data.items["rows"]
    for n in (0, 57, 209):
        assert [data.captions[k] for k in places[n, 2:]] == [told[n][1], told[n][3]]
        assert [data.pictures[k] for k in places[n, :2]] == [
            told[n][0].rsplit("/", 1)[1],
            told[n][2].rsplit("/", 1)[1],
        ]
    assert not data.items["hopeless"].any()


def test_what_the_files_are_called_is_found_by_all(shared_data):
    """The first lines of ABC-6K, and COLA's file; all lie in one folder with those of others."""
    folders, missing = benchmarks_at_hand(shared_data)
    assert {folders["abc6k"], folders["cola"]} == {shared_data}
    assert "nevir" in missing
    data = BENCHMARKS["abc6k"].read(shared_data, Making(shared_data / "made"))
    assert len(data.items["rows"]) == 500


def test_the_table_of_negclip_is_read_as_the_page_says(shared_data, tmp_path):
    """753 wrong captions of 500 captions, one of each picture, and no paraphrases."""
    file = shared_data / "negclip_captions.tsv"
    told = re.findall(r"```yaml\n(name: negclip.*?)```", PAGE.read_text(), re.S)
    (tmp_path / "negclip.yaml").write_text(told[0])
    benchmark = own_benchmark(tmp_path / "negclip.yaml")
    data = benchmark.read(shared_data, Making(tmp_path / "made"))
    with file.open(encoding="utf-8", newline="") as lines:
        cells = [row["neg_caption"] for row in csv.DictReader(lines, delimiter="\t")]
    assert len(data.items["rows"]) == 753 == sum(len(ast.literal_eval(cell)) for cell in cells)
    caption, _, swap = data.items["rows"][0]
    assert data.captions[caption].startswith("A child holding a flowered umbrella")
    assert data.captions[swap].startswith("A umbrella holding a flowered child")
    assert len(set(data.items["draws"].tolist())) <= 500
    for name in ("triplets", "paraphrases"):
        with pytest.raises(ConceptBindError, match="as NegCLIP's table; describe it as a bench"):
            BENCHMARKS[name].read(file, Making(tmp_path / "made"))


def test_abc6k_is_read_whole_and_its_spelling_gives_the_swaps_away(shared_data, tmp_path):
    """500 pairs; a caption that one looks at without reading it is told from its swap by " ."."""
    file = shared_data / "abc6k_first_1000_lines.txt"
    folder = linked(tmp_path / "abc6k", "ABC-6K.txt", file)
    data = BENCHMARKS["abc6k"].read(folder, Making(tmp_path))
    lines = file.read_text().splitlines()
    assert len(data.items["rows"]) == len(lines) // 2 == 500
    equal = sum(alike(one, two) for one, two in zip(lines[::2], lines[1::2], strict=True))
    assert data.items["hopeless"].sum() == equal > 0
    assert any(f"in {equal} of 500 items" in note for note in data.notes)
    by = {one.control: one.values for one in blind_baselines(lines)}
    told = by["blind_surface"]
    assert (told[::2] > told[1::2]).mean() > 0.7  # the natural line looks natural
    one = AXES[0]
    records = evaluate_benchmark(
        ByName(lambda text: one, lambda level: one), "abc6k", data, tmp_path / "kept"
    )
    found = records.one(control="none", split="all")
    assert (found.value, found.ties, found["unwinnable"]) == (0.0, 500, equal)


def test_sugarcrepe_pp_is_read_whole(shared_data):
    data = read_benchmark("sugarcrepe_pp", shared_data / "sugarcrepe_pp")
    subsets, counts = np.unique(data.items["subsets"], return_counts=True)
    assert dict(zip(subsets.tolist(), counts.tolist(), strict=True)) == {
        "swap_obj": 245,
        "replace_att": 788,
    }
    assert any("swap_obj: in 2 of 245 items" in note for note in data.notes)
    assert any("replace_att: in 1 of 788 items" in note for note in data.notes)


def test_sugarcrepe_is_read_whole(shared_data):
    data = BENCHMARKS["sugarcrepe"].read(shared_data / "sugarcrepe", Making(shared_data))
    subsets, counts = np.unique(data.items["subsets"], return_counts=True)
    assert dict(zip(subsets.tolist(), counts.tolist(), strict=True)) == {
        "add_att": 692,
        "replace_rel": 1406,
        "swap_obj": 245,
    }


def test_negclip_captions_are_read_as_literals(shared_data, tmp_path):
    """The table that NegCLIP was trained on, as a description of a user's own."""
    from conceptbind.benchmarks.declared import benchmark_of
    from conceptbind.benchmarks.description import described

    told = {
        **{"name": "negclip", "title": "NegCLIP", "published": "p", "licence": "MIT"},
        **{"form": "captions", "files": ["negclip_captions.tsv"], "pictures": ["filepath"]},
        **{"captions": ["title", "neg_caption[]"], "literals": ["neg_caption"], "places": ["."]},
    }
    file = shared_data / "negclip_captions.tsv"
    linked(tmp_path, "negclip_captions.tsv", file)
    data = benchmark_of(described(told, "here")).read(tmp_path, Making(tmp_path))
    written = read_negclip(file)
    texts = {data.captions[row[1]] for row in data.items["rows"]}
    assert {caption for caption, _ in written.pairs} <= texts
    assert len(data.items["rows"]) >= len(written.pairs)


def test_runs_of_earlier_versions_stay_comparable(shared_data):
    """What was read before these two benchmarks became descriptions has the same hash now."""
    told = {
        "sugarcrepe": "964d3cc9bc304ac3d9cf456cf518290b7ccd8b90a25a5731cc2873d8f11d1225",
        "sugarcrepe_pp": "472a9e723f3530aea642529277f4cab42da0696839fe893211780dcc7a1d9372",
    }
    for name, before in told.items():
        found = BENCHMARKS[name].read(shared_data / name, Making(shared_data, pictures=False))
        assert found.hash == before
