"""Recognition: every present candidate strictly above every absent one. A tie is a miss and is
counted; a bag of concepts, which ties by construction, recognises concepts and not objects.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import label_ranking_loss

from conceptbind.core.errors import ConceptBindError, ShapeError, ValueRangeError
from conceptbind.metrics import join, recognition
from conceptbind.metrics.recognitions import held_among, magnitude, recognised_by
from conceptbind.scenes import clevr_grid


@st.composite
def tables(draw):
    """Integer scores, so that ties are common, with at least one present candidate in every
    scene.
    """
    n, width = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    cells = n * width
    scores = np.array(
        draw(st.lists(st.integers(-2, 2), min_size=cells, max_size=cells)), dtype=float
    ).reshape(n, width)
    present = np.array(draw(st.lists(st.booleans(), min_size=cells, max_size=cells))).reshape(
        n, width
    )
    present[np.arange(n), draw(st.lists(st.integers(0, width - 1), min_size=n, max_size=n))] = True
    return scores, present


def plain(scores, present):
    """The definition, one comparison after another."""
    correct, tied, scored = [], [], []
    for row, held in zip(scores.tolist(), present.tolist(), strict=True):
        inside = [score for score, here in zip(row, held, strict=True) if here]
        outside = [score for score, here in zip(row, held, strict=True) if not here]
        correct.append(all(high > low for high in inside for low in outside))
        tied.append(bool(outside) and min(inside) == max(outside))
        scored.append(bool(outside))
    return correct, tied, scored


def test_five_scenes_by_hand():
    present = np.array([[1, 1, 0, 0]] * 4 + [[1, 1, 1, 1]])
    scores = np.array(
        [
            [3, 2, 1, 0],  # right
            [3, 1, 1, 0],  # tied: one present scores as much as one absent
            [3, 1, 2, 0],  # wrong
            [1, 1, 1, 1],  # all equal: tied
            [0, 0, 0, 0],  # holds everything: nothing to confuse
        ]
    )
    outcome = recognition(scores, present)
    assert outcome.correct[:4].tolist() == [True, False, False, False]
    assert outcome.tied.tolist() == [False, True, False, True, False]
    assert outcome.scored.tolist() == [True, True, True, True, False]
    assert (outcome.n, outcome.hits, outcome.ties, outcome.accuracy) == (4, 1, 2, 0.25)


@given(tables())
@settings(max_examples=50, deadline=None)
def test_it_agrees_with_a_plain_loop(table):
    outcome = recognition(*table)
    correct, tied, scored = plain(*table)
    assert outcome.correct.tolist() == correct
    assert outcome.tied.tolist() == tied
    assert outcome.scored.tolist() == scored
    assert outcome.hits == sum(c and s for c, s in zip(correct, scored, strict=True))
    assert not (outcome.correct & outcome.tied).any()


@given(tables())
@settings(max_examples=50, deadline=None)
def test_scikit_learn_finds_no_wrongly_ordered_pair_in_correct_scenes_and_only_there(table):
    scores, present = table
    outcome = recognition(scores, present)
    for row in np.flatnonzero(outcome.scored):
        assert outcome.correct[row] == (label_ranking_loss(present[[row]], scores[[row]]) == 0)


@given(tables(), st.data())
@settings(max_examples=50, deadline=None)
def test_names_orders_and_monotone_scales_do_not_matter(table, data):
    scores, present = table
    outcome = recognition(scores, present)
    columns = np.array(data.draw(st.permutations(range(scores.shape[1]))))
    rows = np.array(data.draw(st.permutations(range(scores.shape[0]))))
    renamed = recognition(scores[:, columns], present[:, columns])
    moved = recognition(scores[rows], present[rows])
    scaled = recognition(7 * scores**3 - 100, present)
    for field in ("correct", "tied", "scored"):
        assert (getattr(renamed, field) == getattr(outcome, field)).all()
        assert (getattr(moved, field) == getattr(outcome, field)[rows]).all()
        assert (getattr(scaled, field) == getattr(outcome, field)).all()


@pytest.mark.parametrize("value", [0, -1, 3.5, 1e300])
def test_a_scorer_that_says_the_same_of_everything_scores_zero(value):
    grid = clevr_grid()
    outcome = recognition(np.full((576, 24), value), grid.presence())
    assert (outcome.n, outcome.accuracy, outcome.ties) == (576, 0.0, 576)


def test_the_true_scorer_scores_one_and_its_opposite_zero():
    present = clevr_grid().presence()
    right, wrong = (
        recognition(present.astype(float), present),
        recognition(-present.astype(float), present),
    )
    assert (right.accuracy, right.ties) == (1.0, 0)
    assert (wrong.accuracy, wrong.ties) == (0.0, 0)


def test_a_bag_of_concepts_recognises_concepts_but_not_objects():
    """An object scores its present values. Two objects that share nothing tie with their swap: 24 *
    14 of 576 scenes.
    """
    grid = clevr_grid()
    colors, shapes = grid.presence(0).astype(int), grid.presence(1).astype(int)
    assert recognition(colors, grid.presence(0)).accuracy == 1.0
    assert recognition(shapes, grid.presence(1)).accuracy == 1.0
    values = grid.space.object_values(np.arange(24))
    objects = recognition(colors[:, values[:, 0]] + shapes[:, values[:, 1]], grid.presence())
    assert objects.n == 576
    assert objects.ties == 24 * (8 - 1) * (3 - 1)
    assert objects.hits == 576 - 24 * 14  # what is left shares a colour or a shape
    shared = (grid.table[:, 0] == grid.table[:, 1]).any(axis=1)
    assert (objects.correct == shared).all()
    assert (objects.tied == ~shared).all()


def test_scenes_that_hold_every_candidate_are_not_scored():
    outcome = recognition(np.zeros((3, 2)), np.ones((3, 2)))
    assert (outcome.n, outcome.hits, outcome.ties) == (0, 0, 0)
    assert np.isnan(outcome.accuracy)


def test_no_scenes_at_all():
    outcome = recognition(np.zeros((0, 4)), np.zeros((0, 4)))
    assert outcome.n == 0
    assert np.isnan(outcome.accuracy)


@given(tables(), st.data())
@settings(max_examples=30, deadline=None)
def test_chunks_join_to_the_whole(table, data):
    scores, present = table
    cut = data.draw(st.integers(0, len(scores)))
    whole = recognition(scores, present)
    joined = join(
        [recognition(scores[:cut], present[:cut]), recognition(scores[cut:], present[cut:])]
    )
    assert (joined.n, joined.hits, joined.ties) == (whole.n, whole.hits, whole.ties)
    assert joined.correct.tolist() == whole.correct.tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_is_refused(bad):
    scores = np.zeros((4, 3))
    scores[2, 1] = bad
    with pytest.raises(
        ValueRangeError,
        match="^scores must be finite; 1 of 4 rows hold NaN or infinite numbers, the first at "
        "index 2$",
    ):
        recognition(scores, np.ones((4, 3)))


@pytest.mark.parametrize(
    ("scores", "present"),
    [((4, 3), (4, 2)), ((4, 3), (3, 3)), ((4,), (4,)), ((4, 3, 1), (4, 3, 1))],
)
def test_other_shapes_are_refused(scores, present):
    with pytest.raises(ShapeError) as caught:
        recognition(np.zeros(scores), np.ones(present))
    assert str(caught.value) == (
        "scores and presence must be two (scenes, candidates) tables of one shape; got "
        f"{scores} and {present}"
    )
    assert isinstance(caught.value, ConceptBindError)


def test_no_candidates_and_no_outcomes_are_refused():
    with pytest.raises(
        ShapeError, match=r"^there are no candidates to score: the table has shape \(2, 0\)$"
    ):
        recognition(np.zeros((2, 0)), np.zeros((2, 0)))
    with pytest.raises(
        ShapeError, match="^there are no outcomes to join; score at least one scene$"
    ):
        join([])


def test_a_scene_that_holds_no_candidate_is_named():
    with pytest.raises(ShapeError, match="^the scene at index 1 holds none of the 3 candidates$"):
        recognition(np.zeros((2, 3)), np.array([[1, 0, 0], [0, 0, 0]]))


def test_recognition_by_weights_by_hand():
    """The second scene ties, up to rounding of terms as large as its row and the longest weight."""
    weight = np.array([[1.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])
    rows = np.array([[1.0, 1.0], [3.0, 1.0], [1.0, 0.0]])
    present = held_among(np.array([4, 7, 9]), np.array([[4, 7], [7, 7], [4, 4]]))
    assert present.tolist() == [[True, True, False], [False, True, False], [True, False, False]]
    outcome = recognised_by(weight, rows, present)
    assert outcome.correct.tolist() == [True, False, True]
    assert outcome.tied.tolist() == [False, True, False]
    assert magnitude(rows, weight).tolist() == [3 * np.sqrt(2), 3 * np.sqrt(10), 3.0]
    two = recognised_by(weight, rows[1:], present[1:])
    assert (two.correct.tolist(), two.tied.tolist()) == ([False, True], [True, False])
    # what rounding explains grows with the row, not with the scores that are left of it
    long = np.array([[1e6, 1e-12]])
    assert recognised_by(weight[:2] * [1e-15, 1.0], long, present[1:2, :2]).ties == 1
    assert held_among(np.array([4, 7, 9]), np.array([[9, 4]])).tolist() == [[True, False, True]]
