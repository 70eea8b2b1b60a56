"""Are embeddings sums of one vector per value, also in new combinations?"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
