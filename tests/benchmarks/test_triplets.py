"""Triplets of texts: both rules by hand, the controls, a repair, SugarCrepe++ with and without
pictures, and what is wrong with a user's file.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from conceptbind.benchmarks import (
    Making,
    benchmark_folders,
    benchmark_sentence,
    benchmark_table,
    check_benchmark,
    evaluate_benchmark,
)
from conceptbind.benchmarks import read_benchmark as read_with
from conceptbind.benchmarks.section import benchmark_cells, benchmark_figure, paired_tables
from conceptbind.benchmarks.texts import by_length, by_words, degenerate
from conceptbind.benchmarks.traps import traps_of
from conceptbind.benchmarks.triplets import read_triplets
from conceptbind.cli import main
from conceptbind.core.errors import ConceptBindError
from conceptbind.core.outcomes import load_outcomes
from conceptbind.repairs.labclip import Adapter
from conceptbind.report.leaderboard import Competitor, boards
from known_vectors import by_name, picture, read_benchmark, values

BOTH, ONE = "paraphrase_accuracy", "paraphrase_accuracy_one_sided"
FIVE = (
    ("0 red here", "10 here red", "90 blue"),  # right by both rules
    ("0 a", "10 b", "15 c"),  # the paraphrase is nearer to the negative than to the caption
    ("0 a", "20 d", "340 e"),  # as far to the left as to the right: a tie by both rules
    ("0 a", "10 b", "20 d"),  # a tie of the second comparison alone
    ("0 a", "50 f", "0 g"),  # the negative lies on the caption
)


class Angles:
    """The first word of a text is its angle in degrees."""

    id, revision, dimension, modalities = "angles", "1", 2, ("text",)

    def encode_texts(self, texts):
        turned = np.radians([float(text.split()[0]) for text in texts])
        return np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)


class Constant(Angles):
    """One vector for every text."""

    def encode_texts(self, texts):
        return np.ones((len(texts), 2), dtype=np.float32)


def turned(degrees):
    """An adapter that turns its captions."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return Adapter(np.array([[c, -s], [s, c]], dtype=np.float32), 0.0, {})


