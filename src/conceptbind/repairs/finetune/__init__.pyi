from .data import Captioned as Captioned
from .judge import Candidate as Candidate
from .result import FineTuned as FineTuned
from .towers import Trainable as Trainable
from .training import finetune as finetune
