from .checkpoints import export_open_clip as export_open_clip
from .checkpoints import export_transformers as export_transformers
from .mteb import mteb_model as mteb_model
from .mteb import mteb_task as mteb_task
from .onnx import export_onnx as export_onnx
from .sentence import export_sentence_transformers as export_sentence_transformers
from .towers import wrap_open_clip as wrap_open_clip
from .towers import wrap_transformers_clip as wrap_transformers_clip
