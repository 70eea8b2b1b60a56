"""Benchmarks by hand: five items each, ties, wrong files, missing pictures; the real files read
whole; the command line.
"""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from PIL import Image

from conceptbind.benchmarks import BENCHMARKS, Making, Score, evaluate_benchmark
from conceptbind.cli import main
from conceptbind.core.errors import ConceptBindError
from conceptbind.core.outcomes import mean_of, paired
from conceptbind.repairs.labclip import Adapter, save_adapter
from known_vectors import AXES, ByName, by_name, picture, read_benchmark, values


@pytest.fixture
def sugarcrepe(tmp_path):
    """Five items: right, wrong, tied, right, and one with the same words in another order."""
    folder = tmp_path / "sugarcrepe"
    items = {
        "swap_obj": {
            "0": ("a.png", "0 a dog and a cat", "1 a cat and a dog"),
            "7": ("b.png", "0 men by a horse", "1 a horse by men"),
            "9": ("a.png", "0 red here", "0 there red"),
        },
        "swap_att": {
            "3": ("c.png", "2 a big dog, a small cat", "3 a small dog, a big cat"),
            "4": ("c.png", "2 x y z", "2 z Y x."),
        },
    }
    for subset, entries in items.items():
        content = {
            key: dict(zip(("filename", "caption", "negative_caption"), entry, strict=True))
            for key, entry in entries.items()
        }
        folder.mkdir(exist_ok=True)
        (folder / f"{subset}.json").write_text(json.dumps(content))
    for level, name in enumerate(("a.png", "b.png", "c.png")):
        picture(folder / "val2017", name, level)
    return folder


def test_sugarcrepe_by_hand(sugarcrepe, tmp_path):
    data = read_benchmark("sugarcrepe", sugarcrepe)
    assert len(data.pictures) == 3  # each once, though items name them five times
    records = evaluate_benchmark(by_name(), "sugarcrepe", data, tmp_path / "kept")
    found = values(records, repair="none", control="none")
    # Pictures a, b, c lie on axes 0, 1, 2. swap_obj: 0 beats 1; b lies on axis 1, so its true
    # caption (axis 0) loses; a tie.
    assert found["swap_obj", "accuracy"] == (1 / 3, 3, 1)
    assert found["swap_att", "accuracy"] == (0.5, 2, 1)
    # the paper's macro over subsets
    assert found["swap", "accuracy"] == (
        pytest.approx((1 / 3 + 1 / 2) / 2),
        5,
        2,
    )
    assert found["all", "accuracy"] == (4 / 5, 5, 2)  # of equals mteb takes the true one
    # "0 men by a horse" and "1 a horse by men" differ in their first word here, which stands for
    # the vector.
    assert found["same words", "accuracy"] == (0.0, 1, 1)
    assert any("without add_att" in note for note in data.notes)


def test_a_text_tower_that_says_the_same_of_everything_scores_0(sugarcrepe, karpathy, tmp_path):
    blank = ByName(lambda text: AXES[0], lambda level: AXES[level])
    for name, folder in (("sugarcrepe", sugarcrepe), ("coco", karpathy)):
        records = evaluate_benchmark(blank, name, read_benchmark(name, folder), tmp_path / name)
        main_scores = [
            r
            for r in records.where(control="none", metric=("accuracy", "recall_at_1"))
            if r["protocol"] != "mieb"
        ]
        assert main_scores
        assert all(r.value == 0.0 for r in main_scores if r.split != "text to image")
        assert all(r.ties == r.n for r in main_scores if r.split != "text to image")


@pytest.fixture
def karpathy(tmp_path):
    """Three pictures with two captions each; the captions' first character is their axis."""
    folder = tmp_path / "coco"
    captions = [["0 first", "1 second"], ["1 third", "3 fourth"], ["0 fifth", "2 sixth"]]
    rows = [
        {"image": f"val2014/{level}.png", "caption": texts} for level, texts in enumerate(captions)
    ]
    folder.mkdir()
    (folder / "coco_karpathy_test.json").write_text(json.dumps(rows))
    for level in range(3):
        picture(folder, f"val2014/{level}.png", level)
    return folder


