from .study import AlongStudy as AlongStudy
from .study import along_study as along_study
from .training import TrainedAlong as TrainedAlong
from .training import train_along as train_along
