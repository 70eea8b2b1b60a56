"""How complex the rule from labels to embeddings is: approximators fitted on some objects and read
on unseen ones.
"""

from conceptbind.complexity.cells import (
    APPROXIMATORS,
    SPLITS,
    Approximator,
    Cell,
    Inputs,
    fit_cell,
    fit_cells_together,
    make,
    some,
)
from conceptbind.complexity.coverage import Coverage, cover
from conceptbind.complexity.labels import Labelled
from conceptbind.complexity.network import MLP, fit_networks
from conceptbind.complexity.planted import plant
from conceptbind.complexity.products import StructuredProbe
from conceptbind.complexity.readout import OWN, PLAIN, WHITENED, Readout, fit_readout, own_readout
from conceptbind.complexity.trees import Boosting, Forest

__all__ = [
    "APPROXIMATORS",
    "MLP",
    "OWN",
    "PLAIN",
    "SPLITS",
    "WHITENED",
    "Approximator",
    "Boosting",
    "Cell",
    "Coverage",
    "Forest",
    "Inputs",
    "Labelled",
    "Readout",
    "StructuredProbe",
    "cover",
    "fit_cell",
    "fit_cells_together",
    "fit_networks",
    "fit_readout",
    "make",
    "own_readout",
    "plant",
    "some",
]