def test_retrieval_by_hand(karpathy, tmp_path):
    records = evaluate_benchmark(
        by_name(), "coco", read_benchmark("coco", karpathy), tmp_path / "kept"
    )
    found = values(records, repair="none", control="none")
    # Text to image: captions lie on axes 0 1 | 1 3 | 0 2. Right at rank 1: "0 first", "1 third", "2
    # sixth". "1 second" ranks behind picture 1, "0 fifth" behind picture 0 (their ties at 0 cost
    # nothing more); "3 fourth" ties with all.
    assert found["text to image", "recall_at_1"] == (0.5, 6, 1)
    assert found["text to image", "recall_at_5"] == (1.0, 6, 0)
    # Image to text: picture 0's best own caption ties with "0 fifth" (a miss), picture 1's with "1
    # second", picture 2 is right.
    assert found["image to text", "recall_at_1"] == (pytest.approx(1 / 3), 3, 2)
    assert found["image to text", "recall_at_5"] == (1.0, 3, 0)


def test_retrieval_equals_a_plain_loop(tmp_path):
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(n, 6)) for n in (20, 100))
    x, y = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (x, y))
    owner = np.repeat(np.arange(20), 5)
    items = {"owner": owner, "captions": np.arange(100)}
    found = {
        (score.subset, score.metric): score.value for score in BENCHMARKS["coco"].score(items, x, y)
    }
    for k in (1, 5, 10):
        forward = np.mean([owner[c] in np.argsort(-(x @ y[c]))[:k] for c in range(100)])
        backward = np.mean([i in owner[np.argsort(-(y @ x[i]))[:k]] for i in range(20)])
        assert found["text to image", f"recall_at_{k}"] == forward
        assert found["image to text", f"recall_at_{k}"] == backward


def test_macro_means_and_their_intervals():
    correct, groups = np.array([1, 1, 1, 0, 0.0]), np.array([0, 0, 0, 0, 1])
    assert mean_of(correct, groups) == pytest.approx((0.75 + 0.0) / 2)
    assert mean_of(correct, None) == pytest.approx(0.6)
    score = Score("accuracy", "all", "paper", correct > 0, np.zeros(5, dtype=bool), groups)
    low, high = score.interval()
    assert low < score.value == 0.375 < high
    assert (
        Score(
            "accuracy",
            "all",
            "paper",
            np.ones(4, dtype=bool),
            np.zeros(4, dtype=bool),
            np.arange(4),
        ).interval()[0]
        < 0.6
    )


def test_macro_scores_draw_the_items_of_one_picture_together():
    """Forty pictures with one item in each of three groups, right or wrong together."""
    right, groups, pictures = (
        np.tile(np.arange(40) < 30, 3),
        np.repeat(np.arange(3), 40),
        np.tile(np.arange(40), 3),
    )
    none = np.zeros(120, dtype=bool)
    alone, together = (
        Score("accuracy", "all", "paper", right, none, groups, clusters=c).interval()
        for c in (None, pictures)
    )
    assert together[1] - together[0] > 1.5 * (alone[1] - alone[0])
    after = Score("accuracy", "all", "paper", np.roll(right, 4), none, groups, clusters=pictures)
    before = Score("accuracy", "all", "paper", right, none, groups, clusters=pictures)
    assert paired(before.outcome("none"), after.outcome("none")).interval[0] < 0


def test_items_of_one_picture_are_drawn_together():
    """Ten pictures with ten items each, all of a picture right or wrong: the interval is that of
    ten, not of a hundred.
    """
    pictures = np.repeat(np.arange(10), 10)
    correct, none = pictures < 5, np.zeros(100, dtype=bool)
    alone, together = (
        Score("accuracy", "all", "strict", correct, none, clusters=c).interval()
        for c in (None, pictures)
    )
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])
    same = Score("accuracy", "all", "strict", none, none, clusters=pictures).interval()
    # and few at that
    assert same == pytest.approx(
        Score("accuracy", "all", "strict", none[:10], none[:10]).interval(), abs=0.1
    )
    assert same[1] > 0.25