def triplets_file(path, rows=FIVE, header=("caption", "paraphrase", "negative"), between=","):
    lines = [between.join(line) for line in (header, *rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def five(tmp_path):
    return triplets_file(tmp_path / "mine.csv")


def evaluated(encoder, path, folder, **more):
    return evaluate_benchmark(encoder, "triplets", read_benchmark_file(path), folder, **more)


def read_benchmark_file(path):
    return read_with("triplets", path, Making(path.parent))


def test_both_rules_by_hand(five, tmp_path):
    records = evaluated(Angles(), five, tmp_path / "kept")
    found = values(records, repair="none", control="none")
    assert found == {("mine", BOTH): (0.2, 5, 2), ("mine", ONE): (0.6, 5, 1)}
    own = records.where(control="none")
    assert {(r.study, r.modality, r.level, r.scenes) for r in own} == {
        ("benchmark", "text", 2, "triplets")
    }


def test_a_constant_encoder_scores_0(five, tmp_path):
    found = values(evaluated(Constant(), five, tmp_path / "kept"), control="none")
    assert found == {("mine", BOTH): (0.0, 5, 5), ("mine", ONE): (0.0, 5, 5)}


def test_lengths_and_words_by_hand(five, tmp_path):
    """Lengths: 10, 11, 7 | 3, 4, 4 | 3, 4, 5 | 3, 4, 4 | 3, 4, 3. Words: the first caption shares
    two of three with its paraphrase, the last its angle with its negative, all others none.
    """
    records = evaluated(Angles(), five, tmp_path / "kept")
    length = values(records, control="blind_length")
    assert length["mine", ONE] == (2 / 5, 5, 2)
    assert length["mine", BOTH] == (1 / 5, 5, 1)
    words = values(records, control="bag_of_words")
    assert words["mine", ONE] == (1 / 5, 5, 3)
    assert words["mine", BOTH] == (1 / 5, 5, 3)
    assert "random_weights" not in records.distinct("control")  # `Angles` offers none


def test_the_same_words_in_another_order_tie_for_a_bag_of_words():
    alike = by_words(["A red cube, a blue ball", "a BLUE cube: a red ball!", "two red balls", "?"])
    one, two = np.array([0, 0, 0, 3]), np.array([1, 2, 3, 3])
    expected = [1.0, 1 / np.sqrt(8 * 3), 0.0, 0.0]  # a a red cube blue ball: length of 4 + 4
    assert alike(one, two) == pytest.approx(expected)
    assert by_length(["ab", "abcd"])(np.array([0]), np.array([1])) == [-2]


def test_an_adapter_maps_the_caption_that_asks_alone(tmp_path):
    """Turned by 30 degrees, the caption at 0 asks from 30, nearer to its paraphrase at 60 than to
    its negative at 320; the paraphrase asks from 90. Turning all of them would change nothing.
    """
    file = triplets_file(tmp_path / "one.csv", [("0 a", "60 b", "320 c")])
    records = evaluated(Angles(), file, tmp_path / "kept", adapter=turned(30))
    assert values(records, repair="none", control="none")["one", ONE][0] == 0
    assert values(records, repair="adapter")["one", ONE][0] == 1
    change = records.one(repair="difference", metric=BOTH)
    assert (change.value, change["fixed"], change["broken"]) == (1.0, 1, 0)
    assert (change.level, change.modality) == (2, "text")
    wide = Adapter(np.ones((3, 2), dtype=np.float32), 0.0, {})
    with pytest.raises(ConceptBindError, match="it maps to 3 dimensions, and 'angles' has 2"):
        evaluated(Angles(), file, tmp_path / "kept", adapter=wide)


def test_random_weights_stand_beside_where_the_encoder_offers_them(five, tmp_path):
    class Offers(Angles):
        def untrained(self, seed=0):
            return Untrained()

    class Untrained(Constant):
        revision = "random:0"

    done = []
    records = evaluated(Offers(), five, tmp_path / "k", on_rows=lambda part, n: done.append(n))
    assert values(records, control="random_weights")["mine", BOTH] == (0.0, 5, 5)
    head, rows = benchmark_cells(records)
    assert head[7:] == ["blind", "bag of words", "random weights", "ties", "n"]
    assert rows[0][7:] == ["20.0 %", "20.0 %", "0 %", "2", "5"]
    names = [series.name for series in benchmark_figure(records, "triplets").series]
    assert names == ["score", "blind", "bag of words", "random weights"]
    assert "random weights" in benchmark_table(records)


def test_runs_are_ranked_item_by_item_on_the_score_of_all_files(tmp_path):
    place = tmp_path / "two"
    place.mkdir()
    for name in ("a", "b"):
        rows = [(f"{n} a", f"1 {chr(200 + n)}", "90 c") for n in range(10)]
        triplets_file(place / f"{name}.csv", rows)
    runs = []
    for name, encoder in (("good", Angles()), ("blank", Constant())):
        records = evaluated(encoder, place, tmp_path / name)
        kept = {"triplets": load_outcomes(tmp_path / name)}
        runs.append(Competitor(name, records, kept))
    (board,) = boards(runs)
    assert board.title == "Level 2, usable within captions (benchmark)"
    assert [(entry.run, entry.rank, entry.record.split) for entry in board.entries] == [
        ("good", 1, "all"),
        ("blank", 2, "all"),
    ]
    (duel,) = board.duels
    assert (duel.change, duel.n, duel.basis) == (1.0, 20, "the same scenes")
    assert duel.p == pytest.approx(2 / 2**10)  # ten captions, each in two files


def test_what_is_said_of_captions_alone(tmp_path):
    right, wrong = [("0 a", "1 b", "90 c")] * 30, [("0 a", "90 c", "1 b")] * 30
    place = tmp_path / "two"
    place.mkdir()
    for name, rows in (("easy", right), ("hard", wrong)):
        # each with a paraphrase of its own, of one length: what is shared is one draw
        distinct = [(f"{a} {n}", b[:-1] + chr(300 + n), c) for n, (a, b, c) in enumerate(rows)]
        triplets_file(place / f"{name}.csv", distinct)
    said = benchmark_sentence(evaluated(Angles(), place, tmp_path / "kept"))
    assert said == (
        "Level 2, captions alone (triplets): the paraphrase is nearer than the wrong caption "
        "in easy 100 %, hard 0 %, all 50.0 % of the items. Chance is 33.3 %: 2 of 3 scores "
        "clearly above it, 1 clearly below (hard). Not clearly above the strongest control: "
        "hard: blind by length 0 %."
    )


def test_what_says_less_than_it_seems_to_is_named():
    rows = [("a", "b", "c"), ("a", "a", "c"), ("a", "b", "a"), ("a", "b", "b")]
    wrong, same = degenerate(rows, "mine")
    assert wrong.startswith("mine: in 2 of 4 items the wrong caption equals a true one")
    assert same.startswith("mine: in 1 of 4 items caption and paraphrase are one text")
    assert degenerate(rows[:1], "mine") == ()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "caption,paraphrase,negative\nx y,z,w\n"),
        ("a.csv", "id;Caption2;caption;negative_caption\n1;z;x y;w\n"),
        ("a.tsv", "negative\tcaption\tparaphrase\nw\tx y\tz\n"),
        ("a.json", '[{"caption": "x y", "caption2": "z", "negative_caption": "w", "id": 3}]'),
        ("a.json", '{"7": {"caption": "x y", "caption2": "z", "negative_caption": "w"}}'),
        ("a.jsonl", '{"caption": "x y ", "paraphrase": " z", "negative": "w"}\n\n'),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_of_every_form(tmp_path, name, content, encoding):
    (tmp_path / name).write_text(content, encoding=encoding)
    assert read_triplets(tmp_path / name) == [("x y", "z", "w")]
    data = read_benchmark_file(tmp_path / name)
    assert data.items["subsets"].tolist() == ["a"]


HEAD = "caption,paraphrase,negative\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "caption,negative\nx,y\n", r"no column 'paraphrase' \(or 'caption2'\).*it has"),
        ("a.csv", f"{HEAD}x,,z\n", "row 1: the paraphrase is missing; fill it in"),
        ("a.csv", f"{HEAD}x,y,z\nx,y,NaN\n", "row 2: the negative is missing"),
        ("a.csv", "caption,caption,negative\nx,y,z\n", "duplicate column names"),
        ("a.csv", "caption,Caption,paraphrase,negative\nx,y,z,w\n", "in their capitals only"),
        ("a.csv", "caption,paraphrase,caption2,negative\nx,y,z,w\n", "both paraphrase and capt"),
        ("a.csv", HEAD, "expected a header line and at least one row|has a header and no rows"),
        ("a.csv", "", "is empty"),
        ("a.csv", f"{HEAD}x,y\n", "line 2: expected 3 cells"),
        ("a.csv", f"{HEAD}x,y,{'z' * 200_000}\n", "could not read the table"),
        ("a.json", '[{"caption": "x", "paraphrase": NaN, "negative": "z"}]', "item 1: the par"),
        ("a.json", '[{"caption": "x", "paraphrase": 3, "negative": "z"}]', "must be text; got 3"),
        ("a.json", '[{"caption": "x", "paraphrase": null, "negative": "z"}]', "is missing"),
        ("a.json", '[{"caption": "x", "paraphrase": "y"}]', "item 1, has no column 'negative'"),
        ("a.json", "[]", "expected a list of objects"),
        ("a.json", '{"caption": ["x"]}', "expected a list of objects"),
        ("a.json", "{}", "expected a list of objects"),
        ("a.json", '[{"caption": "x"', "truncated"),
        ("a.json", '[{"caption": "x", "caption": "y"}]', "'caption' twice"),
        ("a.jsonl", '{"caption": "x"}\n{"caption"\n', "line 2 is not valid JSON"),
        ("a.jsonl", r'{"caption": "\ud800", "paraphrase": "y", "negative": "z"}', "surrogate"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(ConceptBindError, match=message) as raised:
        read_benchmark_file(tmp_path / name)
    assert "\n" not in str(raised.value)
    assert str(tmp_path / name) in str(raised.value)


def test_traps_are_the_widest_misses_of_each_file(tmp_path):
    rows = [
        ("0 a", "10 b", "5 c"),  # missed by less than the next: cos 5 over cos 10
        ("0 a", "60 b", "30 c"),
        ("0 a", "10 b", "90 c"),  # right
        ("0 a", "80 b", "0 a"),  # no negative
    ]
    data = read_benchmark_file(triplets_file(tmp_path / "mine.csv", rows))
    unit = Angles().encode_texts(data.captions)
    wide, narrow = traps_of(data, unit)
    assert (wide.subset, wide.caption, wide.paraphrase, wide.negative) == ("mine", *rows[1])
    assert (wide.near, wide.far) == (pytest.approx(0.5), pytest.approx(np.cos(np.pi / 6)))
    assert narrow.negative == "5 c"
    assert traps_of(data, unit, each=1) == (wide,)
    assert wide.cells() == ("mine", *rows[1], "0.500", "0.866")


def test_a_folder_of_files_and_one_without(tmp_path):
    with pytest.raises(ConceptBindError, match="holds no file of triplets; expected your own"):
        read_benchmark_file(tmp_path)
    triplets_file(tmp_path / "a.csv")
    triplets_file(tmp_path / "b.csv", FIVE[:2])
    data = read_benchmark_file(tmp_path)
    records = evaluate_benchmark(Angles(), "triplets", data, tmp_path / "kept")
    found = values(records, control="none")
    assert found["a", BOTH] == (0.2, 5, 2)
    assert found["b", BOTH] == (0.5, 2, 0)
    assert found["all", BOTH] == (2 / 7, 7, 2)
    triplets_file(tmp_path / "all.csv")
    with pytest.raises(ConceptBindError, match="'all' of .* needs another name"):
        read_benchmark_file(tmp_path)


def test_only_a_benchmark_of_ones_own_file_takes_a_file(five):
    assert benchmark_folders(["triplets"], five) == {"triplets": five}
    with pytest.raises(ConceptBindError, match=r"must be a folder .*; only triplets"):
        benchmark_folders(["sugarcrepe_pp"], five)
    with pytest.raises(ConceptBindError, match="must be a folder"):
        benchmark_folders(["triplets", "coco"], five)
    with pytest.raises(ConceptBindError, match="must be a file or its folder; there is no .*none"):
        benchmark_folders(["triplets"], five / "none")
    (there,) = check_benchmark("triplets", five)
    assert (there.path, there.there) == (five, True)


@pytest.fixture
def plus(tmp_path):
    """SugarCrepe++'s files of five items, with pictures; the captions' first character is their
    axis.
    """
    items = {
        "swap_att": [
            ("a.png", "0 one", "0 two", "1 three"),  # both rules, and the picture
            ("b.png", "1 one", "2 two", "3 three"),  # ties of texts, and of the picture
            ("b.png", "1 one", "1 five", "0 four"),  # both, and the picture
        ],
        "replace_rel": [
            ("c.png", "0 one", "0 two", "2 six"),  # texts right, picture wrong
            ("c.png", "0 one", "0 two", "0 one"),  # a negative that is the caption: ties
        ],
    }
    folder = tmp_path / "sugarcrepe_pp"
    folder.mkdir()
    fields = ("filename", "caption", "caption2", "negative_caption")
    for name, rows in items.items():
        entries = [{"id": n, **dict(zip(fields, row, strict=True))} for n, row in enumerate(rows)]
        (folder / f"{name}.json").write_text(json.dumps(entries))
    for level, name in enumerate(("a.png", "b.png", "c.png")):
        picture(folder / "val2017", name, level)
    return folder


def test_sugarcrepe_pp_by_hand(plus, tmp_path):
    data = read_benchmark("sugarcrepe_pp", plus)
    assert len(data.pictures) == 3
    assert data.notes[0].startswith("without swap_obj, replace_obj, replace_att")
    assert data.notes[1].startswith("replace_rel: in 1 of 2 items the wrong caption equals a true")
    assert len(data.notes) == 2
    records = evaluate_benchmark(by_name(), "sugarcrepe_pp", data, tmp_path / "kept")
    found = values(records, control="none")
    assert found["swap_att", BOTH] == (2 / 3, 3, 1)
    assert found["replace_rel", BOTH] == (1 / 2, 2, 1)
    assert found["all", BOTH] == found["all", ONE] == (3 / 5, 5, 2)
    assert found["swap_att", "accuracy"] == (2 / 3, 3, 1)
    assert found["replace_rel", "accuracy"] == (0.0, 2, 1)
    assert found["all", "accuracy"] == (2 / 5, 5, 2)
    by_modality = {(r.modality, r.level, r.metric) for r in records}
    assert by_modality == {("both", None, "accuracy"), ("text", 2, BOTH), ("text", 2, ONE)}
    # Of pictures and of texts, each beside its own controls.
    assert {r.control for r in records if r.metric == "accuracy"} == {
        *("none", "blind_length", "blind_norm", "blind_plausibility", "blind_surface"),
    }
    assert {r.control for r in records if r.metric == BOTH} == {
        *("none", "blind_length", "bag_of_words", "blind_plausibility", "blind_surface"),
    }


def test_without_pictures_the_texts_are_scored_alone(plus, tmp_path):
    """And the run is on the same questions as one with pictures."""
    whole = read_benchmark("sugarcrepe_pp", plus)
    blind = read_with("sugarcrepe_pp", plus, Making(plus, pictures=False))
    assert "the text-only task alone: no pictures are embedded by the encoder." in blind.notes
    (plus / "val2017" / "b.png").unlink()
    with pytest.raises(ConceptBindError, match="1 of 3 pictures are not in"):
        read_benchmark("sugarcrepe_pp", plus)
    part = read_benchmark("sugarcrepe_pp", plus, allow_missing=True)
    assert any("2 items left out for want of them" in note for note in part.notes)
    for path in (plus / "val2017").iterdir():
        path.unlink()
    bare = read_benchmark("sugarcrepe_pp", plus)
    assert any("no pictures lie in the folder" in note for note in bare.notes)
    assert bare.pictures == blind.pictures == ()
    assert whole.hash == blind.hash == part.hash == bare.hash
    other = replace(whole, captions=(*whole.captions[:-1], "another"))
    assert other.hash != whole.hash
    for path, level in (("a.png", 0), ("c.png", 2)):
        picture(plus / "val2017", path, level)
    runs = {}
    for name, data in (("part", part), ("bare", bare)):
        kept = tmp_path / name
        found = values(evaluate_benchmark(by_name(), "sugarcrepe_pp", data, kept), control="none")
        assert found["all", BOTH] == (3 / 5, 5, 2)
        assert found.get(("all", "accuracy")) == {"part": (1 / 3, 3, 1)}.get(name)
        runs[name] = {"sugarcrepe_pp": load_outcomes(kept)}
    for level, path in enumerate(("a.png", "b.png", "c.png")):
        picture(plus / "val2017", path, level)
    evaluate_benchmark(by_name(), "sugarcrepe_pp", whole, tmp_path / "whole")
    runs["whole"] = {"sugarcrepe_pp": load_outcomes(tmp_path / "whole")}
    (table,) = paired_tables(runs)
    pictures = [row for row in table.rows if row[:2] == ("all", "accuracy")]
    assert [row[4:6] + row[7:9] for row in pictures] == [
        ("part", "33.3 %", "3", "-"),
        ("whole", "40.0 %", "5", "+0.0 points (-100.0 to +100.0)"),
    ]


def test_encoders_are_asked_for_what_a_benchmark_needs_alone(five, tmp_path):
    with pytest.raises(
        ConceptBindError,
        match=r"coco needs an encoder of pictures and captions; "
        r"'angles' encodes text; of captions alone are sugarcrepe_pp, triplets",
    ):
        evaluate_benchmark(Angles(), "coco", read_benchmark_file(five), tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "expected a list of items"),
        ('[{"filename": "a", "caption": "x", "caption2": "y"}]', "an entry has only filename"),
        ('[{"filename": "a", "caption": "x", "caption2": 3, "negative_caption": "z"}]', "text"),
        ("", "is empty"),
    ],
)
def test_wrong_files_of_sugarcrepe_pp_are_named(tmp_path, content, message):
    (tmp_path / "swap_att.json").write_text(content)
    with pytest.raises(ConceptBindError, match=message):
        read_benchmark("sugarcrepe_pp", tmp_path)


