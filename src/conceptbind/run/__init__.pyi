from .facts import plain_provenance as plain_provenance
from .facts import provenance as provenance
from .facts import scenes_facts as scenes_facts
from .facts import split_facts as split_facts
from .folder import PLACE_OPTIONS as PLACE_OPTIONS
from .folder import RunFolder as RunFolder
from .folder import kept_option as kept_option
