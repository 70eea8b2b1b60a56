"""The order tests, What'sUp, labelled folders and parquet files by hand; outcomes of two runs side
by side; files for other tools.
"""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from conceptbind.benchmarks import Making, evaluate_benchmark
from conceptbind.benchmarks.order import PERTURBATIONS, perturbed, plain
from conceptbind.cli import main
from conceptbind.core.errors import ConceptBindError
from conceptbind.core.names import CONTROL_TEXTS
from conceptbind.core.outcomes import load_outcomes
from conceptbind.repairs.labclip import Adapter, save_adapter
from conceptbind.repairs.negatives import Token, load_tagger
from known_vectors import AXES, ByName, by_name, picture, read_benchmark, values


def tokens_of(caption, kinds):
    """Tokens with parts of speech that a test states."""
    found, start = [], 0
    for word in caption.split(" "):
        found.append(Token(start, start + len(word), word, kinds.get(word, "other"), False))
        start += len(word) + 1
    return found


def test_perturbations_move_what_they_say():
    caption = "a big dog sees the small red cat near one old tree"
    nouns, adjectives = {"dog", "cat", "tree"}, {"big", "small", "red", "old"}
    kinds = dict.fromkeys(nouns, "noun") | dict.fromkeys(adjectives, "adjective")
    words = caption.split(" ")
    for seed in range(20):
        found = dict(
            zip(PERTURBATIONS, perturbed(caption, tokens_of(caption, kinds), seed), strict=True)
        )
        assert all(
            sorted(text.split(" ")) == sorted(words) and text != caption for text in found.values()
        )
        moved = {name: text.split(" ") for name, text in found.items()}
        for place, word in enumerate(words):
            kind = nouns if word in nouns else adjectives if word in adjectives else None
            if kind is None:
                assert moved["nouns and adjectives"][place] == word
            else:
                assert moved["nouns and adjectives"][place] in kind
                assert moved["all but nouns and adjectives"][place] == word
        groups = [words[i : i + 3] for i in range(0, len(words), 3)]
        within = moved["within trigrams"]
        assert [sorted(within[i : i + 3]) for i in range(0, len(words), 3)] == [
            sorted(group) for group in groups
        ]
        assert all(" ".join(group) in found["trigrams"] for group in groups)
    again = perturbed(caption, tokens_of(caption, kinds), 3)
    assert again == perturbed(caption, tokens_of(caption, kinds), 3)
    assert again != perturbed(caption, tokens_of(caption, kinds), 4)


def test_what_cannot_change_has_no_perturbation():
    assert perturbed("dog", tokens_of("dog", {"dog": "noun"}), 0) == [None] * 4
    # One noun, one other word: only trigram-internal order can change "a dog".
    assert perturbed("a dog", tokens_of("a dog", {"dog": "noun"}), 0) == [None, None, "dog a", None]


def test_captions_are_cut_to_30_plain_words():
    assert plain('A dog\'s "big", well-known  Bone.') == "a dog's big well-known bone"
    assert plain(" ".join(["word"] * 40)).count("word") == 30


@pytest.fixture
def orders(tmp_path):
    """Two pictures with two captions each; a caption of one word has no other order."""
    folder = tmp_path / "coco_order"
    rows = [
        {
            "image": "0.png",
            "caption": ["0 brown dog sees a black cat", "0 old man holds a young child here"],
        },
        {"image": "1.png", "caption": ["0 wrong one has a tail", "1"]},
    ]
    folder.mkdir()
    (folder / "coco_karpathy_test.json").write_text(json.dumps(rows))
    for level in range(2):
        picture(folder, f"{level}.png", level)
    return folder


class ByOrder:
    """A caption lies on the axis of its first word if that is a digit and the caption is among
    those given, else on axis 3.
    """

    id, revision, dimension, modalities = "by-order", "1", 4, ("text", "image")

    def __init__(self, known):
        self.known = known

    def encode_texts(self, texts):
        return np.array(
            [AXES[int(text[0])] if text in self.known else AXES[3] for text in texts],
            dtype=np.float32,
        )

    def encode_images(self, images):
        return np.array([AXES[image.getpixel((0, 0))[0]] for image in images], dtype=np.float32)


