"""How published files are read: all shards in order, every published form of Karpathy's splits,
nothing claimed before all is checked.
"""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image

from conceptbind.benchmarks import Making, evaluate_benchmark, read_benchmark, read_karpathy_train
from conceptbind.benchmarks.evaluate import check_benchmark, look_at_benchmark
from conceptbind.benchmarks.shards import table_rows
from conceptbind.cli import main
from conceptbind.core.errors import ConceptBindError, FileError, MismatchError, UnsafeFileError
from known_vectors import by_name, picture, values
from known_vectors import read_benchmark as read_beside


def png(level):
    data = io.BytesIO()
    Image.new("RGB", (8, 8), (level, 0, 0)).save(data, "PNG")
    return {"bytes": data.getvalue(), "path": None}


def items(numbers, inside=True):
    return [
        {
            "id": n,
            "image_0": png(0) if inside else "p0",
            "image_1": png(1) if inside else "p1",
            "caption_0": f"0 x{n}",
            "caption_1": f"1 y{n}",
            "collapsed_tag": "Object",
        }
        for n in numbers
    ]


def write_parquet(path, rows):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def write_arrow(path, rows, stream=True):
    pa = pytest.importorskip("pyarrow")
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows)
    make = pa.ipc.new_stream if stream else pa.ipc.new_file
    with pa.OSFile(str(path), "wb") as sink, make(sink, table.schema) as writer:
        writer.write_table(table)


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")


@pytest.mark.parametrize(
    ("names", "write"),
    [
        (["data/test-00000-of-00002.parquet", "data/test-00001-of-00002.parquet"], write_parquet),
        (
            [
                "test-00000-of-00002-0123456789abcdef.parquet",
                "test-00001-of-00002-fedcba9876543210.parquet",
            ],
            write_parquet,
        ),
        (["default/test/0000.parquet", "default/test/0001.parquet"], write_parquet),
        (["data/test-1-of-2.parquet", "data/test-2-of-2.parquet"], write_parquet),
        (["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"], write_arrow),
        (["test/data-00000-of-00002.arrow", "test/data-00001-of-00002.arrow"], write_arrow),
        (
            ["winoground-test-00000-of-00002.arrow", "winoground-test-00001-of-00002.arrow"],
            lambda p, r: write_arrow(p, r, False),
        ),
        (["examples-00000-of-00002.jsonl", "examples-00001-of-00002.jsonl"], write_lines),
        (["data/examples-00000-of-00002.jsonl", "data/examples-00001-of-00002.jsonl"], write_lines),
    ],
)
def test_all_shards_are_read_in_their_order(tmp_path, names, write):
    inside = write is not write_lines
    if not inside:
        for level in (0, 1):
            picture(tmp_path / "images", f"p{level}.png", level)
    for name, numbers in zip(names, (range(2), range(2, 5)), strict=True):
        write(tmp_path / name, items(numbers, inside))
    data = read_beside("winoground", tmp_path)
    assert data.captions == tuple(text for n in range(5) for text in (f"0 x{n}", f"1 y{n}"))
    found = values(
        evaluate_benchmark(by_name(), "winoground", data, tmp_path / "kept"),
        repair="none",
        control="none",
    )
    assert found["all", "group_score"] == (1.0, 5, 0)
    if "-of-" in names[0]:
        assert all(part.there for part in check_benchmark("winoground", tmp_path))
        (tmp_path / names[1]).unlink()
        with pytest.raises(FileError, match=r"1 of 2 files of .*: .*-of-0*2[.-]"):
            read_beside("winoground", tmp_path)
        assert not all(part.there for part in check_benchmark("winoground", tmp_path))


def test_parquet_that_unpacks_to_a_thousand_times_its_size_is_refused(tmp_path, monkeypatch):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "test.parquet"
    pq.write_table(
        pa.table({"caption": ["a" * (1 << 20)] * 4}), path, compression="zstd", use_dictionary=False
    )
    assert len(list(table_rows(path, ["caption"]))) == 4  # the control: a few MiB are read
    monkeypatch.setattr("conceptbind.core.limits.UNPACKED_BYTES", 1 << 20)
    with pytest.raises(FileError, match=r"is refused: its .* would unpack to 4.0 MiB"):
        list(table_rows(path, ["caption"]))


