"""The commands as Python functions: the same names, the same parameters. Nothing heavy is imported
before one runs.
"""

from conceptbind.commands.comparing import Comparison, compare
from conceptbind.commands.embedding import embed, render
from conceptbind.commands.evaluating import Evaluation, evaluate
from conceptbind.commands.measuring import Measurement, measure
from conceptbind.commands.repairing import Repair, apply, repair
from conceptbind.commands.training import Training, sweep, train

__all__ = [
    "Comparison",
    "Evaluation",
    "Measurement",
    "Repair",
    "Training",
    "apply",
    "compare",
    "embed",
    "evaluate",
    "measure",
    "render",
    "repair",
    "sweep",
    "train",
]
