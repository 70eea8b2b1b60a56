"""What scene embeddings are made of: additive fits, the interaction spectrum, targeted removal,
edits, scaling.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
