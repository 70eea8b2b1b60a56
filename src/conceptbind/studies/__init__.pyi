from .case import Asked as Asked
from .case import Case as Case
from .loop import answers as answers
from .registry import load_studies as load_studies
from .registry import study_names as study_names
