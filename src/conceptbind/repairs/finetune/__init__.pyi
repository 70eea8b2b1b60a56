from .data import Captioned as Captioned
from .judge import Checkpoint as Checkpoint
from .result import FineTuned as FineTuned
from .towers import Trainable as Trainable
from .training import finetune as finetune
