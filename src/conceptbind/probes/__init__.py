"""Linear probes, solved to the optimum of their convex problem."""

from conceptbind.probes.linear import LinearProbe
from conceptbind.probes.scene_probes import Probe, SceneProbes, fit_scene_probes

__all__ = ["LinearProbe", "Probe", "SceneProbes", "fit_scene_probes"]