def test_shards_that_cannot_be_one_set_are_refused(tmp_path):
    write_parquet(tmp_path / "data" / "a-00000-of-00001.parquet", items([0]))
    write_parquet(tmp_path / "data" / "b-00000-of-00001.parquet", items([0]))
    with pytest.raises(MismatchError, match=r"several sets of files: a-00000-of-00001.parquet, b-"):
        read_beside("winoground", tmp_path)
    (tmp_path / "data" / "b-00000-of-00001.parquet").rename(
        tmp_path / "data" / "test-00000-of-00001.parquet"
    )
    assert len(read_beside("winoground", tmp_path).items["rows"]) == 1  # test among others
    write_parquet(tmp_path / "data" / "test-00000-of-00001-aaaaaa.parquet", items([0]))
    with pytest.raises(MismatchError, match="one part of a data set twice"):
        read_beside("winoground", tmp_path)


def test_an_id_twice_in_two_shards_is_refused(tmp_path):
    write_parquet(tmp_path / "test-00000-of-00002.parquet", items([0, 1]))
    write_parquet(tmp_path / "test-00001-of-00002.parquet", items([1]))
    with pytest.raises(MismatchError, match="the id 1 twice"):
        read_beside("winoground", tmp_path)


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_a_cut_shard_is_refused(tmp_path, suffix):
    path = tmp_path / f"test-00000-of-00001.{suffix}"
    (write_parquet if suffix == "parquet" else write_arrow)(path, items(range(40)))
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(FileError, match=f"not a whole {suffix} file"):
        read_beside("winoground", tmp_path)


# --- Karpathy's splits
# --------------------------------------------------------------------------------------------------

CAPTIONS = {0: ["0 first", "1 second"], 1: ["1 third", "3 fourth"], 2: ["0 fifth", "2 sixth"]}


def karpathys_own(place):
    """As in dataset_coco.json (with `filepath`) and dataset_flickr30k.json (without)."""
    images = [
        {
            "filename": f"{n}.png",
            "imgid": n,
            "sentids": [0],
            "split": split,
            "cocoid": n,
            **({"filepath": place} if place else {}),
            "sentences": [
                {"raw": text, "tokens": text.split(), "imgid": n, "sentid": i}
                for i, text in enumerate(texts)
            ],
        }
        for n, split, texts in [
            (9, "train", ["0 no"]),
            *((n, "test", texts) for n, texts in CAPTIONS.items()),
            (8, "restval", ["0 no"]),
        ]
    ]
    return {"images": images, "dataset": "coco"}


def coco_form():
    return {
        "images": [{"id": n, "file_name": f"{n}.png"} for n in CAPTIONS],
        "annotations": [
            {"image_id": n, "caption": text} for n, texts in CAPTIONS.items() for text in texts
        ],
    }


FORMS = {
    ("coco", "coco_karpathy_test.json", "val2014"): [
        {"image": f"val2014/{n}.png", "caption": texts} for n, texts in CAPTIONS.items()
    ],
    ("coco", "dataset_coco.json", "val2014"): karpathys_own("val2014"),
    ("coco", "coco_test_karpathy.json", "val2014"): coco_form(),
    ("coco", "coco_test_karpathy.json", "."): [
        {"image": f"{n}.png", "caption": texts} for n, texts in CAPTIONS.items()
    ],
    ("flickr30k", "dataset_flickr30k.json", "flickr30k-images"): karpathys_own(None),
    ("flickr30k", "flickr30k_test_karpathy.txt", "."): "image,caption\n"
    + "".join(f"{n}.png,{text}\n" for n, texts in CAPTIONS.items() for text in texts),
}


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form[1]}-{form[2]}")
def test_every_published_form_of_the_splits_gives_the_same(tmp_path, form):
    name, file, place = form
    (tmp_path / file).write_text(
        FORMS[form] if isinstance(FORMS[form], str) else json.dumps(FORMS[form])
    )
    assert check_benchmark(name, tmp_path)[-1].there is False
    for level in CAPTIONS:
        picture(tmp_path / place, f"{level}.png", level)
    assert all(part.there for part in check_benchmark(name, tmp_path))
    assert check_benchmark(name, tmp_path)[-1].what == "pictures: 3 of 3"
    found = values(
        evaluate_benchmark(by_name(), name, read_beside(name, tmp_path), tmp_path / "kept"),
        repair="none",
        control="none",
    )
    # as counted by hand in test_benchmarks
    assert found["text to image", "recall_at_1"] == (
        0.5,
        6,
        1,
    )
    assert found["image to text", "recall_at_1"] == (pytest.approx(1 / 3), 3, 2)
    order = f"{name.removesuffix('30k')}_order"
    assert len(read_beside(order, tmp_path).pictures) == 3