def test_a_repair_stands_beside_the_unrepaired(sugarcrepe, tmp_path):
    """A map that exchanges axes 0 and 1 mends the picture b and breaks the first item."""
    swap = np.eye(4, dtype=np.float32)[[1, 0, 2, 3]]
    adapter = Adapter(swap, 0.0, {"encoder": "by-name", "revision": "1"})
    records = evaluate_benchmark(
        by_name(),
        "sugarcrepe",
        read_benchmark("sugarcrepe", sugarcrepe),
        tmp_path / "kept",
        adapter=adapter,
    )
    (change,) = [r for r in records if r.repair == "difference" and r.split == "swap_obj"]
    assert (change.value, change["fixed"], change["broken"]) == (0.0, 1, 1)
    assert change["mcnemar_p"] == 1.0
    assert change.ci_low < 0 < change.ci_high
    other, data = (
        Adapter(swap, 0.0, {"encoder": "other", "revision": "1"}),
        read_benchmark("sugarcrepe", sugarcrepe),
    )
    with pytest.raises(ConceptBindError, match="fitted on 'other'"):
        evaluate_benchmark(by_name(), "sugarcrepe", data, tmp_path / "kept", adapter=other)


def test_mcnemar_is_exact():
    before = Score(
        "accuracy", "all", "mieb", np.array([False] * 6 + [True] * 2), np.zeros(8, dtype=bool)
    )
    after = Score(
        "accuracy",
        "all",
        "mieb",
        np.array([True] * 5 + [False] * 2 + [True]),
        np.zeros(8, dtype=bool),
    )
    change = paired(before.outcome("none"), after.outcome("none"))
    assert (change.change, change.fixed, change.broken) == (0.5, 5, 1)
    assert change.mcnemar == pytest.approx(2 * (math.comb(6, 0) + math.comb(6, 1)) / 2**6)


def test_mcnemar_counts_pictures_where_they_have_several_items():
    """Three pictures with four items each, all fixed: three changes to one side, not twelve."""
    none, pictures = np.zeros(12, dtype=bool), np.repeat(np.arange(3), 4)
    before, after = (
        Score("accuracy", "all", "strict", right, none, clusters=pictures).outcome("none")
        for right in (none, ~none)
    )
    assert paired(before, after).mcnemar == pytest.approx(2 / 2**3)


def test_blind_baselines_see_no_picture(sugarcrepe, tmp_path):
    records = evaluate_benchmark(
        by_name(), "sugarcrepe", read_benchmark("sugarcrepe", sugarcrepe), tmp_path / "kept"
    )
    short = values(records, control="blind_length")["swap_obj", "accuracy"]
    # the first two pairs have captions of one length, "0 red here" is shorter than "0 there red"
    assert short == (
        1 / 3,
        3,
        2,
    )
    # unit rows all tie
    assert values(records, control="blind_norm")["swap", "accuracy"] == (0.0, 5, 5)
    # and by mteb's rule each tie is a hit
    assert values(records, control="blind_norm")["all", "accuracy"] == (1.0, 5, 5)


