"""How much can so many dimensions hold? Free embeddings as a ceiling."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
