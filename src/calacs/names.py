"""File names: reference names with variables, and product names.

Notes
-----
Algorithms: HSTCAL ``pkg/acs/lib/mkname.c``, ``mkoutname.c``, ``ufilename.c`` and ``tables/c_vfn2osfn.c``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

ACS2D_SUFFIXES = {"_raw": "_flt", "_blv_tmp": "_flt", "_blc_tmp": "_flc", "_crj_tmp": "_crj", "_crc_tmp": "_crc"}


def is_blank(name: str) -> bool:
    """Whether a reference keyword names no file."""
    return name.strip().lower() in ("", "n/a")


def expand(name: str) -> str:
    """Expand the variables of a file name: ``jref$x.fits`` and ``$jref/x.fits``.

    A variable that is not defined is left out, so that its file is looked for in the current folder.
    """
    for _ in range(16):  # a variable may name another one; a circle must end
        variable, dollar, rest = name.partition("$")
        if not dollar:
            break
        if variable:
            folder = os.environ.get(variable, "")
            # The official program needs a slash at the end of the variable; a folder without one can mean nothing else.
            name = os.path.join(folder, rest.lstrip("/")) if os.path.isdir(folder) else folder + rest
        else:
            variable, slash, rest = rest.partition("/")
            name = os.environ.get(variable, "") + slash + rest
    return name.replace("//", "/") if "://" not in name else name


def undefined_variable(name: str) -> str | None:
    """Name of the variable in a file name that the environment does not define, if there is one."""
    match = re.match(r"(\w+)\$|\$(\w+)/", name)
    variable = (match.group(1) or match.group(2)) if match else None
    return variable if variable and variable not in os.environ else None


def without_gz(path: str | Path) -> Path:
    """Name of a file that is not compressed: products of ``x_raw.fits.gz`` are named like those of ``x_raw.fits``."""
    path = Path(path)
    return path.with_suffix("") if path.suffix.lower() == ".gz" else path


def with_suffix(path: str | Path, old: str, new: str) -> Path:
    """Replace the suffix of an exposure's name: ``with_suffix("x_raw.fits", "_raw", "_blv_tmp")``."""
    path = without_gz(path)
    stem, extension = (path.name.rpartition(".")[::2]) if "." in path.name[1:] else (path.name, "fits")
    return path.with_name(f"{stem.removesuffix(old)}{new}.{extension}")


def with_own_suffix(path: str | Path, suffix: str) -> Path:
    """Name of the file that a task reads: ``with_own_suffix("x.fits", "_raw")`` is ``x_raw.fits``."""
    path = Path(path)
    return path if without_gz(path).stem.endswith(suffix) and path.suffix else with_suffix(path, suffix, suffix)


def acs2d_output(path: str | Path) -> Path:
    """Name of the product of acs2d."""
    path = without_gz(path)
    stem = path.name.rpartition(".")[0] or path.name
    for old, new in ACS2D_SUFFIXES.items():
        if stem.endswith(old):
            return with_suffix(path, old, new)
    return with_suffix(path, "", "_flt")


def acs2d_trailer(path: str | Path) -> Path:
    """Name of the trailer file of an exposure or a product of acs2d."""
    path = without_gz(path)
    stem = path.name.rpartition(".")[0] or path.name
    known = [*ACS2D_SUFFIXES, *ACS2D_SUFFIXES.values()]
    suffix = next((suffix for suffix in known if stem.endswith(suffix)), "")
    return path.with_name(f"{stem.removesuffix(suffix)}.tra")


def filename_keyword(name: str) -> str:
    """Value of the FILENAME keyword.

    PARITY: everything up to the last character that is not a letter, digit, underscore or period counts as a folder.
    """
    match = re.search(r"[A-Za-z0-9_.]*$", name)
    base = match.group() if match else ""
    return base if len(base) > 1 else name


def association_root(name: str) -> str:
    """Root of a combined product's name: everything up to the suffix, without the folder.

    PARITY: products of CTE-corrected exposures keep their suffix (``j_crc_tmp``).

    Notes
    -----
    Algorithm: HSTCAL ``pkg/acs/lib/findroot.c``.
    """
    name = Path(name).name
    for suffix in ("_raw", "_asn", "_crj", "_blv", "_flt", "_sfl", "_dth", ".fit"):
        if suffix in name:
            return name[: name.index(suffix)]
    return name


def upper_root(root: str) -> str:
    """Root name as the ROOTNAME keyword of a combined product shows it.

    PARITY: the official program has no room for roots of 7 characters or fewer and writes asterisks.
    """
    return root.upper() if len(root) > 7 else "*****"
