from .groups import Groups as Groups
from .groups import groups_of_bank as groups_of_bank
from .groups import groups_of_triplets as groups_of_triplets
from .solver import QueryFit as QueryFit
from .solver import Watched as Watched
from .solver import fit_queries as fit_queries
from .study import QueryRepair as QueryRepair
from .study import query_repair as query_repair
