"""Plain captions as triplets: which captions become items, every form of file, and what is wrong
with one.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from conceptbind.benchmarks import Making, check_benchmark, evaluate_benchmark, look_at_benchmark
from conceptbind.benchmarks import read_benchmark as read_with
from conceptbind.cli import main
from conceptbind.core.errors import ConceptBindError
from conceptbind.repairs.negatives.permutations import same_words

PICTURES = {
    "a.jpg": [
        "A red car stands near a blue bus.",
        "a blue bus and, near it, a car that is red",
        "A RED car stands near a blue bus!",  # no other caption than the first
    ],
    "b.jpg": [
        "a small dog chases a big cat",
        "the big cat runs away from a small dog",
        "they run",  # nothing to exchange
    ],
    "c.jpg": ["a lonely caption of a green field"],
}


def karpathy(folder, pictures=PICTURES, name="coco_karpathy_test.json"):
    rows = [{"image": image, "caption": texts} for image, texts in pictures.items()]
    (folder / name).write_text(json.dumps(rows))
    return folder


def making(folder, **more):
    return Making(folder / "made", tagger="hanta", **more)


def read(place, folder, **more):
    return read_with("paraphrases", place, making(folder, **more))


def items_of(data):
    """The texts of each item, by caption."""
    texts = [tuple(data.captions[number] for number in row) for row in data.items["rows"].tolist()]
    return {caption: (paraphrase, negative) for caption, paraphrase, negative in texts}


def test_each_caption_has_the_next_one_of_its_picture_beside_it(tmp_path):
    data = read(karpathy(tmp_path), tmp_path)
    found = items_of(data)
    car, bus, *_ = PICTURES["a.jpg"]
    dog, cat, run = PICTURES["b.jpg"]
    assert {caption: paraphrase for caption, (paraphrase, _) in found.items()} == {
        **{car: bus, bus: car},
        **{dog: cat, cat: run},
    }
    for caption, (_, negative) in found.items():
        assert sorted(same_words(caption)) == sorted(same_words(negative))
        assert not any(negative in texts for texts in PICTURES.values())
    assert data.items["draws"].tolist() == [0, 0, 1, 1]
    assert set(data.items["subsets"]) == {"coco_karpathy_test"}
    assert data.notes == (
        "left out: 1 caption without a hard negative.",
        "left out: 1 picture with one caption only.",
    )
    assert data.pictures == ()
    assert data.facts["tagger"].startswith("hanta")


def test_negatives_are_drawn_once_and_told_by_their_captions(tmp_path):
    folder = karpathy(tmp_path)
    first = read(folder, tmp_path)
    kept = (tmp_path / "made" / "paraphrases_negatives.json").read_bytes()
    done = []
    again = read(folder, tmp_path, on_item=done.append)
    assert again.hash == first.hash
    assert not done
    assert (tmp_path / "made" / "paraphrases_negatives.json").read_bytes() == kept
    karpathy(tmp_path, {**PICTURES, "d.jpg": ["a black hat on a white table", "a hat"]})
    with pytest.raises(ConceptBindError, match="holds negatives of other captions; delete it"):
        read(folder, tmp_path)


BLOCK = "a small dog chases a big cat\nthe big cat runs away from a small dog\n"
TABLE = "id,{},{}\n1,x.png,a small dog chases a big cat\n2,x.png,a big cat with a small dog\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("captions.txt", f"\n{BLOCK}\n \nthey run\nand walk\n"),
        ("captions.txt", "x.jpg,a small dog chases a big cat\nx.jpg,a big cat with a small dog\n"),
        ("captions.csv", TABLE.format("image", "caption")),
        ("captions.tsv", TABLE.format("filename", "title").replace(",", "\t")),
        (
            "coco_karpathy_val.json",
            json.dumps(
                [
                    {"image": "x.jpg", "caption": "a small dog chases a big cat"},
                    {"image": "x.jpg", "caption": "a big cat with a small dog"},
                ]
            ),
        ),
        (
            "dataset_coco.json",
            json.dumps(
                {
                    "images": [
                        {
                            "filename": "x.jpg",
                            "split": "test",
                            "sentences": [{"raw": text} for text in BLOCK.splitlines()],
                        }
                    ]
                }
            ),
        ),
    ],
)
def test_files_of_every_form(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    in_folder, alone = read(tmp_path, tmp_path / "x"), read(tmp_path / name, tmp_path / "y")
    assert "a small dog chases a big cat" in items_of(in_folder)
    assert in_folder.hash == alone.hash
    assert set(alone.items["subsets"]) == {(tmp_path / name).stem}
    assert check_benchmark("paraphrases", tmp_path)[0].there


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("captions.txt", BLOCK, "has 1 block of captions; expected a blank line"),
        ("captions.txt", "", "has 0 blocks of captions"),
        ("captions.txt", "one\n\ntwo\n", "has no picture with two captions that differ"),
        ("captions.txt", "they run\nthey walk\n\nhe ran\n", "no caption of .* has a hard negative"),
        ("captions.csv", "image,text\na,b\n", "has no column 'caption'; expected image and capt"),
        ("captions.csv", "image,caption\na,b\na,\n", "row 2: the caption is missing"),
        ("coco_karpathy_test.json", "[]", "it has no row"),
        ("coco_karpathy_test.json", '[{"image": "a", "caption": []}]', "has no captions"),
        ("coco_karpathy_test.json", "[3]", "expected entries with image, caption"),
        ("coco_karpathy_test.json", '{"a": 1}', "expected a list with one row an image"),
        ("coco_karpathy_test.json", "[", "truncated"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(ConceptBindError, match=message) as raised:
        read(tmp_path, tmp_path)
    assert "\n" not in str(raised.value)


def test_no_file(tmp_path):
    with pytest.raises(ConceptBindError, match="holds no file of captions; expected Karpathy's"):
        read(tmp_path, tmp_path)
    assert [found.there for found in check_benchmark("paraphrases", tmp_path)] == [False]


def test_captions_are_looked_at_before_negatives_are_drawn(tmp_path):
    asked = making(tmp_path, unreadable=lambda texts: f"{len(texts)} texts")
    with pytest.raises(ConceptBindError, match="cannot read the captions of paraphrases: 6 texts"):
        look_at_benchmark("paraphrases", karpathy(tmp_path), asked)
    assert not (tmp_path / "made").exists()
    assert look_at_benchmark("paraphrases", tmp_path, making(tmp_path)) is None


class Words:
    """How often each of a few words occurs: a bag of words."""

    id, revision, dimension, modalities = "words", "1", 4, ("text",)

    def encode_texts(self, texts):
        counts = [[1, *(text.count(word) for word in ("red", "blue", "big"))] for text in texts]
        return np.array(counts, dtype=np.float32)

    def encode_images(self, images):
        raise NotImplementedError


def test_a_bag_of_words_scores_0(tmp_path):
    """A negative is the caption to it, so no paraphrase is strictly nearer."""
    data = read(karpathy(tmp_path), tmp_path)
    records = evaluate_benchmark(Words(), "paraphrases", data, tmp_path / "kept")
    for control in ("none", "bag_of_words"):
        assert [record.value for record in records.where(control=control)] == [0, 0]


def test_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = ["evaluate", "tiny", "--benchmark", "paraphrases", "--tagger", "hanta", "--out", "run"]
    (tmp_path / "captions.txt").write_text(
        "a red square and a blue circle\na blue circle and a red square\n\n"
        "a green ring and a black star\na black star and a green ring\n"
    )
    assert main([*asked, "--data", "captions.txt"]) == 0
    printed = capsys.readouterr().out
    assert "random weights" in printed
    assert "paraphrases  captions" in printed
    assert (tmp_path / "run" / "made" / "paraphrases_negatives.json").is_file()
    assert main([*asked, "--data", "captions.txt"]) == 0  # found again