def test_order_by_hand(orders, tmp_path):
    data = read_benchmark("coco_order", orders)
    assert len(data.items["rows"]) == 3
    assert data.notes == ("left out: 1 caption that no perturbation changes.",)
    known = {"0 brown dog sees a black cat", "0 wrong one has a tail"}
    records = evaluate_benchmark(ByOrder(known), "coco_order", data, tmp_path / "kept")
    found = {
        (r.split, r["protocol"]): (r.value, r.n, r.ties)
        for r in records
        if (r.control, r.repair) == ("none", "none")
    }
    # Picture 0: the first caption is known, its perturbations lie on axis 3: right. The second is
    # not known: a tie. Picture 1: the caption lies on axis 0, the perturbations on 3: all score 0,
    # a tie.
    assert found["all", "aro-like"] == (pytest.approx(1 / 3), 3, 2)
    assert found["trigrams", "aro-like"] == (pytest.approx(1 / 3), 3, 2)
    blank = ByName(lambda text: AXES[0], lambda level: AXES[level])
    everything = evaluate_benchmark(blank, "coco_order", data, tmp_path / "blank")
    assert all(r.value == 0 and r.ties == r.n for r in everything if r.control == "none")


def test_negatives_are_drawn_once_written_and_hashed(orders, tmp_path):
    first = read_benchmark("coco_order", orders)
    made = json.loads((orders / "made" / "coco_order_negatives.json").read_text())
    assert made["seed"] == 0
    assert made["tagger"].startswith("hanta")
    assert set(made["negatives"]) >= {"0 brown dog sees a black cat"}
    # given with the data: read, not drawn again
    (orders / "coco_order_negatives.json").write_text(json.dumps(made))
    again = read_with_making(orders, Making(tmp_path / "elsewhere", seed=5, tagger="none such"))
    assert again.hash == first.hash
    assert again.facts == first.facts
    assert not (tmp_path / "elsewhere").exists()
    del made["negatives"]["0 brown dog sees a black cat"]
    (orders / "coco_order_negatives.json").write_text(json.dumps(made))
    with pytest.raises(ConceptBindError, match="belongs to other captions"):
        read_benchmark("coco_order", orders)
    (orders / "coco_order_negatives.json").unlink()
    other = read_with_making(orders, Making(tmp_path / "elsewhere", seed=5, tagger="hanta"))
    assert other.facts["negatives"] != first.facts["negatives"]


def test_negatives_that_were_drawn_are_believed_only_as_they_were_written(orders):
    first = read_benchmark("coco_order", orders)
    kept = orders / "made" / "coco_order_negatives.json"
    whole = kept.read_text()
    kept.write_text(whole.replace("dog", "cat", 1))
    with pytest.raises(
        ConceptBindError,
        match="coco_order_negatives.json was changed or damaged .* it will be drawn again",
    ):
        read_benchmark("coco_order", orders)
    kept.write_text(whole)
    assert read_benchmark("coco_order", orders).hash == first.hash


def read_with_making(folder, making):
    from conceptbind.benchmarks import read_benchmark as read

    return read("coco_order", folder, making)


def test_the_taggers_words_are_found_in_captions():
    caption = "a brown dog's well-known bone lies near two cats"
    (tokens,) = load_tagger("hanta").tag([caption])
    found = perturbed(caption, tokens, 0)
    assert all(sorted(text.split(" ")) == sorted(caption.split(" ")) for text in found if text)


@pytest.fixture
def whatsup(tmp_path):
    """One whole set of four pictures, and a second one of which a picture is missing from the
    list.
    """
    folder = tmp_path / "whatsup"
    items = []
    for level, name in enumerate(
        ("mug_left_of_cup", "mug_right_of_cup", "mug_on_cup", "mug_under_cup")
    ):
        picture(folder / "data" / "controlled_images", f"{name}.png", level)
        others = [f"{other} x" for other in range(4) if other != level]
        items.append(
            {
                "image_path": f"data/controlled_images/{name}.png",
                "caption_options": [f"{level} x", *others],
            }
        )
    for level, name in enumerate(("pen_left_of_cup", "pen_right_of_cup", "pen_on_cup")):
        picture(folder / "data" / "controlled_images", f"{name}.png", level)
        options = [f"{level} x", "3 x", "3 y", "3 z"] if level else ["0 x", "0 y", "1 z", "2 z"]
        items.append(
            {"image_path": f"data/controlled_images/{name}.png", "caption_options": options}
        )
    (folder / "controlled_images_dataset.json").write_text(json.dumps(items))
    return folder