@pytest.mark.parametrize(
    ("name", "file", "content", "message"),
    [
        ("sugarcrepe", "swap_obj.json", '{"0": {"filename": "a.png"', "truncated"),
        (
            "sugarcrepe",
            "swap_obj.json",
            '[{"image": "a.png", "caption": ["x"]}]',
            "expected a dictionary of items",
        ),
        (
            "sugarcrepe",
            "swap_obj.json",
            '{"0": {"filename": "a.png", "caption": "x"}}',
            "has only filename, caption",
        ),
        (
            "sugarcrepe",
            "swap_obj.json",
            '{"0": {"filename": "a.png", "caption": "x", "negative_caption": ["y"]}}',
            "must be text",
        ),
        (
            "coco",
            "coco_karpathy_test.json",
            '[{"image": "a.png", "caption": "x", "image_id": "coco_1"}]',
            "train files have",
        ),
        (
            "coco",
            "coco_karpathy_test.json",
            '[{"image": "a.png", "caption": []}]',
            "has no captions",
        ),
        ("coco", "coco_karpathy_test.json", '{"0": {"filename": "a.png"}}', "expected a list"),
        (
            "coco",
            "coco_karpathy_test.json",
            '[{"image": "a", "caption": ["x"]}, {"image": "a", "caption": ["y"]}]',
            "twice",
        ),
        (
            "sugarcrepe",
            "swap_obj.json",
            '{"0": {"filename": "a"}, "0": {"filename": "b"}}',
            "the id '0' twice",
        ),
        (
            "whatsup",
            "controlled_clevr_dataset.json",
            '[{"image_path": "a_on_b.jpg", "caption_options": ["x", "y"]}]',
            "must have 4",
        ),
        (
            "whatsup",
            "controlled_clevr_dataset.json",
            '[{"image_path": "a.jpg", "caption_options": ["x", "y", "z", "w"]}]',
            "preposition",
        ),
        ("winoground", "examples.jsonl", '{"id": 0, "image_0": "a"', "line 1 is not valid JSON"),
    ],
)
def test_wrong_files_are_named(tmp_path, name, file, content, message):
    (tmp_path / file).write_text(content)
    with pytest.raises(ConceptBindError, match=message):
        read_benchmark(name, tmp_path)


def test_missing_pictures_are_counted_and_refused_unless_allowed(sugarcrepe, karpathy, tmp_path):
    (sugarcrepe / "val2017" / "c.png").unlink()
    with pytest.raises(
        ConceptBindError, match=r"1 of 3 pictures are not in .*: c.png; .*--allow-missing"
    ):
        read_benchmark("sugarcrepe", sugarcrepe)
    data = read_benchmark("sugarcrepe", sugarcrepe, allow_missing=True)
    assert len(data.items["rows"]) == 3
    assert any("2 items left out for want of them" in note for note in data.notes)
    (karpathy / "val2014" / "1.png").unlink()
    data = read_benchmark("coco", karpathy, allow_missing=True)
    records = evaluate_benchmark(by_name(), "coco", data, tmp_path / "kept")
    found = values(records, repair="none", control="none")
    assert found["text to image", "recall_at_1"][1] == 4
    assert found["image to text", "recall_at_1"][1] == 2


@pytest.mark.parametrize("subset", ["add_att", "replace_rel", "swap_obj"])
def test_the_real_files_are_read_whole(shared_data, subset):
    folder = shared_data / "sugarcrepe"
    published = json.loads((folder / f"{subset}.json").read_text())
    data = BENCHMARKS["sugarcrepe"].read(folder, Making(folder))
    mine = data.items["subsets"] == subset
    assert mine.sum() == len(published)
    first = next(iter(published.values()))
    picture_number, true, false = data.items["rows"][mine][0]
    assert data.pictures[picture_number] == first["filename"]
    assert (data.captions[true], data.captions[false]) == (
        first["caption"],
        first["negative_caption"],
    )


