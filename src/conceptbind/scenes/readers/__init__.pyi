from .clevr import read_clevr as read_clevr
from .pug import read_pug_spar as read_pug_spar
from .pug import read_pug_spare as read_pug_spare
from .spec import SCHEMES as SCHEMES
from .spec import read_named as read_named
from .tables import read_columns as read_columns
from .tables import read_scenes as read_scenes
