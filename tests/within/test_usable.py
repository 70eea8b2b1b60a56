"""Level 2 asked of real cases: which can be judged, and what is drawn for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from conceptbind import measure
from conceptbind.commands.measuring import Measure
from conceptbind.commands.parsing import parse
from conceptbind.core.errors import ConceptBindError
from conceptbind.core.names import Control
from conceptbind.encoders.options import Opening
from conceptbind.encoders.registry import open_encoder
from conceptbind.pictures.folder import draw_pictures
from conceptbind.scenes import ConceptSpace, Scenes, full_grid, load_scenes, split_scenes
from conceptbind.scenes.swaps import orbit_ids, pair_ids
from conceptbind.studies import Asked, Case
from conceptbind.within.pictures import given_triplets, picture_bank
from conceptbind.within.triplets import NEUTRAL, TRAP
from conceptbind.within.usable import DRAWN, Usable
from planted import object_codes

SPACE = ConceptSpace(("color", "shape"), (("red", "blue", "green"), ("square", "circle")))
ASKED = Asked(controls=False, paraphrased=40, redrawn=24)


@pytest.fixture(scope="module")
def tiny() -> Any:
    return open_encoder("tiny", Opening())


def case(source: Any, table: Scenes, folder: Path, *modalities: Any, **asked: Any) -> Case:
    options = Asked(**{**vars(ASKED), **asked})
    return Case(source, table, split_scenes(table), modalities, folder, options)


def test_tiny_is_judged_in_both_modalities(tiny: Any, tmp_path: Path) -> None:
    table = draw_pictures(load_scenes("clevr2d").select(np.arange(240)), tmp_path / "drawn")
    found = Usable().run(case(tiny, table, tmp_path, "text", "image"))
    text, image = found.found
    assert [verdict.modality for verdict in found.verdicts] == ["text", "image"]
    assert {verdict.level for verdict in found.verdicts} == {2}
    assert text.value(NEUTRAL).n <= 40
    assert image.value(TRAP).n <= 24
    assert image.value(NEUTRAL).value > 0.8, "tiny's pictures bind"
    assert [outcome.about["modality"] for outcome in found.outcomes] == [
        *("text", "text"),
        *("image", "image"),
    ]
    bag = found.records.where(control=Control.BAG_OF_CONCEPTS)
    assert {record.value for record in bag} == {0.0}
    assert text.items.left_out == ("next to", "that is"), "tiny does not know these words"
    left_out = found.sections[0].data["text"]
    assert "does not know, or that it cuts: next to, that is." in left_out
    drawn = len(list((tmp_path / DRAWN).glob("*.png")))
    assert 0 < drawn <= 12 * len(np.unique(image.items.clusters)), "an orbit has four, drawn thrice"


def test_the_traps_keep_places_and_sizes(tmp_path: Path) -> None:
    table = Scenes(SPACE, full_grid(SPACE).table, drawing="flat")
    bank = picture_bank(table)
    pictures = draw_pictures(
        bank.pictures, tmp_path, seed=3, places=[int(number) for number in bank.places]
    )
    neutral, trap = bank.settings
    meant, orbit = pair_ids(pictures), orbit_ids(pictures)

    def ground(row: int) -> np.ndarray:
        """Where a picture has objects."""
        assert pictures.images is not None
        values = np.asarray(Image.open(tmp_path / pictures.images[row])).astype(int)
        return np.abs(values - 200).max(axis=2) > 0

    assert (meant[neutral.anchor] == meant[neutral.paraphrase]).all()
    assert (orbit[neutral.anchor] == orbit[neutral.negative]).all()
    for triplets in (neutral, trap):
        assert (meant[triplets.anchor] != meant[triplets.negative]).all()
        assert (bank.places[triplets.anchor] != bank.places[triplets.paraphrase]).all()
    assert (bank.places[trap.anchor] == bank.places[trap.negative]).all()
    three = (neutral.anchor, neutral.paraphrase, neutral.negative)
    places = np.stack([bank.places[part] for part in three])
    assert (places[0] != places[2]).all()
    assert (places[1] != places[2]).all()
    # the swap that keeps the shapes in place covers the very same pixels
    table_of = bank.pictures.table
    same_shapes = [
        k
        for k in range(len(trap))
        if (table_of[trap.anchor[k], :, 1] == table_of[trap.negative[k], :, 1]).all()
    ]
    assert same_shapes
    for k in same_shapes[:5]:
        assert (ground(int(trap.anchor[k])) == ground(int(trap.negative[k]))).all()
        assert (ground(int(trap.anchor[k])) != ground(int(trap.paraphrase[k]))).any()


def test_given_pictures_of_the_same_objects_are_paraphrases() -> None:
    table = full_grid(SPACE)
    found = given_triplets(table)
    assert found is not None
    items, triplets = found
    meant = pair_ids(table)
    assert (meant[triplets.anchor] == meant[triplets.paraphrase]).all()
    assert (triplets.anchor != triplets.paraphrase).all()
    assert (meant[triplets.anchor] != meant[triplets.negative]).all()
    assert (orbit_ids(table)[triplets.anchor] == orbit_ids(table)[triplets.negative]).all()
    assert (items.scene[triplets.item] == triplets.anchor).all()


def test_one_picture_a_scene_cannot_be_judged(tmp_path: Path) -> None:
    rows = full_grid(SPACE).table
    once = Scenes(SPACE, rows[pair_ids(Scenes(SPACE, rows)).argsort()][::2])
    once = once.select(np.unique(pair_ids(once), return_index=True)[1])
    assert given_triplets(once) is None
    values = object_codes(once, 12)
    reason = Usable().applies(case(values, once, tmp_path, "image"))
    assert reason == "no scene has a second picture and one of its swap"


def test_rows_of_pictures_are_judged_neutral(tmp_path: Path) -> None:
    table = full_grid(ConceptSpace(("color", "shape"), (tuple("rgbyk"), tuple("scto"))))
    found = Usable().run(case(object_codes(table, 30), table, tmp_path, "image"))
    (study,) = found.found
    assert list(study.settings) == [NEUTRAL]
    assert study.value(NEUTRAL).value == 1.0
    assert found.verdicts[0].word == "partly"


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ("captions are rows", "an encoder is needed to embed paraphrases"),
        ("captions came with the table", "cannot be put in other words"),
        ("one concept", "it needs two concepts"),
        ("no swap", "no scene has an attribute swap"),
    ],
)
def test_what_cannot_be_judged_says_why(made: str, reason: str, tiny: Any, tmp_path: Path) -> None:
    table, source = full_grid(SPACE), tiny
    if made == "captions are rows":
        source = object_codes(table, 12)
    elif made == "captions came with the table":
        table = Scenes(SPACE, table.table, written_captions=["a red square"] * len(table))
    elif made == "one concept":
        table = full_grid(ConceptSpace(("color",), (("red", "blue", "green"),)))
    else:
        same_shape = table.table[:, 0, 1] == table.table[:, 1, 1]
        table = Scenes(SPACE, table.table[same_shape])
    told = Usable().applies(case(source, table, tmp_path, "text"))
    assert told is not None
    assert reason in told


def test_a_modality_that_cannot_be_judged_stands_beside_one_that_can(
    tiny: Any, tmp_path: Path
) -> None:
    table = full_grid(SPACE)
    told = ["a red square"] * len(table)
    written = Scenes(SPACE, table.table, written_captions=told, drawing="flat")
    pictured = draw_pictures(written, tmp_path / "drawn")
    found = Usable().run(case(tiny, pictured, tmp_path, "text", "image"))
    text, image = found.verdicts
    assert (text.word, text.n) == ("unclear", 0)
    assert text.sentence.endswith("cannot be put in other words.")
    assert image.n


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"synonyms": ["rot=red"]}, "'rot', which is a value of no concept"),
        ({"synonyms": ["red"]}, "VALUE=WORD,WORD"),
        ({"synonyms": {"red": ["blue"]}}, "would stand for two values"),
        ({"paraphrased": -1}, "paraphrased must be a number of scenes"),
        ({"redrawn": -3}, "redrawn must be a number of scenes"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ConceptBindError, match=words):
        measure("tiny", studies="within", out=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_synonyms_on_a_command_line_are_words_of_one_value(tmp_path: Path) -> None:
    words = ["measure", "tiny", "--synonyms", "red=crimson,scarlet", "--synonyms", "blue=b"]
    asked = parse(words, {"measure": Measure})
    assert not isinstance(asked, str)
    assert asked.command.configuration()["synonyms"] == ["red=crimson,scarlet", "blue=b"]


def test_a_requirement_on_level_two_names_both_settings(tmp_path: Path) -> None:
    found = measure(
        "tiny",
        studies="within",
        modality="text",
        controls=False,
        paraphrased=40,
        out=tmp_path / "run",
        require=["within.text>=5%", "within.text.neutral>=99.9%", "within.text.trap.low>=0"],
    )
    assert found.gate is not None
    met = [one.met for one in found.gate.judged]
    assert met == [True, False, True]
    assert "neutral" in found.gate.judged[1].reason
    assert found.within[0].value(TRAP).value is not None
    again = measure(
        "tiny",
        studies="within",
        modality="text",
        controls=False,
        paraphrased=40,
        out=tmp_path / "run",
    )
    assert again.records == found.records
    assert again.verdicts == found.verdicts
