"""What a search index does with binding: its captions with two attribute-noun phrases, their swaps
and paraphrases, before and after a linear repair, and what that costs on the same index.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
