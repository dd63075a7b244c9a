"""What runs here: versions, how the kernels were compiled, and the instruction set that they use."""

from __future__ import annotations

import platform
import sys
import sysconfig
from importlib import metadata
from typing import Any

import calacs._core.common as core
from calacs._version import OFFICIAL_VERSION, __version__
from calacs.cte import available_isas
from calacs.parallel import available_cpus


def system() -> dict[str, Any]:
    """Facts for a report of a problem.

    Returns
    -------
    dict
        ``calacs``, ``official``, ``python``, ``numpy``, ``astropy``: versions; ``free_threaded`` : bool;
        ``platform``, ``compiler`` : str; ``stable_abi`` : bool; ``isas`` : tuple of str, the CTE kernels that this machine
        can run; ``isa`` : str, the one that runs; ``cpus`` : int, as many threads are used unless told otherwise.

    Examples
    --------
    >>> system()["isa"] in system()["isas"]
    True
    """
    isas = available_isas()
    return {
        "calacs": __version__,
        "official": OFFICIAL_VERSION,
        "python": platform.python_version(),
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "numpy": metadata.version("numpy"),
        "astropy": metadata.version("astropy"),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}".strip(),
        "bits": 64 if sys.maxsize > 2**32 else 32,
        "compiler": core.compiler(),
        "stable_abi": "abi3" in str(core.__file__),
        "isas": isas,
        "isa": isas[-1],
        "cpus": available_cpus(),
    }


def describe_system() -> str:
    """The same in plain text."""
    facts = system()
    python = f"{facts['python']}{' free-threaded' if facts['free_threaded'] else ''}, {facts['bits']}-bit"
    rows = (
        ("calacs", f"{facts['calacs']} (results of official CALACS {facts['official']})"),
        ("Python", python),
        ("numpy", facts["numpy"]),
        ("astropy", facts["astropy"]),
        ("machine", f"{facts['platform']}, {facts['cpus']} processors"),
        (
            "compiled by",
            f"{facts['compiler']}, {'stable' if facts['stable_abi'] else 'version-specific'} Python interface",
        ),
        ("CTE kernels", f"{facts['isa']} of {', '.join(facts['isas'])} (all give the same bits)"),
    )
    return "\n".join(f"{name:<12s} {value}" for name, value in rows)
