"""Simulated ACS data: raw exposures, associations and complete sets of reference files.

The simulator is the pipeline read backwards.  Each effect (`ALL_EFFECTS`) is what one calibration
step will take away, made from the same reference files and one table of constants, and can be
switched on alone.  Everything follows from one seed.

>>> from calacs import sim
>>> refs = sim.ReferenceSet("HRC")
>>> exposure = sim.simulate("HRC", seed=1, exptime=60.0, references=refs)
>>> exposure.truth[0].sci.shape
(1024, 1024)
"""

from .association import Association, simulate_association
from .effects import ALL_EFFECTS, DEFAULT_EFFECTS
from .exposure import simulate
from .geometry import aperture_names
from .references import ReferenceSet, write_references
from .scene import Scene
from .simulation import Simulation, Truth

__all__ = [
    "ALL_EFFECTS",
    "DEFAULT_EFFECTS",
    "Association",
    "ReferenceSet",
    "Scene",
    "Simulation",
    "Truth",
    "aperture_names",
    "simulate",
    "simulate_association",
    "write_references",
]
