from .items import NegationBank as NegationBank
from .items import Twins as Twins
from .items import negation_bank as negation_bank
from .items import twin_scenes as twin_scenes
from .study import NegationStudy as NegationStudy
from .study import negation_study as negation_study
from .wordings import WORDINGS as WORDINGS
from .wordings import Negation as Negation
