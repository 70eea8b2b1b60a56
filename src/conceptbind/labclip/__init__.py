"""LABCLIP: a linear map of captions that makes binding usable across modalities, its cost and its
reasons.
"""

from conceptbind.labclip.adapter import Adapter, identity, load_adapter, save_adapter
from conceptbind.labclip.estimator import (
    Fit,
    LabClip,
    first_that_helps,
    fit_pairs,
    groups_of,
    hold_out,
    parts_of,
)
from conceptbind.labclip.pairs import Pairs, open_rows

__all__ = [
    "Adapter",
    "Fit",
    "LabClip",
    "Pairs",
    "first_that_helps",
    "fit_pairs",
    "groups_of",
    "hold_out",
    "identity",
    "load_adapter",
    "open_rows",
    "parts_of",
    "save_adapter",
]
