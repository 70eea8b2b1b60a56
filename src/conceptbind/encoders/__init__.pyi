from .options import Opening as Opening
from .registry import resolve as resolve
from .registry import torch_device as torch_device
