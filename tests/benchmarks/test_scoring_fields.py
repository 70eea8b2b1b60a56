"""What a description may say of the items that a rule counts, by hand on a few of a user's own."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from conceptbind.benchmarks import Making
from conceptbind.benchmarks.declared import benchmark_of
from conceptbind.benchmarks.description import described
from conceptbind.core.errors import ConceptBindError
from known_vectors import AXES
from published_layouts import inside, write_parquet

HEAD = {
    **{"name": "mine", "title": "t", "published": "p", "licence": "l", "form": "captions"},
    **{"files": ["items.json"], "pictures": ["photo"], "captions": ["right", "wrong"]},
}
ITEMS = (
    ("0.png", "0 a", "1 b", "hat"),  # right
    ("0.png", "1 c", "0 d", "hat"),  # wrong
    ("0.png", "0 a", "1 b", "hat"),  # the first once more
    ("1.png", "1 e", "1 f", "coat"),  # a tie
    ("1.png", "1 g", "0 h", "shoe"),  # right
)


def entries(**further):
    keys = ("photo", "right", "wrong", "kind")
    found = [dict(zip(keys, item, strict=True)) for item in ITEMS]
    for name, cells in further.items():
        for entry, cell in zip(found, cells, strict=True):
            if cell is not ...:
                entry[name] = cell
    return found


def read(folder, items, **told):
    benchmark = benchmark_of(described({**HEAD, **told}, "mine.yaml"))
    (folder / "items.json").write_text(json.dumps(items))
    return benchmark, benchmark.read(folder, Making(folder / "made", unpack=False))


def scored(folder, items, **told):
    """Value, n and ties by rule and subset."""
    benchmark, data = read(folder, items, **told)
    pictures = AXES[[int(name[0]) for name in data.pictures]]
    captions = AXES[[int(text[0]) for text in data.captions]]
    scores = benchmark.score(data.items, pictures, captions)
    assert len({(s.protocol, s.subset) for s in scores}) == len(scores)
    return {(s.protocol, s.subset): (s.value, s.n, int(s.tied.sum())) for s in scores}


def rule(**told):
    return {"scores": [{"protocol": "own", "of": "all", **told}]}


def test_distinct_items_count_once(tmp_path):
    found = scored(tmp_path, entries(), **rule(distinct=True))
    assert found["strict", "all"] == (3 / 5, 5, 1)
    assert found["own", "all"] == (2 / 4, 4, 1)
    # as our own rule it takes the place of that without it
    ours = {"protocol": "strict", "of": "all", "distinct": True}
    assert scored(tmp_path, entries(), scores=[ours]) == {("strict", "all"): (2 / 4, 4, 1)}


def test_equal_captions_of_which_another_is_right_are_other_items(tmp_path):
    items = [{"photo": "0.png", "right": "0 a", "wrong": "1 b", "which": n} for n in (0, 1, 0)]
    found = scored(tmp_path, items, right="which", **rule(distinct=True))
    assert found["own", "all"] == (1 / 2, 2, 0)


def test_subsets_of_few_items_do_not_count(tmp_path):
    told = {"average": "macro", "fewest": 2, "called": "kinds of two"}
    found = scored(tmp_path, entries(), subset="kind", **rule(**told))
    assert found["own", "kinds of two"] == (pytest.approx(2 / 3), 3, 0)
    assert found["strict", "coat"] == (0.0, 1, 1)
    told["fewest"] = 9
    assert "own" not in {key for key, _ in scored(tmp_path, entries(), **rule(**told))}


def test_subsets_are_left_out_by_name(tmp_path):
    told = {"average": "macro", "without": ["hat"], "called": "no hats"}
    found = scored(tmp_path, entries(), subset="kind", **rule(**told))
    assert found["own", "no hats"] == ((0 + 1) / 2, 2, 1)


def test_rules_of_one_protocol_are_told_apart_by_what_their_items_are_called(tmp_path):
    one = {"protocol": "own", "of": "all", "called": "all but hats", "without": ["hat"]}
    found = scored(tmp_path, entries(), subset="kind", scores=[one, {**one, "called": "again"}])
    assert found["own", "all but hats"] == found["own", "again"] == (1 / 2, 2, 1)


def test_what_is_scored_first_stands_once(tmp_path):
    """Of a single subset our rule of all items is that of the subset."""
    whole = {"all": (3 / 5, 5, 1)}
    one = [{**entry, "kind": "hat"} for entry in entries()]
    for order, kinds, wanted in (
        (["each", "all"], one, {"hat": whole["all"]}),
        (["all", "each"], one, {**whole, "hat": whole["all"]}),
        (["all"], one, whole),
        (["all", "each"], [{**entry, "kind": ""} for entry in entries()], whole),
    ):
        found = scored(tmp_path, kinds, subset="kind", strict=order)
        assert found == {("strict", subset): told for subset, told in wanted.items()}


def test_a_subset_may_be_lacking(tmp_path):
    items = entries(group=("x", ..., None, "x", "x"))
    found = scored(tmp_path, items, subset="group?")
    assert found == {("strict", "x"): (2 / 3, 3, 1), ("strict", "all"): (3 / 5, 5, 1)}
    with pytest.raises(ConceptBindError, match="item 2: expected the field 'group'"):
        scored(tmp_path, items, subset="group")


def test_no_two_items_share_an_id(tmp_path):
    assert scored(tmp_path, entries(key=(1, ..., None, "2", ...)), id="key")
    with pytest.raises(ConceptBindError, match=r"items\.json has the id 1 twice; every item must"):
        scored(tmp_path, entries(key=(1, 2, 3, 4, "1")), id="key")


def test_a_box_is_cut_to_whole_pixels(tmp_path):
    sides = {"x": 1.9, "y": "2", "w": 3, "h": 4.2}
    _, data = read(tmp_path, [{**entries()[0], **sides}], box=[*sides])
    assert data.boxes == ((1, 2, 3, 4),)
    with pytest.raises(ConceptBindError, match=r"item 1: the box of images/0\.png is not four num"):
        read(tmp_path, [{**entries()[0], **sides, "x": "left"}], box=[*sides])


def test_pictures_inside_a_table_are_called_by_their_rows(tmp_path):
    pytest.importorskip("pyarrow")
    rows = [{"one": inside(n), "two": inside(n + 1), "a": "0", "b": "1"} for n in (0, 1, 2)]
    write_parquet(tmp_path / "items.parquet", rows)
    told = {"form": "two_by_two", "files": ["items.parquet"], "captions": ["a", "b"]}
    told = {**HEAD, **told, "pictures": ["one", "two"]}
    names = {}
    for by_row in (True, False):
        benchmark = benchmark_of(described({**told, "by_row": by_row}, "mine.yaml"))
        data = benchmark.read(tmp_path, Making(tmp_path / "made"))
        names[by_row] = data.pictures
        # known by their names alone, wherever the folder of the run is moved
        assert (data.folder, dict(data.elsewhere)) == (tmp_path / "made/mine", {})
    assert names[True] == ("000000-one", "000000-two", "000001-two", "000002-two")
    assert names[False] == ("000000-one", "000001-two", "000002-two", "000003-two")


def test_the_hash_knows_items_by_other_names(tmp_path):
    _, data = read(tmp_path, entries(), subset="kind", hashed={"subsets": "groups"})
    items = dict(data.items)
    items["groups"] = items.pop("subsets")
    assert replace(data, items=items, hashed={}).hash == data.hash
    _, other = read(tmp_path, entries(), subset="kind")
    assert other.hash != data.hash
    drawn = read(tmp_path, entries(), subset="kind", hashed={"draws": "files"})[1]
    changed = {**drawn.items, "draws": np.zeros(5, dtype=np.int64)}
    assert replace(drawn, items=changed).hash != drawn.hash


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (rule(fewest=0), "'fewest' must be at least 1; got 0"),
        (rule(of="each", called="x"), "is a name for one set of items; give it 'of: all'"),
        (rule(distinct="yes"), "distinct: expected true or false; got 'yes'"),
        ({"hashed": {"rows": "x"}}, "unknown name in 'hashed' 'rows'"),
    ],
)
def test_a_mistake_in_them_is_told(tmp_path, told, said):
    with pytest.raises(ConceptBindError) as error:
        described({**HEAD, **told}, "mine.yaml")
    assert said in str(error.value)
    assert "\n" not in str(error.value)
