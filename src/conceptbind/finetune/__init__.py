"""Encoders trained further with hard negatives: the ceiling that a linear repair is compared with
(FT, arXiv 2502.03566, section 5).
"""

from conceptbind.finetune.data import Captioned
from conceptbind.finetune.judge import Candidate
from conceptbind.finetune.result import FineTuned
from conceptbind.finetune.towers import Trainable
from conceptbind.finetune.training import finetune

__all__ = ["Candidate", "Captioned", "FineTuned", "Trainable", "finetune"]
