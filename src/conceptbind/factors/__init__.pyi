from .means import Labels as Labels
from .means import ValueMeans as ValueMeans
from .means import labels_of as labels_of
from .means import value_means as value_means
from .study import FactorStudy as FactorStudy
from .study import factor_study as factor_study
