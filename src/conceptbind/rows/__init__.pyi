from .arrays import FileEmbeddings as FileEmbeddings
from .arrays import read_embeddings_file as read_embeddings_file
from .embeddings import Embeddings as Embeddings
from .embeddings import embed as embed
from .embeddings import open_source as open_source
from .embeddings import store as store