def test_the_command(sugarcrepe, karpathy, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n"
        "class E:\n"
        "    id, revision, dimension, modalities = 'mine', '1', 4, ('text', 'image')\n"
        "    def encode_texts(self, texts): return np.eye(4, dtype='float32')[[int(t[0]) for t in "
        "texts]]\n"
        "    def encode_images(self, images): return np.eye(4, dtype='float32')[[i.getpixel((0, "
        "0))[0] for i in images]]\n"
        "def make(): return E()\n"
    )
    save_adapter(Adapter(np.eye(4, dtype=np.float32)[[1, 0, 2, 3]], 0.0, {}), tmp_path / "fixed")
    command = [
        "evaluate",
        "py:mine:make",
        "--benchmark",
        "sugarcrepe,coco",
        "--data",
        ".",
        "--out",
        "run",
    ]
    assert main([*command, "--adapter", "fixed"]) == 0
    printed = capsys.readouterr().out
    assert "difference" in printed
    assert "swap_obj" in printed
    assert "text to image" in printed
    first = (tmp_path / "run" / "results.json").read_bytes()
    (tmp_path / "run" / "results.json").unlink()
    assert main([*command, "--adapter", "fixed"]) == 0  # continues: embeddings are kept
    assert (tmp_path / "run" / "results.json").read_bytes() == first
    capsys.readouterr()
    assert (
        main(["evaluate", "--benchmark", "sugarcrepe", "--data", str(sugarcrepe), "--check"]) == 0
    )
    printed = capsys.readouterr().out
    assert "missing" in printed
    assert "there" in printed
    assert "licence: MIT" in printed
    for arguments, message in (
        (["--benchmark", "sugarcrepes", "--data", "."], "did you mean 'sugarcrepe'"),
        (["--benchmark", "coco", "--data", "nowhere"], "--data must be a folder"),
        (["--benchmark", "coco", "--data", str(sugarcrepe)], "holds no coco_karpathy_test.json"),
        (
            ["--benchmark", "coco", "--data", str(sugarcrepe), "--seed", "-1"],
            "--seed must be a whole number from 0",
        ),
    ):
        assert main(["evaluate", "tiny", *arguments]) == 2
        assert message in capsys.readouterr().err


def aro_item(image, box, true, false, **own):
    left, top, width, height = box
    return {
        "image_path": image,
        "bbox_x": left,
        "bbox_y": top,
        "bbox_w": width,
        "bbox_h": height,
        "true_caption": true,
        "false_caption": false,
        **own,
    }


@pytest.fixture
def relations(tmp_path):
    """Five items on two pictures whose left half has level 0 (or 2) and right half level 1."""
    folder = tmp_path / "vg_relation"
    (folder / "images").mkdir(parents=True)
    for name, level in (("a.png", 0), ("b.png", 2)):
        image = Image.new("RGB", (8, 8), (level, 0, 0))
        image.paste((1, 0, 0), (4, 0, 8, 8))
        image.save(folder / "images" / name)
    left, right = (0, 0, 4, 8), (4, 0, 4, 8)
    items = [
        # right
        aro_item(
            "a.png",
            left,
            "0 the dog holds the cat",
            "1 the cat holds the dog",
            relation_name="holding",
        ),
        aro_item("a.png", right, "0 x", "1 y", relation_name="holding"),  # wrong
        aro_item("a.png", right, "1 y", "0 x", relation_name="wearing"),  # right
        aro_item("b.png", left, "0 x", "1 y", relation_name="near"),  # a tie; left out by the paper
        aro_item("b.png", left, "2 z", "1 y", relation_name="near"),  # right
    ]
    (folder / "visual_genome_relation.json").write_text(json.dumps(items))
    return folder


def test_relations_by_hand(relations, tmp_path):
    data = read_benchmark("vg_relation", relations)
    assert data.pictures == ("a.png", "a.png", "b.png")  # one for each box
    found = {
        r["protocol"]: (r.value, r.n, r.ties, r["tie_rule"])
        for r in evaluate_benchmark(by_name(), "vg_relation", data, tmp_path / "kept")
        if r.control == "none"
    }
    assert found["strict"] == (3 / 5, 5, 1, "miss")
    assert found["mieb"] == (4 / 5, 5, 1, "hit")  # the true caption wins the tie, as in mteb
    assert found["paper"] == (pytest.approx((1 / 2 + 1) / 2), 3, 0, "miss")
    assert found["labclip"] == (pytest.approx((1 / 2 + 1 + 1 / 2) / 3), 5, 1, "miss")


