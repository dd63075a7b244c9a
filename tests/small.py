"""Small calibrated exposures, association tables and support files."""

import numpy as np
from astropy.io import fits as astropy_fits

from calacs.exposure import Exposure, ImSet
from calacs.header import Header


def _header(values, where):
    header = Header((), where)
    for keyword, value in values.items():
        header.set(keyword, value)
    return header


def exposure(
    seed=0,
    *,
    shape=(20, 30),
    chips=(1,),
    time=100.0,
    rate=2.0,
    rays=4,
    bad=0.02,
    detector="HRC",
    keywords=None,
    name="",
):
    """A calibrated exposure of a flat scene with cosmic rays; the first chip has EXTVER 1."""
    rng = np.random.default_rng(seed)
    imsets = []
    for extver, chip in enumerate(chips, 1):
        sci = (rng.poisson(rate * max(time, 0.0) + 20, shape) + rng.normal(0, 4, shape)).astype(np.float32)
        err = np.sqrt(np.maximum(sci, 0) + 16).astype(np.float32)
        dq = np.where(rng.random(shape) < bad, 16, 0).astype(np.int16)
        for _ in range(rays):
            y, x = rng.integers(shape[0]), rng.integers(shape[1])
            sci[y, x : x + 2] += 2000
        headers = {
            plane: _header(
                {"EXTNAME": plane, "EXTVER": extver, "CCDCHIP": chip, "EXPNAME": f"jsmall{seed:02d}q"}, plane
            )
            for plane in ("SCI", "ERR", "DQ")
        }
        imsets.append(ImSet(extver, sci, err, dq, headers))
    primary = {
        "NEXTEND": 3 * len(chips),
        "FILENAME": name,
        "ROOTNAME": f"jsmall{seed:02d}q",
        "INSTRUME": "ACS",
        "DETECTOR": detector,
        "IMAGETYP": "EXT",
        "APERTURE": detector,
        "SUBARRAY": False,
        "CCDAMP": "C",
        "ATODGNC": np.float32(2.02),
        "EXPTIME": float(time),
        "EXPSTART": 53000.0 + seed,
        "EXPEND": 53000.5 + seed,
        "DARKTIME": float(time) + 2,
        "FLSHCORR": "OMIT",
        "NRPTEXP": 2,
        "CRREJTAB": "jref$small_crr.fits",
        "SDQFLAGS": 31743,
    }
    return Exposure(_header(primary | (keywords or {}), name or f"small {seed}"), tuple(imsets))


CRREJTAB = {
    "CRSPLIT": ("I", [2, 2, 3]),
    "MEANEXP": ("E", [60.0, 1000.0, np.nan]),
    "SCALENSE": ("8A", ["30.0", "30.0", "30.0"]),
    "INITGUES": ("8A", ["minimum", "minimum", "median"]),
    "SKYSUB": ("4A", ["mode"] * 3),
    "CRSIGMAS": ("20A", ["6.5,5.5,4.5", "8,6", "7,6,5"]),
    "CRRADIUS": ("E", [2.1, 1.5, 1.0]),
    "CRTHRESH": ("E", [0.5555] * 3),
    "BADINPDQ": ("I", [39] * 3),
    "CRMASK": ("L", [True, False, True]),
    "CCDCHIP": ("I", [1, 1, 1]),
}


def crrejtab(**changes):
    """A table of rejection parameters; None takes a column away."""
    columns = {name: value for name, value in (CRREJTAB | changes).items() if value is not None}
    table = astropy_fits.BinTableHDU.from_columns(
        [astropy_fits.Column(name, kind, array=np.array(values)) for name, (kind, values) in columns.items()]
    )
    return astropy_fits.HDUList([astropy_fits.PrimaryHDU(), table])


def write_association(path, members, detector="HRC"):
    """Write an association table: [(MEMNAME, MEMTYPE, MEMPRSNT), ...]."""
    names, types, present = zip(*members, strict=True) if members else ((), (), ())
    table = astropy_fits.BinTableHDU.from_columns(
        [
            astropy_fits.Column("MEMNAME", "14A", array=np.array(names, "S14")),
            astropy_fits.Column("MEMTYPE", "14A", array=np.array(types, "S14")),
            astropy_fits.Column("MEMPRSNT", "L", array=np.array(present, bool)),
        ]
    )
    primary = astropy_fits.PrimaryHDU()
    primary.header["INSTRUME"], primary.header["DETECTOR"] = "ACS", detector
    astropy_fits.HDUList([primary, table]).writeto(path)
    return path


def write_support(path, values, n_extension=1):
    """Write a support file whose extensions hold the values, plus the extension's number."""
    primary = astropy_fits.PrimaryHDU()
    primary.header["ROOTNAME"], primary.header["FILENAME"] = path.name[:9], path.name
    if n_extension > 1:
        primary.header["NEXTEND"] = n_extension
    units = [primary]
    for number in range(1, n_extension + 1):
        data = np.asarray(values, np.int16) + np.int16(number - 1)
        units.append(astropy_fits.ImageHDU(data, name="UDL", ver=number))
    astropy_fits.HDUList(units).writeto(path)
    return path
