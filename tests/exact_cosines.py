"""Cosines of whole numbers, compared without any rounding."""

from __future__ import annotations

from fractions import Fraction

import numpy as np


def cosine(query, row):
    """What sorts rows by their cosine with one query: the square of the cosine times the query's,
    with its sign.
    """
    product = int(query @ row)
    return Fraction(product * abs(product), int(row @ row))


def whole_numbers(rng, n, d):
    """(n, d) rows from -2 to 2, none of them zero: many cosines are equal."""
    rows = rng.integers(-2, 3, size=(n, d))
    rows[(rows == 0).all(axis=1)] = 1
    return rows


def unit(rows):
    """Single precision rows of unit length."""
    rows = np.asarray(rows, dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def within(scores, own, k):
    """(hit, tied) at rank k: equals count as above, and a miss is a tie where it would be a hit
    without them.
    """
    above, equal = sum(s > own for s in scores), sum(s == own for s in scores)
    return above + equal < k, above < k <= above + equal


def every(leads):
    """(correct, tied) of choices that must all be won, from their leads."""
    correct = all(lead > 0 for lead in leads)
    return correct, not correct and all(lead >= 0 for lead in leads)