def test_attribute_pairs_need_25_items(tmp_path):
    folder = tmp_path / "images"
    picture(folder, "a.png", 0)
    box = (0, 0, 8, 8)
    often = [
        aro_item("a.png", box, "0 t", "1 f" if i < 20 else "0 f", attributes=["red", "big"])
        for i in range(25)
    ]
    rare = [aro_item("a.png", box, "1 t", "0 f", attributes=["blue", "big"])]
    (tmp_path / "visual_genome_attribution.json").write_text(json.dumps(often + rare))
    data = read_benchmark("vg_attribution", tmp_path)
    found = {
        r["protocol"]: (r.value, r.n, r.ties)
        for r in evaluate_benchmark(by_name(), "vg_attribution", data, tmp_path / "kept")
        if r.control == "none"
    }
    assert found["paper"] == (0.8, 25, 5)
    assert found["mieb"] == (25 / 26, 26, 5)
    assert found["strict"] == (1 / 3, 3, 1)  # three distinct items; the others repeat them


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bbox_x": 9}, "shows nothing of the picture"),
        ({"bbox_w": 0}, "the box of .* has 0 x .* pixels"),
        ({"bbox_h": "four"}, "not four numbers"),
        ({"true_caption": ["x"]}, "must be text"),
        ({"attributes": ["red", "blue"], "relation_name": None}, "must be text"),
    ],
)
def test_bad_boxes_and_files(relations, tmp_path, change, message):
    path = relations / "visual_genome_relation.json"
    items = json.loads(path.read_text())
    items[1] |= change
    path.write_text(json.dumps(items))
    with pytest.raises(ConceptBindError, match=message):
        evaluate_benchmark(
            by_name(), "vg_relation", read_benchmark("vg_relation", relations), tmp_path / "kept"
        )


def test_winoground_by_hand(tmp_path):
    """Five items: all right, text only, image only, a tie, all wrong."""
    for level, name in enumerate(("p0.png", "p1.png", "p2.png")):
        picture(tmp_path / "images", name, level)
    angle = {
        "0": AXES[0],
        "1": AXES[1],
        "t": (AXES[0] + AXES[1]) / 2**0.5,
        "u": 0.8 * AXES[0] + 0.6 * AXES[1],
        "v": 0.9 * AXES[0] + 0.19**0.5 * AXES[2],
    }
    items = [
        ("p0", "p1", "0 a", "1 a"),
        ("p0", "p1", "1 b", "0 b"),
        ("p0", "p1", "t c", "t d"),
        ("p0", "p1", "0 e", "u e"),
        ("p0", "p1", "v f", "0 f"),
    ]
    rows = [
        {
            "id": i,
            "image_0": a,
            "image_1": b,
            "caption_0": c,
            "caption_1": d,
            "collapsed_tag": "Object" if i < 2 else "Relation",
        }
        for i, (a, b, c, d) in enumerate(items)
    ]
    (tmp_path / "examples.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    encoder = ByName(lambda text: angle[text[0]], lambda level: AXES[level])
    records = evaluate_benchmark(
        encoder, "winoground", read_benchmark("winoground", tmp_path), tmp_path / "kept"
    )
    found = values(records, repair="none", control="none")
    # 0: all right. 1: all wrong. 2: captions alike, so texts and pictures tie. 3: "u" lies nearer
    # to picture 0 than to its own, so texts are right (p0: 1 > .8; p1: .6 > 0) and pictures are
    # not. 4: p0 prefers "0 f" and p1 sees nothing of either, which would be a tie if p0 had been
    # right.
    assert found["all", "text_score"] == (2 / 5, 5, 1)
    assert found["all", "image_score"] == (1 / 5, 5, 1)
    assert found["all", "group_score"][0] == 1 / 5
    assert found["Object", "group_score"] == (1 / 2, 2, 0)


def test_colorswap_and_duplicate_ids(tmp_path):
    for level, name in enumerate(("a.png", "b.png")):
        picture(tmp_path / "images", name, level)
    row = {"id": 1, "image_1": "a.png", "image_2": "b.png", "caption_1": "0 x", "caption_2": "1 x"}
    (tmp_path / "test.json").write_text(json.dumps([row]))
    records = evaluate_benchmark(
        by_name(), "colorswap", read_benchmark("colorswap", tmp_path), tmp_path / "kept"
    )
    assert values(records, repair="none", control="none")["all", "group_score"] == (1.0, 1, 0)
    (tmp_path / "test.json").write_text(json.dumps([row, row]))
    with pytest.raises(ConceptBindError, match="the id 1 twice"):
        read_benchmark("colorswap", tmp_path)
