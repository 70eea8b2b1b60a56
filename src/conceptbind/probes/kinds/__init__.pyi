from .cosine_heads import cosine_probes as cosine_probes
from .pairs import PairTable as PairTable
from .pairs import pair_table as pair_table
from .study import KindsStudy as KindsStudy
from .study import kinds_study as kinds_study