def test_whatsup_by_hand(whatsup, tmp_path):
    data = read_benchmark("whatsup", whatsup)
    assert any("without controlled_clevr" in note for note in data.notes)
    records = evaluate_benchmark(by_name(), "whatsup", data, tmp_path / "kept")
    found = values(records, repair="none", control="none")
    # All four of the mug are right; of the pen the first ties ("0 y"), the others are right.
    assert found["controlled_images", "accuracy"] == (6 / 7, 7, 1)
    # Pairs: mug left and right, mug on and under, pen left and right (a tie prevents it); pen on
    # has no partner.
    assert found["controlled_images", "pair_accuracy"] == (2 / 3, 3, 1)
    assert found["controlled_images", "set_accuracy"] == (1.0, 1, 0)


def test_labelled_folders_by_hand(tmp_path):
    for label, levels in (("0_sea_lion", (0, 1)), ("1_cat", (1, 2))):
        for number, level in enumerate(levels):
            picture(tmp_path / "zeroshot" / "test" / label, f"{number}.png", level)
    folder = tmp_path / "zeroshot"
    (folder / "templates.txt").write_text("{} seen\n")
    data = read_benchmark("zeroshot", folder)
    assert data.captions == ("0 sea lion seen", "1 cat seen")
    records = evaluate_benchmark(by_name(), "zeroshot", data, tmp_path / "kept")
    found = values(records, repair="none", control="none")
    # Levels 0 1 | 1 2: the first is right, the second lies on the other class, the third is right,
    # the fourth ties at 0.
    assert found["all", "accuracy"] == (0.5, 4, 1)
    assert found["mean of classes", "accuracy"] == (0.5, 4, 1)
    (folder / "classes.txt").write_text("0_sea_lion\t2 walrus\n")
    (folder / "templates.txt").write_text("{} seen\n{} drawn\n")
    data = read_benchmark("zeroshot", folder)
    assert data.captions == ("2 walrus seen", "2 walrus drawn", "1 cat seen", "1 cat drawn")
    found = values(
        evaluate_benchmark(by_name(), "zeroshot", data, tmp_path / "two"),
        repair="none",
        control="none",
    )
    assert found["all", "accuracy"] == (1 / 4, 4, 1)
    (folder / "templates.txt").write_text("no place\n")
    with pytest.raises(ConceptBindError, match="where the class stands"):
        read_benchmark("zeroshot", folder)
    with pytest.raises(ConceptBindError, match="at least two classes"):
        read_benchmark("zeroshot", tmp_path / "kept")


def png(level):
    data = io.BytesIO()
    Image.new("RGB", (8, 8), (level, 0, 0)).save(data, "PNG")
    return {"bytes": data.getvalue(), "path": None}


def test_parquet_is_unpacked(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {
            "id": i,
            "image_0": png(0),
            "image_1": png(1),
            "caption_0": f"{i} x",
            "caption_1": "1 y",
            "collapsed_tag": "Object",
        }
        for i in range(2)
    ]
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "test-00000-of-00001.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    data = read_benchmark("winoground", tmp_path)
    records = evaluate_benchmark(by_name(), "winoground", data, tmp_path / "kept")
    # The second item's captions lie on one axis: pictures tie between them, and the first caption
    # loses to the other picture.
    found = values(records, repair="none", control="none")
    assert found["all", "text_score"] == (0.5, 2, 1)
    assert found["all", "group_score"] == (0.5, 2, 0)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ConceptBindError, match="not a whole parquet file"):
        read_benchmark("winoground", tmp_path)
    pq.write_table(pa.Table.from_pylist([{"id": 0, "image_0": png(0)}]), path)
    with pytest.raises(ConceptBindError, match="expected the field 'caption_0'; an entry has only"):
        read_benchmark("winoground", tmp_path)
    pq.write_table(
        pa.Table.from_pylist([rows[0] | {"image_1": {"bytes": None, "path": "x.png"}}]), path
    )
    with pytest.raises(ConceptBindError, match="1 of 2 pictures are not in .*: images/x.png"):
        read_benchmark("winoground", tmp_path)


ENCODER = (
    "import numpy as np\n"
    "class E:\n"
    "    revision, dimension, modalities = '1', 4, ('text', 'image')\n"
    "    def __init__(self, id, step): self.id, self.step = id, step\n"
    "    def encode_texts(self, texts): return np.eye(4, dtype='float32')[[(int(t[0]) + self.step) "
    "% 4 for t in texts]]\n"
    "    def encode_images(self, images): return np.eye(4, dtype='float32')[[i.getpixel((0, 0))[0] "
    "for i in images]]\n"
    "def good(): return E('good', 0)\n"
    "def bad(): return E('bad', 1)\n"
)