def test_no_file_of_sugarcrepe_pp(tmp_path):
    with pytest.raises(ConceptBindError, match=r"none of SugarCrepe\+\+'s files \(swap_obj.json"):
        read_benchmark("sugarcrepe_pp", tmp_path)


def test_the_command(five, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "angles.py").write_text(
        "import numpy as np\n"
        "class Angles:\n"
        "    id, revision, dimension, modalities = 'angles', '1', 2, ('text',)\n"
        "    def encode_texts(self, texts):\n"
        "        turned = np.radians([float(text.split()[0]) for text in texts])\n"
        "        return np.stack([np.cos(turned), np.sin(turned)], 1).astype('float32')\n"
        "    def encode_images(self, images): raise NotImplementedError\n"
        "def make(): return Angles()\n"
    )
    asked = ["evaluate", "py:angles:make", "--data", str(five)]
    assert main([*asked, "--benchmark", "triplets", "--out", "run"]) == 0
    printed = capsys.readouterr().out
    assert "bag of words" in printed
    assert "20.0 %" in printed
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Bag of words" in page
    assert "the more alike in length, the nearer" in page
    assert "0 pictures" not in page
    assert "Traps of triplets" in page
    assert main(["report", "run"]) == 0
    capsys.readouterr()
    gate = [*asked, "--benchmark", "triplets", "--out", "run", "--require"]
    assert main([*gate, "within.text.mine>=20%"]) == 0
    assert main([*gate, "within.text.mine>=21%"]) == 1
    printed = capsys.readouterr().out
    assert "came 20.0 % in paraphrase accuracy (text, triplets, mine)" in printed
    assert main([*gate, "paraphrase_accuracy_one_sided.triplets>=0.6"]) == 0
    capsys.readouterr()
    assert main([*asked, "--benchmark", "coco"]) == 2
    assert "only triplets" in capsys.readouterr().err
    assert main([*asked[:-1], str(tmp_path), "--benchmark", "coco"]) == 2
    assert "coco needs an encoder of pictures and captions" in capsys.readouterr().err


@pytest.mark.long
def test_minilm_on_the_published_files(shared_data, minilm_folder, tmp_path):
    """Against figures that were measured independently of this project."""
    from conceptbind.encoders import resolve

    data = read_with("sugarcrepe_pp", shared_data / "sugarcrepe_pp", Making(tmp_path))
    records = evaluate_benchmark(resolve("minilm"), "sugarcrepe_pp", data, tmp_path / "kept")
    found = values(records, control="none")
    assert (round(found["swap_obj", BOTH][0], 3), found["swap_obj", BOTH][1]) == (0.143, 245)
    assert (round(found["replace_att", BOTH][0], 3), found["replace_att", BOTH][1]) == (0.650, 788)
