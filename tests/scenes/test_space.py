"""A concept space numbers its objects once: ids and values are inverse, and every bad name is told
with the nearest good one.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conceptbind.core.errors import ConceptBindError, ShapeError, UnknownNameError, ValueRangeError
from conceptbind.scenes import ConceptSpace

SPACE = ConceptSpace(("color", "shape"), (("red", "blue", "green"), ("cube", "ball")))


def space_of(sizes):
    return ConceptSpace(
        tuple(f"concept{k}" for k in range(len(sizes))),
        tuple(tuple(f"v{k}.{v}" for v in range(size)) for k, size in enumerate(sizes)),
    )


def test_the_last_concept_varies_fastest():
    names = [SPACE.object_name(i) for i in range(SPACE.n_objects)]
    assert names == ["red cube", "red ball", "blue cube", "blue ball", "green cube", "green ball"]
    assert SPACE.sizes == (3, 2)
    assert SPACE.object_ids(np.array([2, 1])) == 5


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4))
@settings(max_examples=50, deadline=None)
def test_ids_are_the_rank_in_the_product_of_the_values(sizes):
    space = space_of(sizes)
    # itertools also lets the last one vary fastest
    product = list(itertools.product(*map(range, sizes)))
    assert space.n_objects == len(product)
    assert space.object_ids(np.array(product)).tolist() == list(range(len(product)))
    assert space.object_values(np.arange(len(product))).tolist() == [
        list(values) for values in product
    ]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=3), st.data())
@settings(max_examples=50, deadline=None)
def test_ids_and_values_are_inverse_for_any_leading_axes(sizes, data):
    space = space_of(sizes)
    n, m = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))
    ids = np.array(
        data.draw(st.lists(st.integers(0, space.n_objects - 1), min_size=n * m, max_size=n * m))
    ).reshape(n, m)
    values = space.object_values(ids)
    assert values.shape == (n, m, len(sizes))
    assert (space.object_ids(values) == ids).all()


def test_encode_reads_names_back():
    assert SPACE.encode("color", ["green", "red", "green"]).tolist() == [2, 0, 2]
    assert SPACE.encode("shape", []).shape == (0,)


def test_an_unknown_value_names_the_row_and_the_nearest_value():
    with pytest.raises(
        UnknownNameError,
        match=r"^index 1: 'gren' is not a value of concept 'color'; did you mean 'green'\?$",
    ):
        SPACE.encode("color", ["red", "gren", "purpel"])


def test_a_value_like_no_other_lists_all_values():
    with pytest.raises(
        UnknownNameError,
        match=r"^index 0: 'zzz' is not a value of concept 'shape'; known: ball, cube$",
    ):
        SPACE.encode("shape", ["zzz"])


def test_values_are_case_sensitive():
    with pytest.raises(UnknownNameError, match=r"index 0: 'Red' .* did you mean 'red'"):
        SPACE.encode("color", ["Red"])


def test_an_unknown_concept_names_the_nearest_one():
    with pytest.raises(
        UnknownNameError, match=r"^unknown concept 'colour'; did you mean 'color'\?$"
    ):
        SPACE.index("colour")
    assert [SPACE.index(concept) for concept in ("color", "shape")] == [0, 1]


@pytest.mark.parametrize(
    ("concepts", "values", "error", "text"),
    [
        ((), (), ShapeError, "got 0 concepts and 0 lists of values"),
        (("color", "shape"), (("red",),), ShapeError, "got 2 concepts and 1 lists of values"),
        (("color",), ((),), ValueRangeError, "concept 'color' has no values; give at least one"),
        (
            ("color", "color"),
            (("red",), ("blue",)),
            ValueRangeError,
            "duplicate concept: 'color' appears 2 times; names must be unique",
        ),
        (
            ("color",),
            (("red", "blue", "red"),),
            ValueRangeError,
            "duplicate value of concept 'color': 'red' appears 2 times",
        ),
        (("",), (("red",),), ValueRangeError, "empty concept: names must not be empty"),
        (
            ("color",),
            (("red", ""),),
            ValueRangeError,
            "empty value of concept 'color': names must not be empty",
        ),
    ],
)
def test_a_space_refuses_what_it_cannot_number(concepts, values, error, text):
    with pytest.raises(error, match=text) as caught:
        ConceptSpace(concepts, values)
    assert isinstance(caught.value, ConceptBindError)


def test_a_name_may_belong_to_two_concepts():
    space = ConceptSpace(("fruit", "color"), (("orange", "plum"), ("orange", "red")))
    assert space.object_name(0) == "orange orange"
    assert space.encode("fruit", ["orange"]) == space.encode("color", ["orange"]) == 0
