"""The crossmodal study on planted encoders whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.core.errors import MismatchError, ValueRangeError
from conceptbind.crossmodal import caption_bank, crossmodal_study, query_record, query_texts
from conceptbind.repairs import repair_study
from conceptbind.rows.embeddings import Embeddings
from conceptbind.scenes import ConceptSpace, Scenes, full_grid, orbit_ids
from exact_cosines import cosine, unit, whole_numbers, within

SPACE = ConceptSpace(
    ("color", "shape"), (("red", "blue", "green", "gray"), ("square", "circle", "star"))
)


@pytest.fixture(scope="module")
def scenes():
    return full_grid(SPACE)


@pytest.fixture(scope="module")
def bank(scenes):
    return caption_bank(scenes)


def codes(n, d=64, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def by_objects(scenes):
    """Knows which objects are there, in any order."""
    return codes(SPACE.n_objects)[scenes.objects].sum(1)


def by_concepts(scenes):
    """Knows every value and no binding."""
    return sum(
        codes(size, seed=k)[scenes.table[:, :, k]].sum(1) for k, size in enumerate(SPACE.sizes)
    )


def first_color(scenes):
    """The position shortcut: all values, and the colour of the first object apart."""
    return by_concepts(scenes) + codes(SPACE.sizes[0], seed=9)[scenes.table[:, 0, 0]]


def study(encode, scenes, bank, images=None):
    rows = [
        Embeddings(values, modality, table.content_hash, table.name, "planted", "1")
        for values, modality, table in (
            ((images or encode)(scenes), "image", scenes),
            (encode(bank.scenes), "text", bank.scenes),
        )
    ]
    return crossmodal_study(*rows, scenes, bank)


def test_a_binding_encoder_wins_everything(scenes, bank):
    found = study(by_objects, scenes, bank)
    for order in ("either", "as listed", "reversed"):
        assert found.value("binding_accuracy", order=order).value == 1.0
        assert found.value("concept_accuracy", order=order).value == 1.0
    assert found.value("recall_at_1").value == 1.0
    assert found.value("swap_error").value == 0.0
    assert found.n_wrong == 0
    assert found.value("modality_gap").value < 0.2


def test_a_bag_of_concepts_ties_with_every_swap_and_loses(scenes, bank):
    found = study(by_concepts, scenes, bank)
    binding = found.value("binding_accuracy", order="either")
    assert binding.value == 0.0
    assert binding.ties == binding.n
    assert found.value("concept_accuracy", order="either").value == 1.0
    assert found.value("concept_retrieval").value == 1.0
    assert found.value("recall_at_5").value == 1.0
    np.testing.assert_allclose(found.swap_cosines, 1.0)
    # Scenes without ambiguity are still found at rank 1: two equal colours, or two equal shapes.
    alone = (scenes.table[:, 0] == scenes.table[:, 1]).any(axis=1).mean()
    assert found.value("recall_at_1").value == pytest.approx(alone)
    # Every other picture has a swap as its first caption, level with its own: an error, and a tie.
    errors = found.value("swap_error")
    assert errors.value == pytest.approx(1 - alone)
    assert errors.ties == round((1 - alone) * len(scenes))
    assert found.value("concept_retrieval").ties == 0


def test_captions_that_are_all_alike_tie_everywhere(scenes, bank):
    """Whichever caption rounding puts first: each picture with a swap ties with it, and with
    captions of other concepts.
    """
    found = study(lambda table: np.ones((len(table), 5), dtype=np.float32), scenes, bank)
    ambiguous = int((scenes.table[:, 0] != scenes.table[:, 1]).all(axis=1).sum())
    for metric, share, ties in (
        ("swap_error", ambiguous / len(scenes), ambiguous),
        ("concept_retrieval", 0.0, len(scenes)),
    ):
        assert (found.value(metric).value, found.value(metric).ties) == (pytest.approx(share), ties)


def test_binding_accuracy_without_a_repair_is_one_quantity_with_one_interval(scenes, bank):
    """In the study between pictures and captions and in the table of repairs."""
    rng = np.random.default_rng(0)

    def noisy(table):
        return (
            by_objects(table)
            + 0.7 * by_concepts(table)
            + 0.5 * rng.normal(size=(len(table), by_objects(table).shape[1])).astype(np.float32)
        )

    pictures = Embeddings(
        noisy(scenes).astype(np.float32), "image", scenes.content_hash, scenes.name, "planted", "1"
    )
    captions = Embeddings(
        noisy(bank.scenes).astype(np.float32),
        "text",
        bank.scenes.content_hash,
        bank.scenes.name,
        "planted",
        "1",
    )
    measured = crossmodal_study(pictures, captions, scenes, bank)
    mended = repair_study(pictures, captions, scenes, bank, options={"epochs": 1})
    for metric, extra in (
        ("binding_accuracy", {"order": "either"}),
        ("recall_at_1", {}),
        ("caption_swap_cosine", {}),
    ):
        one = measured.value(metric, **extra)
        other = next(r for r in mended.records if (r.metric, r.repair) == (metric, "none"))
        assert (one.value, one.ci_low, one.ci_high, one.n, one.ties) == (
            other.value,
            other.ci_low,
            other.ci_high,
            other.n,
            other.ties,
        )


def test_the_position_shortcut_wins_one_order_and_loses_the_other(scenes, bank):
    found = study(first_color, scenes, bank)
    assert found.value("binding_accuracy", order="as listed").value > 0.95
    assert found.value("binding_accuracy", order="reversed").value < 0.05
    # A true caption and its swap in the other order name the same colour first: those two of the
    # four comparisons tie.
    assert found.value("binding_accuracy", order="either").value == pytest.approx(0.25, abs=0.03)


def test_swap_errors_are_counted(scenes, bank):
    """Captions that say the swap: every ambiguous picture chooses its attribute swap."""

    def swapped(table):
        other = table.table.copy()
        other[:, :, 0] = other[:, ::-1, 0]
        return by_objects(Scenes(table.space, other))

    found = study(by_objects, scenes, bank, images=swapped)
    ambiguous = (scenes.table[:, 0] != scenes.table[:, 1]).all(axis=1).mean()
    assert found.value("binding_accuracy", order="either").value == 0.0
    assert found.value("swap_error").value == pytest.approx(ambiguous)
    assert all(wrong.swapped for wrong in found.wrong)


@pytest.mark.parametrize("seed", range(6))
def test_ties_are_those_of_arithmetic_without_rounding(scenes, bank, seed):
    """Retrieval of pictures and captions that are small whole numbers, so that many cosines are
    equal.
    """
    rng = np.random.default_rng(seed)
    x, y = (
        whole_numbers(rng, len(scenes), 2 + seed % 3),
        whole_numbers(rng, len(bank.scenes), 2 + seed % 3),
    )
    rows = (x, "image", scenes), (y, "text", bank.scenes)
    found = crossmodal_study(
        *(
            Embeddings(unit(v), kind, table.content_hash, table.name, "whole", "1")
            for v, kind, table in rows
        ),
        scenes,
        bank,
    )
    candidates, own = np.unique(bank.sets, return_inverse=True)
    orbits = orbit_ids(bank.scenes.select(candidates))
    outcomes = {"recall_at_1": [], "recall_at_5": [], "swap_error": [], "concept_retrieval": []}
    for picture, mine in zip(x, own, strict=True):
        scores = [cosine(picture, y[row]) for row in candidates]
        me, same = scores[mine], orbits == orbits[mine]
        swap = max((scores[i] for i in np.flatnonzero(same) if i != mine), default=None)
        other = max(scores[i] for i in np.flatnonzero(~same))
        error = swap is not None and swap >= me and swap >= other
        rest = [score for i, score in enumerate(scores) if i != mine]
        outcomes["recall_at_1"].append(within(rest, me, 1))
        outcomes["recall_at_5"].append(within(rest, me, 5))
        outcomes["swap_error"].append((error, error and swap in (me, other)))
        outcomes["concept_retrieval"].append((me > other, me == other))
    for metric, pairs in outcomes.items():
        hits, ties = map(sum, zip(*pairs, strict=True))
        assert (found.value(metric).value, found.value(metric).ties) == (
            pytest.approx(hits / len(x)),
            ties,
        ), metric


def test_the_bank_holds_no_swap_that_is_its_scene(scenes, bank):
    keys = np.sort(bank.scenes.objects, axis=1)
    own, swap = keys[bank.true[bank.swap_of, 0]], keys[bank.swaps[:, 0]]
    assert (own != swap).any(axis=1).all()
    values = np.sort(bank.scenes.table, axis=1).reshape(len(bank.scenes), -1)
    assert (values[bank.true[bank.swap_of, 0]] == values[bank.swaps[:, 0]]).all()  # the same values
    assert (values[bank.true[bank.replaced_of, 0]] != values[bank.replaced[:, 0]]).sum(
        axis=1
    ).min() >= 1
    captions = list(bank.scenes.captions())
    assert len(set(captions)) == len(captions)
    assert captions[bank.true[5, 1]] == " and ".join(reversed(scenes.caption(5).split(" and ")))


def test_three_objects_have_a_swap_for_every_pair():
    scenes = Scenes(SPACE, np.array([[[0, 0], [1, 1], [2, 2]]]))
    bank = caption_bank(scenes)
    assert len(bank.swap_of) == 3
    assert study(by_objects, scenes, bank).value("binding_accuracy", order="either").value == 1.0


def test_order_of_scenes_does_not_matter(scenes):
    order = np.random.default_rng(0).permutation(len(scenes))
    one, two = (
        study(by_objects, table, caption_bank(table)).value("recall_at_1").value
        for table in (scenes, scenes.select(order))
    )
    assert one == two


def test_text_queries_read_what_is_planted(scenes):
    rows = Embeddings(by_objects(scenes), "image", scenes.content_hash, scenes.name, "planted", "1")
    record = query_record(rows, codes(SPACE.n_objects), scenes, None)
    assert record.value > 0.95
    assert record.n == len(scenes)
    assert query_texts(scenes, 0) == [
        "a red object",
        "a blue object",
        "a green object",
        "a gray object",
    ]
    assert query_texts(scenes, 1)[0] == "a square"
    assert query_texts(scenes, None)[0] == "a red square"


def test_queries_that_are_equal_tie_however_small_their_cosines(scenes):
    """Rounding is that of unit rows: cosines near 0 are sums of terms that are not."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(len(scenes), 512)).astype(np.float32)
    query = rng.normal(size=512)
    query -= values.T @ np.linalg.lstsq(values @ values.T, values @ query, rcond=None)[0]
    # One query in several sums of its terms: equal, but for rounding.
    queries = np.stack(
        [query + 1e-7 * rng.normal(size=512) * np.abs(query).mean() for _ in range(SPACE.n_objects)]
    )
    rows = Embeddings(values, "image", scenes.content_hash, scenes.name, "planted", "1")
    record = query_record(rows, queries.astype(np.float32), scenes, None)
    assert (record.value, record.ties) == (0.0, record.n)


def test_rows_of_two_encoders_are_refused(scenes, bank):
    images = Embeddings(by_objects(scenes), "image", scenes.content_hash, scenes.name, "one", "1")
    captions = Embeddings(
        by_objects(bank.scenes), "text", bank.scenes.content_hash, bank.scenes.name, "two", "1"
    )
    with pytest.raises(MismatchError, match="pictures were embedded by 'one' .* captions by 'two'"):
        crossmodal_study(images, captions, scenes, bank)


def test_written_captions_cannot_be_swapped():
    scenes = Scenes(
        SPACE, np.array([[[0, 0], [1, 1]]]), written_captions=["a red square near a blue circle"]
    )
    with pytest.raises(ValueRangeError, match="came with the table"):
        caption_bank(scenes)
