"""Hard negatives of free text: captions whose nouns and adjectives have changed places (arXiv
2502.03566, section 5).
"""

from conceptbind.negatives.permute import Negatives, Permutation, hard_negatives, permute
from conceptbind.negatives.read import WrittenNegatives, read_negclip
from conceptbind.negatives.taggers import HantaTagger, SpacyTagger, Tagger, Token, load_tagger

__all__ = [
    "HantaTagger",
    "Negatives",
    "Permutation",
    "SpacyTagger",
    "Tagger",
    "Token",
    "WrittenNegatives",
    "hard_negatives",
    "load_tagger",
    "permute",
    "read_negclip",
]
