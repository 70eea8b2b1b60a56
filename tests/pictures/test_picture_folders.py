"""A folder of pictures with its table, from the command line to the rows: in order, converted, and
complete or not begun.
"""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest
from PIL import Image

from conceptbind.cli import main
from conceptbind.commands import embed
from conceptbind.rows.embeddings import load
from conceptbind.scenes import load_scenes

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "gray": (128, 128, 128)}


class Eye:
    """Sees the mean colour of the left and of the right half of a picture."""

    id, revision, dimension, modalities = "eye", "1", 6, ("text", "image")
    details = {"precision": "float32"}

    def __init__(self):
        self.seen = 0

    def encode_texts(self, texts):
        return np.array([[len(text), 1, 2, 3, 4, 5] for text in texts], dtype=np.float32)

    def encode_images(self, images):
        self.seen += len(images)
        halves = [
            np.array_split(np.asarray(image, dtype=np.float32), 2, axis=1) for image in images
        ]
        return np.array(
            [np.concatenate([half.mean(axis=(0, 1)) for half in pair]) for pair in halves]
        )


def draw(path, left, right, mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", (16, 8), COLOURS[left])
    picture.paste(COLOURS[right], (8, 0, 16, 8))
    picture.convert(mode).save(path, **options)


def expected(scenes):
    k = scenes.space.index("color")
    names = [[scenes.space.values[k][v] for v in row] for row in scenes.table[:, :, k]]
    return np.array(
        [[value for name in pair for value in COLOURS[name]] for pair in names], dtype=np.float32
    )


def own(folder, column="image"):
    """A table of one's own with every pair of colours, the pictures in a folder beside it, in
    several formats.
    """
    lines = [f"{column},color_1,thing_1,color_2,thing_2"]
    for left in COLOURS:
        for right in COLOURS:
            mode, ending = (
                ("P", "png")
                if left == right
                else ("RGBA", "tiff")
                if left == "red"
                else ("RGB", "bmp")
            )
            draw(folder / "pictures" / f"{left}-{right}.{ending}", left, right, mode)
            lines.append(f"pictures/{left}-{right}.{ending},{left},ball,{right},cube")
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    return str(folder / "table.csv")


def labclip(folder):
    pairs = [("red", "green"), ("blue", "gray")]
    for i, (left, right) in enumerate(pairs):
        draw(folder / "images_2obj" / f"{i}.png", left, right)
    lines = [f"{i}.png,cube,{left},sphere,{right}" for i, (left, right) in enumerate(pairs)]
    (folder / "output_2obj.csv").write_text("\n".join(lines) + "\n")
    return f"clevr:{folder}"


def clevr(folder):
    draw(folder / "images" / "val" / "CLEVR_val_0.png", "red", "blue")
    things = [
        {"color": color, "shape": "cube", "pixel_coords": [x, 4, 9.0]}
        for color, x in (("blue", 12), ("red", 4))
    ]
    (folder / "scenes").mkdir()
    scenes = [
        {"image_filename": "CLEVR_val_0.png", "objects": things},
        {"image_filename": "CLEVR_val_1.png", "objects": things[:1]},
    ]
    (folder / "scenes" / "CLEVR_val_scenes.json").write_text(json.dumps({"scenes": scenes}))
    return f"clevr:{folder / 'scenes' / 'CLEVR_val_scenes.json'}:2"


@pytest.mark.parametrize(
    "write",
    [own, lambda folder: own(folder, "filename"), labclip, clevr],
    ids=["image", "filename", "labclip", "clevr"],
)
def test_every_row_is_that_of_its_picture(tmp_path, write):
    spec = write(tmp_path)
    embed(Eye(), out=str(tmp_path / "out"), scenes=spec, modality="image")
    scenes = load_scenes(spec)
    rows = load(tmp_path / "out")
    rows.check(scenes)
    np.testing.assert_allclose(rows.values, expected(scenes), atol=1)


@pytest.mark.parametrize("world", ["Desert", "Island"])
def test_spare_reads_the_pictures_of_its_world(tmp_path, world):
    header = "filename,world_name,character_name,character2_name,character_texture,character2_texture,character_pos,character2_pos\n"  # noqa: E501
    lines = [
        f"0.png,{place},Crow,Fox,{one},{two},,"
        for place, one, two in (("Desert", "red", "blue"), ("Island", "green", "gray"))
    ]
    (tmp_path / "PUG_SPARE.csv").write_text(header + "\n".join(lines) + "\n")
    draw(tmp_path / "Desert" / "0.png", "red", "blue")
    draw(tmp_path / "Island" / "0.png", "green", "gray")
    embed(
        Eye(), out=str(tmp_path / "out"), scenes=f"pug-spare:{tmp_path}:{world}", modality="image"
    )
    seen = load(tmp_path / "out").values[0]
    assert (
        seen.tolist() == [*COLOURS["red"], *COLOURS["blue"]]
        if world == "Desert"
        else [*COLOURS["green"], *COLOURS["gray"]]
    )


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Runs `conceptbind embed py:own_eye:Eye` and gives its exit status and its last line of
    errors.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_eye.py").write_text(f"import numpy as np\n\n\n{inspect.getsource(Eye)}")

    def run(spec, modality="image"):
        status = main(
            [
                "embed",
                "py:own_eye:Eye",
                "--scenes",
                spec,
                "--modality",
                modality,
                "--out",
                str(tmp_path / "out"),
            ]
        )
        return status, capsys.readouterr().err.strip()

    return run


def test_the_command_embeds_a_folder_of_ones_own(tmp_path, command):
    assert command(own(tmp_path))[0] == 0
    np.testing.assert_allclose(
        load(tmp_path / "out").values, expected(load_scenes("table.csv")), atol=1
    )


def test_a_missing_picture_stops_the_command_before_anything_is_encoded(tmp_path, command):
    spec = own(tmp_path)
    missing = tmp_path / "pictures" / "gray-gray.png"  # the very last one
    missing.unlink()
    status, error = command(spec)
    assert status == 2
    assert (
        f"the scene table names the picture {missing}, which is not there; put the pictures there, "
        "or use --modality text" in error
    )
    assert not (tmp_path / "out").exists()
    assert command(spec, "text")[0] == 0


def test_a_scene_file_without_pictures_says_where_it_looked(tmp_path, command):
    spec = clevr(tmp_path)
    (tmp_path / "images" / "val" / "CLEVR_val_0.png").unlink()
    status, error = command(spec)
    assert status == 2
    places = (
        "scenes",
        "scenes/images",
        "scenes/../images",
        "scenes/images/val",
        "scenes/../images/val",
    )
    looked = " ".join(error.split("looked below ")[1].split())
    assert looked.startswith(str(tmp_path.resolve()))
    assert all(
        str((tmp_path / place).resolve().relative_to(tmp_path.resolve())) in looked
        for place in places
    )


@pytest.mark.parametrize("damage", ["broken", "animated"])
def test_a_bad_picture_is_named_and_goes_on_when_it_is_mended(tmp_path, command, damage):
    spec = own(tmp_path)
    bad = tmp_path / "pictures" / "blue-red.bmp"
    good = bad.read_bytes()
    if damage == "broken":
        bad.write_bytes(good[:100])
    else:
        Image.new("RGB", (4, 4)).save(
            bad, format="GIF", save_all=True, append_images=[Image.new("RGB", (4, 4), "red")]
        )
    status, error = command(spec)
    assert status == 2
    assert str(bad) in error
    assert not list((tmp_path / "out").glob("rows-*"))
    bad.write_bytes(good)
    assert command(spec)[0] == 0
    np.testing.assert_allclose(load(tmp_path / "out").values, expected(load_scenes(spec)), atol=1)


def test_rows_that_are_done_do_not_need_their_pictures_again(tmp_path):
    spec = own(tmp_path)
    embed(Eye(), out=str(tmp_path / "out"), scenes=spec, modality="image")
    for path in (tmp_path / "pictures").iterdir():
        path.unlink()
    again = Eye()
    embed(again, out=str(tmp_path / "out"), scenes=spec, modality="image")
    assert again.seen == 0


def test_the_published_table_without_its_pictures_can_still_be_read_as_text(shared_data, command):
    spec = f"clevr:{shared_data / 'clevr_labels.csv'}"
    status, error = command(spec)
    assert status == 2
    assert (
        f"{shared_data / '0000000.png'}, which is not there (576 of 576 pictures are missing)"
        in error
    )
    assert command(spec, "text")[0] == 0
