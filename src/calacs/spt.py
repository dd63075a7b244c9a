"""Support files (``x_spt.fits``): the one of a combined product is made of those of its exposures.

Notes
-----
Algorithm: HSTCAL ``pkg/acs/lib/mkspt.c``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from calacs import fits
from calacs.log import caution

SUFFIXES = ("_blv_tmp", "_crj_tmp", "_flt", "_crj", "_dth", "_sfl")


def support_name(path: str | os.PathLike[str]) -> Path:
    """Name of the support file of an exposure or product.

    PARITY: CTE-corrected files have none: ``x_flc.fits`` leads to ``x_flc_spt.fits``.
    """
    path = Path(path)
    stem, dot, extension = path.name.rpartition(".")
    if not dot:
        stem, extension = path.name, "fits"
    suffix = next((suffix for suffix in SUFFIXES if stem.endswith(suffix)), "")
    return path.with_name(f"{stem.removesuffix(suffix)}_spt.{extension}")


def foresee(
    inputs: Sequence[str | os.PathLike[str]], output: str | os.PathLike[str], *, clobber: bool = False
) -> Path | None:
    """Name of the support file that `merge` would make; None where the first input has none.

    Raises
    ------
    OutputExists
        That file exists already.
    FileNotReadable
        A support file is damaged.
    """
    sources = [support_name(path) for path in inputs]
    if not sources or not sources[0].is_file():
        return None
    target = support_name(output)
    fits.refuse_existing(target, clobber=clobber)
    for source in sources:
        if source.is_file():
            fits.open_image(source)
    return target


def merge(
    inputs: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    mtype: str = "",
    *,
    clobber: bool = False,
    create: fits.Create = fits.replacing,
    find: Callable[[Path], Path] = Path,
) -> Path | None:
    """Make the support file of a combined product.

    Parameters
    ----------
    inputs : sequence of path-like
        Exposures that were combined; their support files lie beside them.
    output : path-like
        The product.
    mtype : str
        Its role in the association (``prod-crj``), as ASN_MTYP shows it.
    clobber : bool
        Replace an existing file.
    create : callable
        Opens the file; by default, `calacs.fits.replacing`.
    find : callable
        Tells where a support file is, if it has not its name yet.

    Returns
    -------
    Path or None
        The file made; None where the first exposure has no support file.  Others that are missing are left out.

    Raises
    ------
    OutputExists
        The file exists already.
    FileNotReadable
        A support file is damaged.
    """
    sources = [find(support_name(path)) for path in inputs]
    for source in sources:
        if not source.is_file():
            _warn(f'Can\'t find input file "{source}"')
    if not sources or not sources[0].is_file():
        return None
    target = support_name(output)
    images = [fits.open_image(source) for source in sources if source.is_file()]
    header = images[0].primary.copy()
    # PARITY: the root name ends with a blank, and NEXTEND counts the exposures.
    root = target.name.rpartition(".")[0].removesuffix("_spt").upper() + " "
    header.set("FILENAME", target.name)
    header.set("ASN_MTYP", mtype, "Role of the Exposure in the Association")
    header.set("ROOTNAME", root)
    header.set("OBSERVTN", root[6:9])
    header.set("NEXTEND", len(inputs))
    planes = []
    for image in images:
        for extver in range(1, image.primary.get_int("NEXTEND", 1) + 1):
            if ("UDL", extver) in image.planes:
                planes.append(image.planes["UDL", extver])
            elif extver == 1:
                _warn(f"{image.source}: there is no extension [UDL,1]")
    return fits.write_planes(header, planes, target, clobber=clobber, create=create)


def _warn(text: str) -> None:
    caution("", text)
