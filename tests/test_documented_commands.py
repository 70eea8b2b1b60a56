"""Every command and every block of Python in README.md, CONTRIBUTING.md and docs/ runs as it
stands there, or says what it needs.

A command is marked in its comment (`# needs the model's weights`) or above its block (`<!-- needs a
GPU -->`). Those that take long are named in `SLOW` and run with `pytest -m long`; in every run
they, and those inside sentences, are started and stopped when everything that they name has been
read and checked. The files that the pages speak of (x.npy, PICTURES, FOLDER, runs/one, ...) are
made by `THINGS`. Tutorials, whose blocks go on from each other, are run by `test_tutorials.py`."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import shutil
import subprocess
import sys
import warnings
from dataclasses import replace
from functools import partial
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conceptbind import cli
from conceptbind.app import listening as server_listening
from conceptbind.app import server
from conceptbind.commands import embedding
from conceptbind.commands.parsing import known_options, parse
from conceptbind.run import RunFolder
from conceptbind.scenes import ConceptSpace, Scenes, full_grid, load_scenes
from documented import PAGES, ROOT, Documented, documented, unknown_blocks
from encoders.conftest import clip_folder  # noqa: F401

ALL = [found for page in PAGES for found in documented(page)]
SLOW = {
    r"conceptbind measure( tiny-bound)?$": "tests/test_main_job.py runs both",
    r"conceptbind measure tiny --studies (negation|query|factors|ceiling|probe_kinds)$": "576 "
    "pictures; tests/negation, querying, factors, ceiling and probes run them on few scenes",
    r"conceptbind measure tiny-bag --studies trained_along": "tests/ceiling trains on few pictures",
    r"conceptbind measure tiny --studies geometry --quadruple": "tests/geometry scales rows",
    r"conceptbind measure tiny --studies geometry --edit": "576 pictures; tests/geometry runs it",
    r"conceptbind measure tiny --studies within$": "1,176 pictures; tests/within runs it on few",
    r"conceptbind repair minilm --scenes text20:8x8": "3,136 scenes in eight wordings",
    r"conceptbind embed tiny --out rows$": "576 pictures",
    r"conceptbind embed minilm .*--jobs 2": "tests/rows/test_team.py does on fewer captions",
    r"conceptbind measure minilm": "160,000 captions",
    r"conceptbind measure .*--complexity (full|operators)": "a whole sweep over approximators",
    r"conceptbind measure hf:FOLDER": "two towers with all studies",
    r"conceptbind measure file:rows.npy": "all studies, with the short sweep over approximators",
    r"conceptbind repair tiny": "576 pictures, five folds",
    r"--method laboratory|[^.\w]laboratory\(": "twelve methods, five folds",
    r"conceptbind finetune tiny --out": "576 pictures, ten passes",
    r"conceptbind interpolate": "tests/watching runs it on few scenes",
    r"conceptbind stress|conceptbind\.stress\(": "tests/stresses runs it on a small encoder",
    r"conceptbind reproduce (binding|labclip)": "tests/reproductions runs it on one table",
    r"conceptbind (train|sweep)": "minutes on two cores",
    r"conceptbind measure controlled:": "minutes, and the model of `conceptbind train` before it",
    r"conceptbind\.measure\(": "tests/test_main_job.py runs it",
    r"complexity_study\(": "two coverages, three seeds, 1,024 units",
    r"mteb\.evaluate\(": "576 pictures, drawn and embedded",
    r"conceptbind repair --images x.npy": "tests/test_in_memory.py does on fewer rows",
    r"conceptbind repair hf:FOLDER --images": "tests/repairs/test_repair_command.py does on fewer",
    r"conceptbind repair minilm --captions": "tests/repairs/test_queries.py does on fewer",
    r"conceptbind evaluate minilm --benchmark paraphrases": "tests/benchmarks does on few captions",
    r"load_scenes\(\W*text20:10x10": "10,000 rows",
}
"""Commands that take long, and why."""
OTHERWISE = {
    r"pip install .*\.\[test\].* && \./check": ".ci/run takes this command from the page and runs "
    "it",
}
"""Commands that something else runs."""
SPACE = ConceptSpace(("color", "shape"), (("red", "blue", "green"), ("circle", "square")))


def why(table, found: Documented) -> str:
    """The reason that a table gives for a command; empty where it has none."""
    return next((reason for pattern, reason in table.items() if re.search(pattern, found.text)), "")


# --- what the pages speak of
# --------------------------------------------------------------------------------------------------


KEPT: dict[str, Path] = {}
"""What `once` has made, by name."""


def once(make):
    """What takes long to make is made once, and copied."""

    def copied(folder: Path, clip: Path) -> None:
        if make.__name__ not in KEPT:
            place = folder.parent / f"kept-{make.__name__}"
            place.mkdir()
            make(place, clip)
            KEPT[make.__name__] = place
        shutil.copytree(KEPT[make.__name__], folder, dirs_exist_ok=True)

    return copied


def planted(scenes: Scenes, width: int = 12, seed: int = 0):
    """Rows that hold concepts and objects by slot."""
    rng = np.random.default_rng(seed)
    tables = [
        rng.normal(size=(scenes.n_slots, size, width))
        for size in (*scenes.space.sizes, scenes.space.n_objects)
    ]
    ids = [*(scenes.table[:, :, k] for k in range(len(scenes.space.concepts))), scenes.objects]
    rows = sum(
        table[slot][held[:, slot]]
        for table, held in zip(tables, ids, strict=True)
        for slot in range(scenes.n_slots)
    )
    return (rows + 0.1 * rng.normal(size=rows.shape)).astype(np.float32)


def write_table(path: Path, scenes: Scenes) -> None:
    header = [
        f"{concept}_{slot + 1}"
        for slot in range(scenes.n_slots)
        for concept in scenes.space.concepts
    ]
    rows = [
        [scenes.space.values[k][v] for held in row.tolist() for k, v in enumerate(held)]
        for row in scenes.table
    ]
    path.write_text("\n".join(map(",".join, [header, *rows])) + "\n")


def make_arrays(folder: Path, clip: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 16)).astype(np.float32)
    for name, rows in (
        ("x", x),
        ("y", x + 0.5),
        ("n", rng.normal(size=x.shape)),
        ("queries", x[:5]),
    ):
        np.save(folder / f"{name}.npy", rows.astype(np.float32))


def make_captions(folder: Path, clip: Path) -> None:
    colours, shapes = (
        ("red", "blue", "green", "yellow"),
        ("circle", "square", "triangle", "star", "cube"),
    )
    objects = [f"a {colour} {shape}" for colour in colours for shape in shapes]
    rng, lines = np.random.default_rng(0), []
    while len(lines) < 300:
        first, second = rng.permutation(len(objects))[:2]
        lines.append(f"{objects[first]} and {objects[second]}")
    (folder / "captions.txt").write_text("\n".join(lines) + "\n")


def make_pairs(folder: Path, clip: Path) -> None:
    """Pictures, each with a caption that has a hard negative, and one."""
    (folder / "PICTURES").mkdir()
    lines, false = [], []
    for level, (one, two) in enumerate(product(("red", "blue", "green", "yellow"), repeat=2)):
        Image.new("RGB", (32, 32), (10 * level, 0, 0)).save(folder / "PICTURES" / f"{level}.png")
        lines.append(f"{level}.png\ta {one} circle and a {two} square\n")
        false.append(f"a {one} square and a {two} star\n")
    (folder / "pairs.txt").write_text("".join(lines))
    (folder / "false.txt").write_text("".join(false))


def make_labels(folder: Path, clip: Path) -> None:
    scenes = full_grid(SPACE)
    write_table(folder / "labels.csv", scenes)
    np.save(folder / "rows.npy", planted(scenes))


def make_words(folder: Path, clip: Path) -> None:
    (folder / "words.csv").write_text("color,shape\nred,circle\nblue,square\n")


@once
def make_drawn(folder: Path, clip: Path) -> None:
    make_words(folder, clip)
    run(
        [
            "conceptbind",
            "render",
            "--scenes",
            str(folder / "words.csv"),
            "--out",
            str(folder / "pictures"),
            "--size",
            "32",
        ]
    )


def make_adapter(folder: Path, clip: Path, width: int = 16, **named: str) -> None:
    from conceptbind.repairs.labclip import save_adapter
    from conceptbind.repairs.labclip.adapter import identity

    map_ = identity(width)
    save_adapter(replace(map_, config={**map_.config, **named}), folder / "fixed")


def make_classes(folder: Path, clip: Path, name: str = "PICTURES") -> None:
    for level, label in enumerate(("red square", "blue circle", "green ring")):
        (folder / name / label).mkdir(parents=True)
        Image.new("RGB", (32, 32), (80 * level, 0, 0)).save(folder / name / label / "a.png")


def make_published(folder: Path, clip: Path, name: str = "DATA") -> None:
    """Benchmarks in the words of `tiny`, and labelled pictures."""
    import json

    top = folder / name
    make_classes(folder, clip, f"{name}/zeroshot")
    item = {
        "filename": "a.png",
        "caption": "a red square and a blue circle",
        "negative_caption": "a blue square and a red circle",
    }
    for place, file, content in (
        ("sugarcrepe", "swap_att.json", {"0": item}),
        (
            "coco",
            "coco_karpathy_test.json",
            [{"image": "val2014/a.png", "caption": ["a red square"]}],
        ),
    ):
        pictures = top / place / ("val2017" if place == "sugarcrepe" else "val2014")
        pictures.mkdir(parents=True)
        (top / place / file).write_text(json.dumps(content))
        Image.new("RGB", (32, 32)).save(pictures / "a.png")
    (top / "sugarcrepe_pp").mkdir()
    both = {**item, "id": 0, "caption2": "a blue circle and a red square"}
    (top / "sugarcrepe_pp" / "swap_att.json").write_text(json.dumps([both]))
    (top / "abc6k").mkdir()
    pair = (item["caption"], item["negative_caption"])
    (top / "abc6k" / "ABC-6K.txt").write_text("\n".join(pair))


def make_triplets(folder: Path, clip: Path) -> None:
    """Triplets in the words of people."""
    animals = ("dog", "cat", "horse", "bird", "cow", "sheep")
    lines = ["caption,paraphrase,negative"]
    lines += [
        f"a red {one} by a black {two},a black {two} near a red {one},a black {one} by a red {two}"
        for one, two in pairwise(animals)
    ]
    (folder / "mine.csv").write_text("\n".join(lines) + "\n")


def make_blocks(folder: Path, clip: Path) -> None:
    """Captions of two pictures."""
    one, two = ("a red dog by a white cat", "a white cat near a red dog"), ("a car", "one car")
    (folder / "mine.txt").write_text("\n".join((*one, "", *two)) + "\n")


def make_coco(folder: Path, clip: Path) -> None:
    """A few captions in the words of `tiny` that have a hard negative."""
    import json

    pairs = [
        ("red square", "blue circle"),
        ("green ring", "black star"),
        ("pink square", "gray ring"),
        ("blue star", "red ring"),
    ]
    rows = [
        {"image": f"{i}.png", "caption": f"a {one} and a {two}"}
        for i, (one, two) in enumerate(pairs)
    ]
    (folder / "DIR").mkdir()
    (folder / "DIR" / "coco_karpathy_train.json").write_text(json.dumps(rows))
    for row in rows:
        Image.new("RGB", (32, 32)).save(folder / "DIR" / row["image"])


@once
def make_searched(folder: Path, clip: Path) -> None:
    """Embeddings of pictures, with the encoder that made them."""
    rows = str(folder / "rows" / "image")
    run(["conceptbind", "embed", "tiny", "--modality", "image", "--out", rows])


@once
def make_runs(folder: Path, clip: Path) -> None:
    """Two finished runs, and the one whose configuration is taken again."""
    make_labels(folder, clip)
    rows, labels = folder / "rows.npy", folder / "labels.csv"
    command = [
        "conceptbind",
        "measure",
        f"file:{rows}",
        "--scenes",
        str(labels),
        "--modality",
        "image",
        "--complexity",
        "none",
        "--geometry",
        "false",
    ]
    run([*command, "--out", str(folder / "runs" / "tiny-clevr2d")])
    for name in ("one", "two"):
        shutil.copytree(folder / "runs" / "tiny-clevr2d", folder / "runs" / name)


THINGS = {
    r"\b(x|y|n|queries)\.npy": make_arrays,
    r"captions\.txt": make_captions,
    r"rows\.npy|labels\.csv": make_labels,
    r"words\.csv": make_words,
    r"pictures/scenes\.csv": make_drawn,
    r"(apply|load_adapter\()\W*fixed": make_adapter,
    r"--captions pairs\.txt": make_pairs,
    r"export fixed": partial(make_adapter, width=256, encoder="tiny"),
    r"--adapter fixed": partial(make_adapter, width=256),  # as wide as tiny
    r"--data PICTURES": make_classes,
    r"\bmine\.csv": make_triplets,
    r"--data mine\.txt": make_blocks,
    r"--data DATA": make_published,
    r"--coco DIR\b": make_coco,
    r"--data DIR": partial(make_published, name="DIR"),
    r"runs/(one|two|tiny-clevr2d)\b|compare runs ": make_runs,
    r"query rows/image": make_searched,
    r"hf:FOLDER": lambda folder, clip: shutil.copytree(clip, folder / "FOLDER"),
}
"""What a command speaks of, and what makes it."""
STANDS_FOR = {"ENCODER": "tiny", "text20:8x8": "text20:4x4"}
"""Words for which the reader puts in a name, and scenes of which fewer will do."""


@pytest.fixture
def place(tmp_path, monkeypatch, request):
    """An empty folder with what a command speaks of."""
    found = request.node.callspec.params["found"]
    clip = request.getfixturevalue("clip_folder")
    for pattern, make in THINGS.items():
        if re.search(pattern, found.text):
            make(tmp_path, clip)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(words: list[str]) -> str:
    """Run a command in this process; what it prints."""
    printed, told = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(told),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("default")  # which the command line shows as lines of its own
        code = cli.main(words[1:])
    assert code == 0, told.getvalue()[-2000:]
    return printed.getvalue()


def words_of(found: Documented) -> list[str]:
    return [STANDS_FOR.get(word, word) for word in shlex.split(found.text)]


# --- the tests
# --------------------------------------------------------------------------------------------------


def commands(kind: str, *, slow: bool) -> list:
    """The commands of a kind that are not marked, those that take long or the others."""
    return [
        pytest.param(found, id=str(found))
        for found in ALL
        if found.kind == kind
        and not found.needs
        and not why(OTHERWISE, found)
        and not (kind == "python" and found.page.startswith("docs/tutorials/"))
        and bool(why(SLOW, found)) == slow
    ]


@pytest.mark.parametrize("found", commands("sh", slow=False))
def test_a_command_runs_as_written(found, place):
    words = words_of(found)
    assert words[0] == "conceptbind", (
        f"{found}: mark it with what it needs (# needs ...), or let something run it"
    )
    run(words)
    if "--out" in words:
        assert Path(words[words.index("--out") + 1]).exists()


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("found", commands("sh", slow=True))
def test_a_long_command_runs_as_written(found, place):
    words = words_of(found)
    if "controlled:" in found.text:
        run(["conceptbind", "train"])
    done = subprocess.run(
        [sys.executable, "-m", *words], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]


class StartedError(BaseException):
    """A command has read and checked what it was given."""


def started(*given, **options):
    raise StartedError


def to_start() -> list:
    """Every command, once, that no quick test runs: the long ones and those inside sentences;
    `conceptbind compare` only names a command.
    """
    found = {
        f.text: f
        for f in ALL
        if f.kind != "python" and f.text.startswith("conceptbind ") and not f.needs
        if (f.kind == "inline" and len(f.text.split()) > 2) or why(SLOW, f)
        if "--help" not in f.text
        and "controlled:" not in f.text  # which needs the model of `conceptbind train`
    }
    return [pytest.param(f, id=str(f)) for f in found.values()]


@pytest.mark.filterwarnings("ignore:.*have no hard negative")
@pytest.mark.parametrize("found", to_start())
def test_every_other_command_starts(found, place, monkeypatch):
    monkeypatch.setattr(RunFolder, "open", started)
    monkeypatch.setattr(embedding, "own", started)
    monkeypatch.setattr(server, "listening", lambda _: server_listening(0))
    monkeypatch.setattr(server, "serve", started)
    with pytest.raises(StartedError), contextlib.redirect_stderr(io.StringIO()):
        cli.main(words_of(found)[1:])


class Rows:
    """Embeddings as far as the pages use them."""

    def __init__(self, values):
        self.values = values / np.linalg.norm(values, axis=1, keepdims=True)

    def unit(self):
        return self


def given(found: Documented, clip: Path) -> dict:
    """What a reader has in hand for a block of Python."""
    from conceptbind.scenes import split_scenes

    rng = np.random.default_rng(0)
    if "finetune(" in found.text:
        from conceptbind import resolve

        lines = ["a red square", "a blue circle", "a green square", "a blue square"] * 4
        images = [Image.new("RGB", (32, 32), (10 * i, 0, 0)) for i in range(16)]
        return {
            "encoder": resolve(f"hf:{clip}", device="cpu"),
            "pictures": images,
            "captions": lines,
            "negatives": [lines[(i + 1) % 16] for i in range(16)],
            "rows": np.arange(12),
            "others": np.arange(12, 16),
        }
    if "LabClip" in found.text or "PairGround(" in found.text:
        x = rng.normal(size=(300, 16))
        return {
            "captions": x,
            "pictures": x + 0.1,
            "negatives": rng.normal(size=x.shape),
            "queries": x[:3],
            "rows": np.arange(200),
            "others": np.arange(200, 300),
        }
    if "text20:10x10" in found.text:
        return {"embeddings": Rows(planted(load_scenes("text20:10x10")))}
    if "complexity_study(" in found.text:
        from conceptbind import resolve
        from conceptbind.probes import fit_scene_probes
        from conceptbind.rows.embeddings import embed

        scenes = load_scenes("clevr2d")
        split = split_scenes(scenes, "pair", seed=0)
        embeddings = embed(resolve("tiny", device="cpu"), scenes, "text", Path("text"))
        probes = fit_scene_probes(embeddings.unit().values, scenes, split)
        return {"embeddings": embeddings, "scenes": scenes, "split": split, "probes": probes}
    return {}


@pytest.mark.parametrize("found", commands("python", slow=False))
def test_python_runs_as_written(found, place, clip_folder):  # noqa: F811
    exec(compile(found.text, str(found), "exec"), given(found, clip_folder))


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("found", commands("python", slow=True))
def test_long_python_runs_as_written(found, place, clip_folder):  # noqa: F811
    exec(compile(found.text, str(found), "exec"), given(found, clip_folder))


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(f, id=str(f))
        for f in ALL
        if f.kind != "python" and f.text.startswith("conceptbind ")
    ],
)
def test_the_options_of_every_command_are_known(found, monkeypatch, tmp_path):
    """Marked and long ones too, and those in the middle of a sentence."""
    words = words_of(found)
    if "--help" in words:
        return
    assert words[1] in cli.COMMANDS, found
    options = {
        word.partition("=")[0].replace("-", "_").strip("_")
        for word in cli.COMMANDS[words[1]].respelled(words[2:])
        if word.startswith("--")
    }
    known = {option.name for option in known_options(cli.COMMANDS[words[1]])}
    assert options <= known, f"{found}: {options - known} are not options of {words[1]}"
    mention = found.kind == "inline" and len(words) == 2  # `conceptbind compare` names the command
    if "config" not in options and not mention:
        parse(words[1:], cli.COMMANDS)


@pytest.mark.parametrize(
    "found", [pytest.param(f, id=str(f)) for f in ALL if re.match(r"(python|pytest) ", f.text)]
)
def test_the_files_that_are_run_are_there(found):
    words = shlex.split(found.text)
    files = [
        word
        for word in words
        if word.endswith(".py") or word.split("/")[0] in ("tests", "bench", "recipes")
    ]
    files += [
        f"{words[at + 1].replace('.', '/')}/__main__.py"
        for at, word in enumerate(words[:-1])
        if word == "-m" and words[0] == "python"
    ]
    assert files
    assert all((ROOT / file).exists() for file in files), found
    options = {word.partition("=")[0] for word in shlex.split(found.text) if word.startswith("--")}
    assert all(
        f'"{option}"' in (ROOT / files[0]).read_text(encoding="utf-8") for option in options
    ), found


def test_marks_say_what_is_needed_and_tables_name_commands_that_are_there():
    for found in ALL:
        assert not found.needs or len(found.needs) > 3, f"{found}: needs what?"
        assert not (found.needs and why(OTHERWISE, found)), found
    for pattern in (*SLOW, *OTHERWISE):
        assert any(re.search(pattern, found.text) for found in ALL), (
            f"no page has {pattern} any more"
        )
    for page in PAGES:
        assert unknown_blocks(page) == [], f"{page.name} has a block whose kind is not said"


def test_commands_and_marks_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "Type `conceptbind train --steps 3` or\n\n```sh\nconceptbind measure   # quick\n"
        "conceptbind measure hf:X --out a \\\n  --seed 1  # needs the weights of X; or "
        "others\n```\n\n"
        "<!-- needs a GPU -->\n```sh\nconceptbind train\n```\n\n```python\nimport "
        "conceptbind\n```\n"
    )
    found = [(f.kind, f.line, f.text, f.needs) for f in documented(page)]
    assert found == [
        ("sh", 4, "conceptbind measure", ""),
        ("sh", 5, "conceptbind measure hf:X --out a    --seed 1", "the weights of X"),
        ("sh", 11, "conceptbind train", "a GPU"),
        ("python", 15, "import conceptbind\n", ""),
        ("inline", 1, "conceptbind train --steps 3", ""),
    ]
