"""`conceptbind finetune`: a model that binds what it never saw, in a folder that other programs
load; a mistake is one line, and a killed run leaves no half model.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import conceptbind
from conceptbind import cli
from conceptbind.commands import finetuning
from conceptbind.core.names import Metric, Repair
from conceptbind.core.rounding import percent
from conceptbind.encoders import resolve
from conceptbind.repairs.finetune.examples import SHARES, of_pictures, of_scenes
from conceptbind.repairs.finetune.study import binding
from conceptbind.report.finished import load_run
from conceptbind.scenes import Scenes, load_scenes, orbit_ids

pytestmark = pytest.mark.slow

COLOURS, SHAPES = ("red", "blue", "green", "yellow"), ("circle", "square", "triangle", "star")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def refused(capsys, *words: str) -> str:
    """The one line that a mistake is."""
    assert cli.main(["finetune", *words]) == 2
    printed, told = capsys.readouterr()
    assert printed == ""
    lines = [line for line in told.splitlines() if line.startswith("conceptbind: ")]
    assert len(lines) == 1, told
    assert len(lines[0]) <= 500
    return lines[0]


@pytest.fixture(scope="module")
def drawn_pairs(tmp_path_factory) -> Path:
    """72 pictures of two objects, a file of their captions, and one of captions with the colours
    exchanged.
    """
    from conceptbind.pictures import FlatStyle, draw_pictures

    place = tmp_path_factory.mktemp("pairs")
    scenes = load_scenes("clevr2d")
    known = [scenes.space.values[0].index(name) for name in COLOURS]
    apart = (scenes.table[:, 0] != scenes.table[:, 1]).all(axis=1)
    chosen = scenes.select(apart & np.isin(scenes.table[:, :, 0], known).all(axis=1))
    chosen = draw_pictures(chosen, place / "pictures", style=FlatStyle(size=48))
    swapped = chosen.table.copy()
    swapped[:, :, 0] = swapped[:, ::-1, 0]
    false = Scenes(chosen.space, swapped, template=chosen.template)
    rows = range(len(chosen))
    lines = (f"{chosen.images[row]}\t{chosen.caption(row)}\n" for row in rows)
    (place / "captions.txt").write_text("".join(lines))
    (place / "negatives.txt").write_text("".join(f"{false.caption(row)}\n" for row in rows))
    return place


def of_pairs(place: Path, *, negatives: bool = True) -> list[str]:
    """The options that name the drawn pairs."""
    given = ["--images", str(place / "pictures"), "--captions", str(place / "captions.txt")]
    return given + (["--negatives", str(place / "negatives.txt")] if negatives else [])


# What it trains


@pytest.fixture(scope="module")
def tuned(tmp_path_factory) -> Path:
    """`tiny` after three epochs on CLEVR-2D, by the command line itself."""
    place = tmp_path_factory.mktemp("tuned") / "run"
    words = ["finetune", "tiny", "--out", str(place), "--epochs", "3", "--device", "cpu"]
    ran = subprocess.run(
        [sys.executable, "-m", "conceptbind", *words], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    (place.parent / "said").write_text(ran.stdout)
    return place


def test_what_it_never_saw_is_bound_better_and_the_sentence_says_so(tuned):
    run = load_run(tuned)
    before, after = (
        run.records.one(metric=Metric.BINDING_ACCURACY, repair=repair)
        for repair in (Repair.NONE, Repair.FT)
    )
    gain = run.records.one(metric=Metric.BINDING_GAIN)
    assert before.value < 0.8 < after.value
    assert gain.value == pytest.approx(after.value - before.value)
    assert 0 < gain.ci_low < gain.value < gain.ci_high
    assert {record.n for record in run.records} == {76}
    assert {record.split for record in run.records} == {"test"}
    (sentence,) = run.sentences
    told = (percent(before.value), percent(after.value), "n = 76", "of 3.")
    assert all(words in sentence for words in told)
    said = (tuned.parent / "said").read_text()
    after = f"To measure the trained model:\n  conceptbind measure hf:{tuned}/model"
    where = f"Model: {tuned}/model, an encoder: hf:{tuned}/model"
    assert said == f"{sentence}\n\n{after}\n\n{where}\n"


def test_the_scores_are_those_of_the_encoder_and_of_the_written_model(tuned):
    """By other code: every order of mention of caption and swap, picture by picture."""
    run = load_run(tuned)
    scenes = load_scenes(str(tuned / "pictures" / "scenes.csv"))
    examples = of_scenes(load_scenes("clevr2d"))
    pictures = [Image.open(scenes.image_folder / name).convert("RGB") for name in scenes.images]
    for encoder, repair in (("tiny", Repair.NONE), (f"hf:{tuned}/model", Repair.FT)):
        model = resolve(encoder, device="cpu")
        x = model.encode_images([pictures[i] for i in examples.scored])
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        y = model.encode_texts(examples.texts)
        y /= np.linalg.norm(y, axis=1, keepdims=True)
        won = [
            float(row @ y[one] > row @ y[other])
            for row, right, wrong in zip(x, examples.right, examples.wrong, strict=True)
            for one in right
            for other in wrong
        ]
        record = run.records.one(metric=Metric.BINDING_ACCURACY, repair=repair)
        assert np.mean(won) == pytest.approx(record.value, abs=0.004)


def test_the_model_is_an_encoder_of_other_programs_too(tuned):
    transformers = pytest.importorskip("transformers")
    model = transformers.CLIPModel.from_pretrained(tuned / "model")
    assert model.config.projection_dim == 256
    assert "Both towers trained further" in (tuned / "model" / "README.md").read_text()
    told = json.loads((tuned / "model" / "finetune.json").read_text())
    assert (told["encoder"], told["epochs"], told["protocol"]) == ("tiny", 3, "FT")
    facts = load_run(tuned).provenance
    assert facts["finetune"]["data_hash"] == told["data_hash"]
    assert facts["scenes"]["name"] == "clevr2d"
    assert facts["encoders"][0]["encoder"] == "tiny"
    assert facts["model"]["revision"] != facts["encoders"][0]["revision"]
    assert yaml.safe_load((tuned / "config.yaml").read_text())["epochs"] == 3
    written = {path.name for path in tuned.iterdir()}
    assert written == {"config.yaml", "model", "pictures", "results.csv", "results.json"}


def test_another_command_reads_the_run_and_the_model(tuned, capsys):
    shutil.copytree(tuned, "again")
    assert cli.main(["compare", str(tuned), "again"]) == 0
    said = capsys.readouterr().out
    assert "Fine-tuning: binding accuracy on what it was not trained on" in said
    gain = load_run(tuned).records.one(metric=Metric.BINDING_GAIN)
    assert said.count(f"{100 * gain.value:+.1f} points") == 2
    assert cli.main(["embed", f"hf:{tuned}/model", "--out", "rows", "--modality", "text"]) == 0


def test_pictures_with_captions_and_negatives(drawn_pairs, clip_folder, capsys):
    words = [f"hf:{clip_folder}", "--out", "run", "--epochs", "2", "--batch", "16"]
    assert cli.main(["finetune", *words, *of_pairs(drawn_pairs)]) == 0
    said = capsys.readouterr().out
    run = load_run("run")
    split = run.provenance["split"]
    parts = np.array([split["train"], split["validation"], split["test"]])
    assert parts.sum() == 72
    np.testing.assert_allclose(parts / 72, SHARES, atol=0.1)
    assert run.provenance["data"] == {"captions": 72, "pairs": 72}
    assert "pictures that it was not trained on" in said
    assert resolve("hf:run/model", device="cpu").dimension == 16
    again = resolve(f"hf:{clip_folder}", device="cpu")
    assert run.provenance["encoders"][0]["revision"] == again.revision


@pytest.mark.filterwarnings("always:.*have no hard negative")
def test_negatives_are_made_where_none_are_given(drawn_pairs, capsys):
    place = Path("pairs")
    shutil.copytree(drawn_pairs, place)
    lines = (place / "captions.txt").read_text().splitlines()
    lines[3] = lines[3].split("\t")[0] + "\ta red circle"
    (place / "captions.txt").write_text("\n".join(lines))
    words = ["tiny", "--out", "run", "--epochs", "1", "--tagger", "hanta"]
    pytest.importorskip("HanTa")
    assert cli.main(["finetune", *words, *of_pairs(place, negatives=False)]) == 0
    told = capsys.readouterr().err
    assert "1 of 72 captions have no hard negative and are left out" in told
    rows = Path("run/dropped.csv").read_text().splitlines()
    assert rows[0] == "row,reason,caption"
    assert rows[1].startswith("3,") and rows[1].endswith(",a red circle")
    data = load_run("run").provenance["data"]
    assert (data["captions"], data["pairs"]) == (72, 71)
    assert data["tagger"].startswith("hanta")


def test_nothing_is_gained_by_a_rate_of_nothing_and_that_is_said(drawn_pairs, capsys):
    words = ["tiny", "--out", "run", "--epochs", "1", "--rate", "0"]
    assert cli.main(["finetune", *words, *of_pairs(drawn_pairs)]) == 0
    assert "Fine-tuning does not help here" in capsys.readouterr().out
    gain = load_run("run").records.one(metric=Metric.BINDING_GAIN)
    assert (gain.value, gain.ci_low, gain.ci_high) == (0, None, None)
    one, two = (resolve(name, device="cpu") for name in ("tiny", "hf:run/model"))
    texts = ["a red square and a blue circle"]
    np.testing.assert_allclose(one.encode_texts(texts), two.encode_texts(texts), atol=1e-4)


def test_the_function_does_the_same_to_the_last_digit(drawn_pairs):
    options = {
        "images": drawn_pairs / "pictures",
        "captions": drawn_pairs / "captions.txt",
        "negatives": drawn_pairs / "negatives.txt",
        "epochs": 1,
        "device": "cpu",
    }
    one, two = (conceptbind.finetune("tiny", out=name, **options) for name in ("one", "two"))
    assert one.records == two.records
    assert one.tuned.encoder.revision == two.tuned.encoder.revision
    weights = [(Path(name) / "model/model.safetensors").read_bytes() for name in ("one", "two")]
    assert weights[0] == weights[1]
    assert one.tuned.encoder.id == "tiny (fine-tuned)"
    again = conceptbind.finetune("tiny", out="one", **options)
    assert again.tuned is None, "it was read, not trained again"
    assert again.candidates == one.candidates == one.tuned.candidates
    assert again.chosen == one.chosen == one.tuned.chosen
    assert len(one.frame()) == 3
    assert repr(one) == "<FineTuning of tiny: 3 records in one>"
    assert one.said[0].startswith("Fine-tuning takes the binding accuracy of pictures")


# Parts


def test_parts_of_scenes_share_no_combination():
    scenes = load_scenes("clevr2d")
    examples = of_scenes(scenes)
    orbits = orbit_ids(scenes)
    trained, chose, scored = (
        set(orbits[rows])
        for rows in (
            examples.image_of[examples.train],
            examples.image_of[examples.validation],
            examples.scored,
        )
    )
    assert not trained & chose and not trained & scored and not chose & scored
    said = {examples.texts[i] for i in np.concatenate([examples.true, examples.false])}
    seen = {examples.texts[i] for i in examples.true[examples.train]}
    asked = {examples.texts[i] for i in np.ravel([examples.right, examples.wrong])}
    assert seen <= said and not seen & asked


def test_parts_of_pictures_share_no_picture_and_no_caption(drawn_pairs):
    """Equal pictures under two names, and equal captions of two pictures, stay together."""
    files = sorted((drawn_pairs / "pictures").glob("*.png"))[:40]
    shutil.copy(files[0], "copy.png")
    pictures = [*files, Path("copy.png")]
    captions = [f"caption {i}" for i in range(41)]
    captions[7] = captions[6]
    examples = of_pictures("mine", pictures, np.arange(41), captions, ["no", *captions[:0:-1]])
    held = np.setdiff1d(np.arange(41), np.concatenate([examples.train, examples.validation]))
    np.testing.assert_array_equal(np.sort(examples.scored), held)
    for together in ((0, 40), (6, 7)):
        parts = {
            next(
                name
                for name, rows in (
                    ("train", examples.train),
                    ("validation", examples.validation),
                    ("scored", examples.scored),
                )
                if row in rows
            )
            for row in together
        }
        assert len(parts) == 1


def test_ties_are_counted_and_are_no_hits(drawn_pairs):
    files = sorted((drawn_pairs / "pictures").glob("*.png"))[:20]
    captions = [f"caption {i}" for i in range(20)]
    negatives = [f"negative {i}" for i in range(20)]
    examples = of_pictures("mine", files, np.arange(20), captions, negatives)

    class Flat:
        def encode_images(self, images):
            return np.ones((len(images), 3), dtype=np.float32)

        def encode_texts(self, texts):
            return np.ones((len(texts), 3), dtype=np.float32)

    right, tied = binding(Flat(), examples)
    assert len(right) == len(examples.scored)
    assert not right.any()
    assert tied.all()


# Mistakes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "run"], "ENCODER is missing"),
        (["tiny"], "--out is missing"),
        (["tiny", "--out", "run", "--epochs", "0"], "--epochs must be a whole number from 1"),
        (["tiny", "--out", "run", "--batch", "1"], "batch must be at least 2; got 1"),
        (["tiny", "--out", "run", "--rate", "-1"], "rate must be"),
        (
            ["tiny", "--out", "run", "--optimiser", "lamb"],
            "expected one of 'adamw', 'sgd'",
        ),
        (
            ["tiny", "--out", "run", "--images", "p"],
            "--images, --captions and --negatives go t",
        ),
        (["tiny", "--out", "run", "--captions", "c"], "--images, --captions and --negatives go to"),
        (["tiny", "--out", "run", "--negatives", "n"], "--images, --captions and --negatives go t"),
        (["tiny", "--out", "run", "--images", "p", "--captions", "c"], "p is not one"),
        (["minilm", "--out", "run"], "'minilm' cannot be fine-tuned: expected an encoder with"),
        (["file:rows.npy", "--out", "run"], "rows.npy"),
        (["tiny", "--out", "run", "--scenes", "text20:4x4"], "text20:4x4"),
        (["tiny", "--out", "run", "--device", "moon"], "cannot compute on the device 'moon'"),
        (["tiny-bond", "--out", "run"], "did you mean 'tiny-bound'?"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)
def test_a_mistake_is_one_line_and_leaves_nothing(words, message, capsys):
    assert message in refused(capsys, *words)
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("captions", "negatives", "message"),
    [
        ("a.png a red circle\n", None, "line 1 of captions.txt is 'a.png a red circle'; expected"),
        ("a.png\ta\tb\n", None, "line 1 of captions.txt is"),
        ("a.png\ta\n\n", None, "line 2 of captions.txt is ''"),
        ("/a.png\ta\n", None, "line 1 of captions.txt names '/a.png'; pictures lie below pictures"),
        ("../a.png\ta\n", None, "line 1 of captions.txt names '../a.png'; pictures lie below"),
        (
            "a.png\ta\nb.png\tb\n",
            None,
            "picture pictures/b.png, which is not there (1 of 2 are",
        ),
        ("a.png\ta\n", "x\ny\n", "negatives.txt has 2 lines, --captions 1"),
        ("a.png\ta\n", "a\n", "line 1 of negatives.txt says what its caption says (1 of 1 lines"),
        ("a.png\ta\n", "x\n", "1 pair cannot be divided"),
    ],
)
def test_files_of_another_form(captions, negatives, message, capsys):
    Path("pictures").mkdir()
    Image.new("RGB", (8, 8)).save("pictures/a.png")
    Path("captions.txt").write_text(captions)
    words = ["tiny", "--out", "run", "--images", "pictures", "--captions", "captions.txt"]
    if negatives is not None:
        Path("negatives.txt").write_text(negatives)
        words += ["--negatives", "negatives.txt"]
    assert message in refused(capsys, *words)
    assert not Path("run").exists()


def files_below(folder: str) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_a_finished_run_is_read_and_no_other_takes_its_folder(tuned, capsys, monkeypatch):
    shutil.copytree(tuned, "run")
    before = files_below("run")
    words = ["finetune", "tiny", "--out", "run", "--epochs", "3", "--device", "cpu"]
    with monkeypatch.context() as without:
        without.delattr("conceptbind.repairs.finetune.training.finetune")  # nothing is trained
        assert cli.main(words) == 0
    (sentence,) = load_run(tuned).sentences
    assert capsys.readouterr().out.startswith(f"{sentence}\n\nTo measure the trained model:")
    assert before == files_below("run")
    told = refused(capsys, "tiny", "--out", "run", "--epochs", "4", "--device", "cpu")
    assert "epochs: 3 there, 4 now" in told
    assert before == files_below("run")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model/model.safetensors", "run/model was changed since it was written"),
        ("results.json", "its checksum does not fit"),
    ],
)
def test_a_changed_model_or_result_is_not_believed(tuned, capsys, name, message):
    shutil.copytree(tuned, "run")
    file = Path("run") / name
    content = bytearray(file.read_bytes())
    content[-8] ^= 1
    file.write_bytes(content)
    told = refused(capsys, "tiny", "--out", "run", "--epochs", "3", "--device", "cpu")
    assert message in told


def test_a_model_of_other_data_stays(drawn_pairs, capsys):
    words = [*of_pairs(drawn_pairs), "--out", "run", "--epochs", "1"]
    assert cli.main(["finetune", "tiny", *words]) == 0
    captions = Path("captions.txt")
    captions.write_text((drawn_pairs / "captions.txt").read_text())
    words[3] = str(captions)
    Path("run/config.yaml").write_text(
        Path("run/config.yaml").read_text().replace(str(drawn_pairs / "captions.txt"), words[3])
    )
    captions.write_text(captions.read_text().replace("circle", "disc"))
    capsys.readouterr()
    told = refused(capsys, "tiny", *words)
    assert "run/model is not empty; choose a new folder for the fine-tuned model" in told


# Killed


def test_a_killed_run_leaves_no_model_and_begins_anew(drawn_pairs, capsys, tmp_path):
    """Killed in the midst of writing its model, as far as that is from the outside: the folder is
    there under another name.
    """
    words = ["finetune", "tiny", "--out", "run", "--epochs", "1", *of_pairs(drawn_pairs)]
    script = (
        "import sys, time\n"
        "from conceptbind import cli\n"
        "from conceptbind.encoders.dual import DualEncoder\n"
        "write = DualEncoder.write\n"
        "def slow(self, folder):\n"
        "    write(self, folder)\n"
        "    print('half', flush=True)\n"
        "    time.sleep(600)\n"
        "DualEncoder.write = slow\n"
        f"cli.main({words!r})\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout.readline() == "half\n"
        process.send_signal(signal.SIGKILL)
    halves = [path.name for path in Path("run").glob(".model.*.part")]
    assert len(halves) == 1
    assert not Path("run/model").exists()
    assert cli.main(words) == 0
    capsys.readouterr()
    assert {path.name for path in Path("run").iterdir()} == {
        "config.yaml",
        "model",
        "results.csv",
        "results.json",
    }
    resolve("hf:run/model", device="cpu")


def test_a_full_disk_leaves_no_model(drawn_pairs, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("conceptbind.encoders.dual.DualEncoder.write", full)
    words = ["tiny", "--out", "run", "--epochs", "1", *of_pairs(drawn_pairs)]
    assert "No space left on device" in refused(capsys, *words)
    assert not list(Path("run").glob("*model*"))
    monkeypatch.undo()


def test_stopping_says_that_it_begins_anew(drawn_pairs, capsys, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(finetuning, "_trained", stop)
    words = ["finetune", "tiny", "--out", "run", *of_pairs(drawn_pairs)]
    assert cli.main(words) == 130
    assert "stopped; the same command starts over" in capsys.readouterr().err
