"""Is the binding inside one modality? For every noun, which attribute does it have?"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
