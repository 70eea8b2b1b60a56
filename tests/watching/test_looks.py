"""A look has the numbers of `measure`, and intervals where that has none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from conceptbind import measure, resolve
from conceptbind.core.errors import MismatchError, ValueRangeError
from conceptbind.factors.means import effects_of, labels_of, value_means
from conceptbind.factors.measures import cosines_of
from conceptbind.geometry.spectra import spectrum
from conceptbind.metrics.intervals import mean_interval
from conceptbind.scenes import ConceptSpace, full_grid, load_scenes, split_scenes, text20
from conceptbind.watching.looking import look_at
from conceptbind.watching.parts import PARTS, angle_items, binding_items
from conceptbind.watching.suite import Suite

MAIN = {
    "probe": {"metric": "object_recognition"},
    "within": {"metric": "paraphrase_accuracy", "order": None, "wording": None, "concept": None},
    "crossmodal": {"metric": "binding_accuracy", "order": "either"},
    "spectrum": {"metric": "binding_share"},
    "factors": {"metric": "across_value_cosine", "split": "train", "factors": None},
}


def same_as_measured(look, records):
    """Value, interval, n and ties, where the run has them."""
    compared = 0
    for found in look.numbers:
        study, _, modality, setting = found.key
        more = {"setting": setting} if setting else {}
        asked = {"study": study, "modality": modality, "control": "none", **MAIN[study], **more}
        there, mine = records.one(**asked), found.record
        assert (mine.value, mine.n) == (there.value, there.n), found.key
        if there.ci_low is not None:
            assert (mine.ci_low, mine.ci_high) == (there.ci_low, there.ci_high), found.key
        assert found.outcome.right.mean() == pytest.approx(mine.value, abs=1e-9)
        compared += 1
    return compared


def test_numbers_and_verdicts_are_those_of_measure(suite, scenes, tmp_path):
    tiny = resolve("tiny", device="cpu")
    studies = "probe,within,crossmodal"
    run = measure(tiny, scenes=scenes, studies=studies, controls=False, out=tmp_path / "run")
    look = look_at(suite, tiny, step=3, name="c")
    levels = [one for one in look.numbers if one.key[0] in studies]
    assert same_as_measured(look_of(look, levels), run.records) == 7
    assert [v.sentence for v in look.verdicts] == [v.sentence for v in run.verdicts]
    assert (look.step, look.name) == (3, "c")


def look_of(look, numbers):
    return type(look)(look.step, look.name, numbers, look.verdicts, look.seconds)


@pytest.mark.slow
def test_all_numbers_are_those_of_measure_and_have_intervals(tmp_path):
    tiny = resolve("tiny", device="cpu")
    colors = ("red", "blue", "green", "yellow")
    space = ConceptSpace(("color", "shape"), (colors, ("circle", "square", "triangle")))
    twelve = replace(full_grid(space, name="twelve"), drawing="flat")
    run = measure(
        tiny,
        scenes=twelve,
        studies="probe,within,crossmodal,geometry,factors",
        controls=False,
        out=tmp_path / "run",
    )
    look = look_at(Suite(tmp_path / "suite", twelve), tiny)
    assert same_as_measured(look, run.records) == 11
    assert all(one.record.ci_low is not None for one in look.numbers)


def test_captions_alone_have_no_level_between_pictures_and_captions(tmp_path):
    class Letters:
        id, revision, dimension, modalities = "letters", "1", 26, ("text",)

        def encode_texts(self, texts):
            counts = [[text.count(chr(97 + i)) for i in range(26)] for text in texts]
            return np.array(counts, float)

        def encode_images(self, images):
            raise NotImplementedError

    look = look_at(Suite(tmp_path, text20(4, 4)), Letters())
    assert {one.key[:1] + one.key[2:] for one in look.numbers} == {
        ("probe", "text", ""),
        ("within", "text", "neutral"),
        ("within", "text", "trap"),
        ("spectrum", "text", ""),
        ("factors", "text", ""),
    }
    assert [v.level for v in look.verdicts] == [1, 2]
    assert not {v.word for v in look.verdicts} & {"yes", "partly"}


def test_the_words_that_the_first_look_knew_hold_for_all(tmp_path):
    suite = Suite(tmp_path, text20(3, 3))

    class Some:
        id, revision, dimension, modalities = "some", "1", 4, ("text",)
        refused = ()

        def encode_texts(self, texts):
            if any(word in text for text in texts for word in self.refused):
                raise ValueRangeError("an unknown word")
            return np.array([[len(t), t.count("a"), t.count("e"), 1] for t in texts], float)

        def encode_images(self, images):
            raise NotImplementedError

    one = Some()
    assert suite.reworded(one) is not None
    one.refused = ("there",)
    with pytest.raises(MismatchError, match="its tokenizer knows the paraphrases"):
        suite.reworded(one)


def test_scenes_without_a_swap_are_refused(tmp_path):
    one = full_grid(ConceptSpace(("shape",), (("circle", "square"),)))
    with pytest.raises(ValueRangeError, match="no scene of 'grid' has an attribute swap"):
        Suite(tmp_path, one)
    table = tmp_path / "own.csv"
    table.write_text(
        "color_1,shape_1,color_2,shape_2,caption\nred,circle,blue,square,one\n"
        "blue,circle,red,square,two\n"
    )
    with pytest.raises(ValueRangeError, match="leave out the column 'caption'"):
        Suite(tmp_path, load_scenes(str(table)))


# --- intervals


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def rows_of(scenes, binding, seed=0, width=24, noise=0.3):
    """Rows that are sums of values and, in part, of whole objects."""
    rng = np.random.default_rng(seed)
    space = scenes.space
    values = [rng.normal(size=(size, width)) for size in space.sizes]
    objects = rng.normal(size=(space.n_objects, width))
    rows = noise * rng.normal(size=(len(scenes), width))
    for slot in range(scenes.n_slots):
        rows += sum(v[scenes.table[:, slot, k]] for k, v in enumerate(values))
        rows += binding * objects[scenes.objects[:, slot]]
    return unit(rows)


def test_binding_items_have_the_binding_share_as_their_mean(scenes):
    rows = rows_of(scenes, 0.7)
    share, items = binding_items(rows, scenes)
    assert share == spectrum(rows, scenes).binding_share
    assert items.mean() == pytest.approx(share, abs=1e-9)
    some = scenes.select(np.arange(70))
    assert binding_items(rows[:70], some)[1] is None


def test_the_interval_of_the_binding_share_is_as_wide_as_noise_moves_it():
    """Draws of the noise of scenes: the interval says how far the share lies from its mean."""
    scenes, shares = text20(4, 4), []
    for seed in range(40):
        rng = np.random.default_rng(100 + seed)
        rows = rows_of(scenes, 0.7, noise=0.0)
        rows = unit(rows + 0.15 * rng.normal(size=rows.shape))
        share, items = binding_items(rows, scenes)
        shares.append((share, mean_interval(items, None, (0.0, 1.0))))
    mean = np.mean([share for share, _ in shares])
    inside = sum(low <= mean <= high for _, (low, high) in shares)
    assert inside >= 36
    spread = np.std([share for share, _ in shares])
    width = np.mean([(high - low) / 3.92 for _, (low, high) in shares])
    assert 0.8 < width / spread < 2.5


def test_angle_items_are_a_jackknife_of_the_cosines_of_measure():
    scenes = text20(4, 4)
    rows, split = rows_of(scenes, 0.5), split_scenes(scenes, "pair", seed=0)
    value, n, items = angle_items(rows, scenes, split.train)
    labels = labels_of(scenes)
    whole = cosines_of(effects_of(value_means(rows, labels, split.train)))
    assert (value, n) == (whole.across, whole.n_across)
    assert items.mean() == pytest.approx(value, abs=1e-12)
    assert len(items) == PARTS
    spread = np.sqrt(np.square(items - value).sum() / (PARTS * (PARTS - 1)))
    rng = np.random.default_rng(0)
    drawn = [
        cosines_of(
            effects_of(value_means(rows, labels, rng.choice(split.train, len(split.train))))
        ).across
        for _ in range(100)
    ]
    assert 0.4 < spread / np.std(drawn) < 2.0
