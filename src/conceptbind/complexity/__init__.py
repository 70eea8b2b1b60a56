"""How complex the rule from labels to embeddings is: approximators fitted on some objects and read
on new ones.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
