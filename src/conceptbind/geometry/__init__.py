"""What scene embeddings are made of: additive fits, the interaction spectrum, targeted removal,
edits, scaling.
"""

from conceptbind.geometry.additive import AdditiveFit, explained, fit_additive
from conceptbind.geometry.edits import STRENGTHS, Editor, Edits, Hits, all_edits, read, retrieve
from conceptbind.geometry.removal import REMOVED, remove_part
from conceptbind.geometry.scaling import Scaling, scale_quadruple
from conceptbind.geometry.spectrum import Part, Spectrum, spectrum

__all__ = [
    "REMOVED",
    "STRENGTHS",
    "AdditiveFit",
    "Editor",
    "Edits",
    "Hits",
    "Part",
    "Scaling",
    "Spectrum",
    "all_edits",
    "explained",
    "fit_additive",
    "read",
    "remove_part",
    "retrieve",
    "scale_quadruple",
    "spectrum",
]
