"""The check that every metric makes: finite numbers pass, however large; others are counted and the
first row is named.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conceptbind.core.errors import ValueRangeError
from conceptbind.metrics import refuse_non_finite


@given(
    st.lists(st.booleans(), min_size=1, max_size=12),
    st.sampled_from([np.nan, np.inf]),
    st.integers(1, 3),
)
@settings(max_examples=50, deadline=None)
def test_it_counts_the_bad_rows_and_names_the_first(broken, bad, width):
    values = np.ones((len(broken), width), dtype=np.float32)
    values[broken, width - 1] = bad
    if any(broken):
        counted, first = (
            f"{sum(broken)} of {len(broken)} rows hold NaN or infinite numbers",
            broken.index(True),
        )
        with pytest.raises(
            ValueRangeError, match=f"^things must be finite; {counted}, the first at index {first}$"
        ):
            refuse_non_finite(values, "things")
    else:
        assert refuse_non_finite(values, "things") is None


@pytest.mark.parametrize("shape", [(4,), (4, 2), (4, 2, 3)])
def test_any_number_of_axes(shape):
    values = np.zeros(shape)
    refuse_non_finite(values, "x")
    values[(3, *(0 for _ in shape[1:]))] = np.nan
    with pytest.raises(ValueRangeError, match="1 of 4 rows .* index 3"):
        refuse_non_finite(values, "x")


@pytest.mark.parametrize(
    "values",
    [
        np.full(10, 3e38, dtype=np.float32),
        np.full(10, 6e4, dtype=np.float16),
        np.arange(5),
        np.empty((0, 3)),
    ],
)
def test_large_small_whole_and_no_numbers_are_finite(values):
    assert refuse_non_finite(values, "x") is None