def test_two_runs_side_by_side(whatsup, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two_encoders.py").write_text(ENCODER)
    save_adapter(Adapter(np.eye(4, dtype=np.float32)[[1, 2, 3, 0]], 0.0, {}), tmp_path / "back")
    for name, options in (("good", []), ("bad", ["--adapter", "back"])):
        assert (
            main(
                [
                    "evaluate",
                    f"py:two_encoders:{name}",
                    "--benchmark",
                    "whatsup",
                    "--data",
                    ".",
                    "--out",
                    name,
                    *options,
                ]
            )
            == 0
        )
    kept = load_outcomes(tmp_path / "bad" / "embeddings" / "whatsup")
    assert {one.about["repair"] for one in kept.found} == {"none", "adapter"}
    for file in (
        "report.html",
        "clip_benchmark/whatsup-controlled_images.json",
        "clip_benchmark/whatsup-controlled_images-adapter.json",
    ):
        assert (tmp_path / "bad" / file).is_file()
    page = (tmp_path / "bad" / "report.html").read_text()
    assert "What&#39;sUp" in page
    assert "The repair clearly raises" in page
    for control in ("blind_length", "blind_norm"):
        assert all(words in page for words in CONTROL_TEXTS[control])
    capsys.readouterr()
    assert main(["compare", "bad", "good", "--out", "tables"]) == 0
    printed = capsys.readouterr().out
    assert "difference from bad" in printed
    # bad: every caption lies one axis too far, so no picture is right; good: six of seven.
    row = next(line for line in printed.splitlines() if "| accuracy" in line and "| good " in line)
    assert "+85.7 points" in row
    assert "+6 -0" in row
    assert "| bad (adapter)" in printed
    assert (tmp_path / "tables" / "benchmark-whatsup.csv").is_file()
    lists = tmp_path / "whatsup" / "controlled_images_dataset.json"
    lists.write_text(json.dumps(json.loads(lists.read_text())[:4]))
    assert (
        main(
            [
                "evaluate",
                "py:two_encoders:good",
                "--benchmark",
                "whatsup",
                "--data",
                ".",
                "--out",
                "fewer",
            ]
        )
        == 0
    )
    capsys.readouterr()
    assert main(["compare", "good", "fewer"]) == 0
    assert "other items" in capsys.readouterr().out


@pytest.mark.slow
def test_groups_and_the_files_for_other_tools(orders, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sometimes_known.py").write_text(
        ENCODER.replace("int(t[0])", "int(t[0]) if t[0].isdigit() else 3")
    )
    assert (
        main(
            ["evaluate", "py:sometimes_known:good", "--benchmark", "aro", "--data", ".", "--check"]
        )
        == 0
    )
    assert "ARO VG-Relation" in capsys.readouterr().out
    assert main(["evaluate", "py:sometimes_known:good", "--benchmark", "aro", "--data", "."]) == 2
    assert "visual_genome_attribution.json" in capsys.readouterr().err
    some = [
        "evaluate",
        "py:sometimes_known:good",
        "--benchmark",
        "aro",
        "--data",
        ".",
        "--allow-missing",
        "--out",
        "some",
    ]
    assert main([*some, "--tagger", "hanta"]) == 0  # those of the group that are there
    printed = capsys.readouterr().out
    assert "vg_relation: left out" in printed
    assert "coco_order" in printed
    assert main(["evaluate", "minilm", "--benchmark", "aro", "--data", "."]) == 2
    assert "'minilm' encodes text" in capsys.readouterr().err
    arguments = [
        "evaluate",
        "py:sometimes_known:good",
        "--benchmark",
        "coco_order,coco",
        "--data",
        ".",
        "--out",
        "run",
        "--tagger",
        "hanta",
    ]
    (tmp_path / "coco_order").rename(tmp_path / "coco")  # where the retrieval files are
    assert main(arguments) == 0
    task = json.loads((tmp_path / "run" / "mteb" / "AROCocoOrder.json").read_text())
    mteb = pytest.importorskip("mteb")
    found = mteb.results.TaskResult.from_dict(task)
    assert 0 <= found.get_score() <= 1
    row = json.loads((tmp_path / "run" / "clip_benchmark" / "mscoco_captions.json").read_text())
    assert row["task"] == "zeroshot_retrieval"
    assert set(row["metrics"]) == {
        f"{way}_retrieval_recall@{k}" for way in ("image", "text") for k in (1, 5, 10)
    }
    assert (tmp_path / "run" / "made" / "coco_order_negatives.json").is_file()
