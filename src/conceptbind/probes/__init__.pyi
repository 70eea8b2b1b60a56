from .linear import LinearProbe as LinearProbe
from .scene_probes import Probe as Probe
from .scene_probes import SceneProbes as SceneProbes
from .scene_probes import fit_scene_probes as fit_scene_probes
from .study import ProbeStudy as ProbeStudy
from .study import WrongScene as WrongScene
from .study import bag_of_concepts as bag_of_concepts
from .study import probe_study as probe_study
