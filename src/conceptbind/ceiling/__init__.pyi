from .free import FreeEmbeddings as FreeEmbeddings
from .free import free_embeddings as free_embeddings
from .free import least_dimension as least_dimension
from .study import CeilingStudy as CeilingStudy
from .study import ceiling_study as ceiling_study
