"""Is the binding inside one modality, and does the cosine use it there?"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