def test_a_file_without_images_of_the_split_says_so(tmp_path):
    content = karpathys_own("val2014")
    content["images"] = [image for image in content["images"] if image["split"] != "test"]
    (tmp_path / "dataset_coco.json").write_text(json.dumps(content))
    with pytest.raises(MismatchError, match="it has no row; .*the split 'test'"):
        read_beside("coco", tmp_path)


def test_the_train_file_in_karpathys_own_form(tmp_path):
    (tmp_path / "dataset_coco.json").write_text(json.dumps(karpathys_own("val2014")))
    for level in (8, 9):
        picture(tmp_path / "val2014", f"{level}.png", level)
    pictures, captions, of = read_karpathy_train(tmp_path)
    assert (pictures, captions, of.tolist()) == (
        ("val2014/9.png", "val2014/8.png"),
        ["0 no", "0 no"],
        [0, 1],
    )


@pytest.mark.parametrize("name", ["/etc/a.png", "../a.png", "val2014/../../a.png"])
def test_pictures_outside_the_folder_are_refused(tmp_path, name):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "coco_karpathy_test.json").write_text(
        json.dumps([{"image": name, "caption": ["x"]}])
    )
    picture(tmp_path, "a.png", 0)
    with pytest.raises(UnsafeFileError, match="only pictures below it are read"):
        read_beside("coco", tmp_path / "data", allow_missing=True)


@pytest.mark.parametrize("name", ["x" * 5000 + ".png", "a\0.png", "", "val2014"])
def test_names_that_no_file_can_have_are_missing_pictures(tmp_path, name):
    (tmp_path / "coco_karpathy_test.json").write_text(
        json.dumps([{"image": name, "caption": ["x"]}])
    )
    with pytest.raises(FileError, match="1 of 1 pictures are not in"):
        read_beside("coco", tmp_path)
    assert not check_benchmark("coco", tmp_path)[-1].there


# --- --check
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "coco",
        "flickr30k",
        "coco_order",
        "sugarcrepe",
        "vg_relation",
        "winoground",
        "whatsup",
        "zeroshot",
    ],
)
def test_a_check_says_that_pictures_are_there_only_where_they_are(tmp_path, name):
    (tmp_path / "val2017").mkdir()
    (tmp_path / "images").mkdir()
    (tmp_path / "runs").mkdir()
    (tmp_path / "data" / "controlled_images").mkdir(parents=True)
    (tmp_path / "runs" / "notes.txt").write_text("no picture")
    assert not any(part.there for part in check_benchmark(name, tmp_path))


@pytest.mark.parametrize(
    "name", ["coco", "flickr30k", "winoground", "vg_relation", "colorswap", "whatsup"]
)
def test_a_check_does_not_take_pictures_of_something_else_for_those_of_a_missing_file(
    tmp_path, name
):
    for place in ("a dog", "images", "val2014", "data/controlled_images"):
        (tmp_path / place).mkdir(parents=True)
        picture(tmp_path / place, "a.png", 0)
    assert not any(part.there for part in check_benchmark(name, tmp_path))
    assert all(part.there for part in check_benchmark("zeroshot", tmp_path))  # these need no file


def test_a_check_names_files_that_would_be_refused(tmp_path, capsys):
    (tmp_path / "coco_karpathy_test.json").write_text('[{"image": "a.png"')
    assert main(["evaluate", "--benchmark", "coco", "--data", str(tmp_path), "--check"]) == 0
    assert "as they are, these files are refused" in capsys.readouterr().out


