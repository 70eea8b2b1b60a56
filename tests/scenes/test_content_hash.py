"""The content hash changes with everything that decides an embedding, and with nothing else: not
with the folder of the pictures, the name of the set, or Python's hash seed.
"""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conceptbind.scenes import ConceptSpace, Scenes, text20

SPACE = ConceptSpace(("color", "shape"), (("red", "blue"), ("cube", "ball")))
TABLE = np.array([[[0, 0], [1, 1]], [[1, 0], [0, 1]]])
BASE = Scenes(SPACE, TABLE, ids=("p", "q"), images=("p.png", "q.png"))
WRITTEN = replace(BASE, written_captions=("one", "two"))


def with_cell(value):
    table = TABLE.copy()
    table[0, 0, 0] = value
    return table


CHANGES = {
    "a concept renamed": replace(BASE, space=ConceptSpace(("colour", "shape"), SPACE.values)),
    "a value renamed": replace(
        BASE, space=ConceptSpace(SPACE.concepts, (("red", "blue"), ("cube", "sphere")))
    ),
    "values reordered": replace(
        BASE, space=ConceptSpace(SPACE.concepts, (("blue", "red"), ("cube", "ball")))
    ),
    "a value added": replace(
        BASE, space=ConceptSpace(SPACE.concepts, (("red", "blue", "green"), ("cube", "ball")))
    ),
    "a cell changed": replace(BASE, table=with_cell(1)),
    "slots exchanged": replace(BASE, table=TABLE[:, ::-1]),
    "rows exchanged": replace(BASE, table=TABLE[::-1]),
    "one slot of twice the rows": Scenes(SPACE, TABLE.reshape(4, 1, 2)),
    "an id changed": replace(BASE, ids=("p", "r")),
    "ids exchanged": replace(BASE, ids=("q", "p")),
    "ids cut elsewhere": replace(BASE, ids=("pq", "")),
    "another template": replace(BASE, template="the {object}"),
    "captions written": WRITTEN,
    "another caption": replace(BASE, written_captions=("one", "three")),
    "captions cut elsewhere": replace(BASE, written_captions=("onet", "wo")),
    "another picture": replace(BASE, images=("p.png", "r.png")),
    "no pictures": replace(BASE, images=None),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_decides_the_embedding_changes_the_hash(change):
    assert CHANGES[change].content_hash != BASE.content_hash


def test_no_two_of_the_changes_share_a_hash():
    assert len({scenes.content_hash for scenes in (BASE, *CHANGES.values())}) == len(CHANGES) + 1


@pytest.mark.parametrize(
    "same",
    [
        replace(BASE, image_folder=Path("/elsewhere")),
        replace(BASE, name="another name"),
        replace(BASE, table=TABLE.astype(np.int16)),
        replace(BASE, table=np.asfortranarray(TABLE)),
        replace(BASE, table=TABLE.astype(">i8")),
        replace(BASE, images=["p.png", "q.png"]),
    ],
    ids=[
        "moved folder",
        "other name",
        "other width",
        "other memory order",
        "other byte order",
        "list of pictures",
    ],
)
def test_what_does_not_decide_the_embedding_leaves_the_hash(same):
    assert same.content_hash == BASE.content_hash


def test_a_template_that_no_caption_uses_leaves_the_hash():
    assert replace(WRITTEN, template="the {object}").content_hash == WRITTEN.content_hash


def test_the_hash_is_sha256_in_hexadecimal():
    assert len(BASE.content_hash) == 64
    assert set(BASE.content_hash) <= set("0123456789abcdef")


PROGRAM = """
import sys
from pathlib import Path
from conceptbind.scenes import load_scenes
import conceptbind.metrics
print(load_scenes("text20:4x3").content_hash, load_scenes(sys.argv[1]).content_hash)
print(sorted({"torch", "sklearn", "scipy", "pandas", "transformers", "PIL", "matplotlib"} & set(sys.modules)))
"""  # noqa: E501


def test_another_process_finds_the_same_hash_and_needs_numpy_only(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("color_1,shape_1\n" + "".join(f"c{i % 7},s{i % 5}\n" for i in range(40)))
    outputs = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(table)],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
            timeout=60,
        )
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    hashes, imported = outputs[0].splitlines()
    assert hashes.split()[0] == text20(4, 3).content_hash
    assert imported == "[]"
