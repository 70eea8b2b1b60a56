"""What arrays state as their shape is true, and checked while the tests run (`shapes.py`)."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from conceptbind.complexity import Coverage
from conceptbind.core.errors import ShapeError
from conceptbind.crossmodal.comparing import dot
from conceptbind.geometry import AdditiveFit, Edits, Hits
from conceptbind.geometry.additive import Design
from conceptbind.metrics import ranks, within
from conceptbind.metrics.recognitions import magnitude
from conceptbind.metrics.variance import squared_sums

FOUR, FIVE = np.arange(4), np.arange(5)


def test_one_name_is_one_number_within_a_call():
    """Rows of two lengths broadcast: without the check a wrong number comes back."""
    rows, one = np.ones((4, 3)), np.ones((1, 3))
    assert dot(rows, rows).tolist() == [3.0] * 4
    with pytest.raises(TypeCheckError, match=r"crossmodal.comparing.dot: two is float64\(1, 3\)"):
        dot(rows, one)
    with pytest.raises(TypeCheckError, match=r"predicted is float64\(4, 1\); stated: .*rows width"):
        squared_sums(rows, np.ones((4, 1)), np.zeros(3))


def test_axes_and_types_are_checked_too():
    with pytest.raises(TypeCheckError, match=r"rank is float64\(4,\)"):
        within(FOUR.astype(float), FOUR, 1)
    with pytest.raises(TypeCheckError, match=r"ties is int64\(4, 1\)"):
        within(FOUR, FOUR[:, None], 1)


def test_the_attributes_of_a_dataclass_are_checked_together():
    right = np.ones(4, dtype=bool)
    assert len(Hits(right, right).hit) == 4
    with pytest.raises(TypeCheckError, match=r"geometry.edits.Hits: tied is bool\(3,\)"):
        Hits(right, right[:3])
    with pytest.raises(TypeCheckError, match=r"Edits: shared is bool\(4,\)"):
        Edits(FIVE, FIVE, FIVE, FIVE, right, 0)


def test_a_name_of_a_dataclass_is_the_same_number_in_its_methods():
    """An order of more parameters than there are would exchange some of them, and say nothing."""
    vectors, known = np.eye(3), np.ones(3, dtype=bool)
    fit = AdditiveFit(np.zeros(3), vectors, Design(np.array([[0, 1], [1, 2]]), 3), known)
    assert fit.part(np.array([1]), np.array([2, 1, 0])).tolist() == [[1.0, 1.0, 0.0]]
    with pytest.raises(TypeCheckError, match=r"AdditiveFit.part: stand_ins is int64\(4,\)"):
        fit.part(np.array([1]), np.array([2, 1, 0, 0]))


def test_every_item_of_a_dictionary_is_checked():
    objects = {"train": FOUR, "validation": FOUR, "test": FOUR[:, None]}
    with pytest.raises(TypeCheckError, match="Coverage: objects is"):
        Coverage(objects, FOUR, FOUR, FOUR, FOUR, 0)


def test_what_a_function_refuses_in_its_own_words_goes_first():
    with pytest.raises(ShapeError, match="one d; got"):
        ranks(np.ones((4, 3)), np.ones((4, 2)))
    with pytest.raises(ValueError, match="axis 1 is out of bounds"):  # and so does a library
        magnitude(np.ones(4), np.ones((4, 2)))


def test_users_import_no_checker():
    """Neither at import nor when arrays are computed."""
    code = (
        "import sys, numpy as np; from conceptbind.metrics import recognition; "
        "from conceptbind.scenes import text20; table = text20(2, 2); "
        "recognition(np.ones((len(table), 2)), table.presence(0)); "
        "print(sorted({'jaxtyping'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