# --- nothing is claimed before all is checked, and templates
# ----------------------------------------------------------------------


@pytest.fixture
def shapes(tmp_path):
    """Two classes that `tiny` knows."""
    for level, name in enumerate(("red square", "blue_circle")):
        picture(tmp_path / "shapes" / name, "a.PNG", level)
    return tmp_path / "shapes"


def captions(folder, **options):
    return read_benchmark("zeroshot", folder, Making(folder / "made", **options)).captions


def test_templates_and_classes_with_a_mark_and_carriage_returns(shapes):
    (shapes / "templates.txt").write_bytes(b"\xef\xbb\xbfa {}\r\nthe {}\r\n")
    (shapes / "classes.txt").write_bytes(b"\xef\xbb\xbfblue_circle\tazure ring\r\n")
    assert captions(shapes) == ("a azure ring", "the azure ring", "a red square", "the red square")


def test_a_class_that_is_named_twice_is_refused(shapes):
    (shapes / "classes.txt").write_text("blue_circle\ta\nblue_circle\tb\n")
    with pytest.raises(MismatchError, match="the folder 'blue_circle' twice"):
        captions(shapes)


def test_a_template_is_chosen_that_the_encoder_reads(shapes):
    def no_photo(texts):
        return "no 'photo'" if any("photo" in text for text in texts) else None

    assert captions(shapes) == ("a photo of a blue circle.", "a photo of a red square.")
    assert captions(shapes, unreadable=no_photo) == ("a blue circle", "a red square")
    assert captions(shapes, template="{a} {}, big", unreadable=no_photo) == (
        "a blue circle, big",
        "a red square, big",
    )
    with pytest.raises(
        ConceptBindError,
        match=r"captions of --template: no 'photo'; it can with --template '{a} {}'",
    ):
        captions(shapes, template="a photo of {}", unreadable=no_photo)
    with pytest.raises(
        ConceptBindError, match="--template must give one caption per line with {} once"
    ):
        captions(shapes, template="a photo")
    with pytest.raises(
        ConceptBindError,
        match=r"names of the classes: nothing; write names in its words into .*classes.txt",
    ):
        captions(shapes, unreadable=lambda _: "nothing")


def test_a_refused_run_leaves_no_folder_and_a_corrected_one_runs(
    shapes, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for arguments, message in (
        (["--benchmark", "zeroshot", "--data", "empty"], "at least two classes"),
        (
            ["--benchmark", "zeroshot", "--data", "shapes", "--template", "a photo of {}"],
            "it can with --template",
        ),
        (["--benchmark", "coco", "--data", "shapes"], "holds no coco_karpathy_test.json"),
        (
            ["--benchmark", "coco", "--data", "shapes", "--template", "a {}"],
            "--template is for zeroshot",
        ),
    ):
        assert main(["evaluate", "tiny", *arguments, "--out", "run"]) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "run").exists()
    assert (
        main(["evaluate", "tiny", "--benchmark", "zeroshot", "--data", "shapes", "--out", "run"])
        == 0
    )
    assert "does not know the words of 'a photo of a {}.'" in capsys.readouterr().out


def test_words_that_the_encoder_does_not_know_are_named_before_the_folder(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "coco_karpathy_test.json").write_text(
        json.dumps([{"image": "a.png", "caption": ["a giraffe"]}])
    )
    picture(tmp_path, "a.png", 0)
    write_parquet(tmp_path / "winoground" / "test.parquet", items([0]))
    for name in ("coco", "coco_order", "winoground"):
        assert (
            main(
                [
                    "evaluate",
                    "tiny",
                    "--benchmark",
                    name,
                    "--data",
                    ".",
                    "--out",
                    "run",
                    "--tagger",
                    "hanta",
                ]
            )
            == 2
        )
        assert f"cannot read the captions of {name}: the word" in capsys.readouterr().err
        assert not (tmp_path / "run").exists()


def test_looking_makes_nothing(tmp_path):
    write_parquet(tmp_path / "test.parquet", items([0]))
    assert look_at_benchmark("winoground", tmp_path, Making(tmp_path / "made")) is None
    assert not (tmp_path / "made").exists()
