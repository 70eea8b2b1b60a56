from .bank import CaptionBank as CaptionBank
from .bank import caption_bank as caption_bank
from .study import CrossmodalStudy as CrossmodalStudy
from .study import crossmodal_study as crossmodal_study
from .study import query_record as query_record
from .study import query_texts as query_texts
