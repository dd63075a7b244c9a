"""Small trap tables and trimmed exposures for the tests of the CTE correction."""

import numpy as np
from astropy.io import fits as astropy_fits

from calacs import sim
from calacs.exposure import Exposure, ImSet
from calacs.header import Header

N_LEVEL, N_COLUMN, N_TAIL = 9999, 8192, 12
USED = 60
SM4 = 54962.0


def levels(n_used=USED):
    """QLEV_Q: `n_used` levels, then rows that only fill the table."""
    used = np.round(np.concatenate([[0, 1, 2, 5, 8], np.geomspace(10, 60000, n_used - 5)]))
    return np.concatenate([used, np.full(N_LEVEL - n_used, 999999)]).astype(np.int32)


def trap_set(number, seed, cards, *, strength=1.0, first=0, n_row=(N_LEVEL, N_COLUMN), profile=None):
    """The four extensions of a set."""
    rng = np.random.default_rng([seed, number])
    charge = levels()
    capture = strength * rng.uniform(0.2, 1.5, N_LEVEL) * np.sqrt(1 + np.minimum(charge, 60000) / 3000.0)
    columns = astropy_fits.Column
    qprof = astropy_fits.BinTableHDU.from_columns(
        [
            columns("W", "I", array=np.arange(1, N_LEVEL + 1)),
            columns("QLEV_Q", "J", array=charge),
            columns("DPDE_W", "E", array=capture),
            columns("DESCRIP", "20A", array=["simulated"] * N_LEVEL),
        ],
        nrows=n_row[0],
    )
    names = ("SENS_0512", "SENS_1024", "SENS_1536", "SENS_2048")
    scale = astropy_fits.BinTableHDU.from_columns(
        [
            columns("IZ", "I", array=np.arange(first, first + N_COLUMN)),
            *(columns(name, "E", array=rng.uniform(0.3, 1.7, N_COLUMN)) for name in names),
        ],
        nrows=n_row[1],
    )
    release = rng.uniform(0.01, 1.0, (N_TAIL, N_LEVEL)) * np.exp(-np.arange(N_TAIL) / 3.0)[:, None]
    release = (release / release.sum(axis=0)).astype(np.float32)
    held = np.maximum(1.0 - np.cumsum(release, axis=0), 0).astype(np.float32)
    if profile is not None:
        release, held = profile(release, held)
    hdus = [qprof, scale, astropy_fits.ImageHDU(release), astropy_fits.ImageHDU(held)]
    for hdu, name in zip(hdus, ("QPROF", "SCLBYCOL", "RPROF", "CPROF"), strict=True):
        hdu.name, hdu.ver = name, number
        hdu.header.update(cards)
    return hdus


PARALLEL = {"CTEDATE0": 52334.86, "CTEDATE1": 57710.5, "PCTETLEN": 10, "PCTENFOR": 3, "PCTENPAR": 4}
SERIAL = {"CTEDATE0": 52335.0, "CTEDATE1": 57711.5, "PCTETLEN": 6, "PCTENFOR": 2, "PCTENPAR": 3}


def trap_table(generation=3, *, seed=1, primary=None, parallel=None, serial=None, **how):
    """A PCTETAB in memory."""
    cards = {"PEDIGREE": "INFLIGHT 01/01/2010 31/12/2010", "DESCRIP": "simulated traps"}
    name = {3: "Par/Serial PixelCTE 2023", 2: "PixelCTE 2017"}[generation]
    cards |= {"CTE_NAME": name, "CTE_VER": "1.2", "PCTERNOI": 4.3, "PCTENSMD": 0, "PCTETRSH": -10.0, "FIXROCR": 1}
    along = PARALLEL | (parallel or {})
    cards |= (along if generation == 2 else {}) | (primary or {})
    hdu = astropy_fits.PrimaryHDU()
    hdu.header.update({key: value for key, value in cards.items() if value is not None})
    hdus = astropy_fits.HDUList([hdu, *trap_set(1, seed, along if generation == 3 else {}, **how)])
    if generation == 3:
        for number in range(2, 6):
            hdus.extend(trap_set(number, seed, SERIAL | (serial or {}), **how))
    return hdus


def ccd_table():
    """CCDTAB in memory."""
    return sim.files.to_hdulist(sim.ReferenceSet("WFC").hdus("CCDTAB"))


def oscan_table():
    """OSCNTAB in memory."""
    return sim.files.to_hdulist(sim.ReferenceSet("WFC").hdus("OSCNTAB"))


def card(keyword, value):
    text = f"'{value:<8}'" if isinstance(value, str) else str(value)[0] if isinstance(value, bool) else repr(value)
    return f"{keyword:<8}= {text if isinstance(value, str) else text.rjust(20)}"


def small_exposure(shape=(40, 60), chips=(2, 1), amps="ABCD", *, sky=20.0, seed=1, keywords=None, bright=15):
    """A trimmed exposure in electrons, in memory."""
    rng = np.random.default_rng(seed)
    values = {
        "FILENAME": "jx01aaaaq_blv_tmp.fits", "ROOTNAME": "jx01aaaaq", "INSTRUME": "ACS", "DETECTOR": "WFC",
        "NEXTEND": 3 * len(chips), "EXPTIME": 100.0, "EXPSTART": 57000.0, "EXPEND": 57000.1, "SUBARRAY": False,
        "CCDAMP": amps, "CCDGAIN": 2.0, "APERTURE": "WFC", "JWROTYPE": "DS_int", "PCTECORR": "PERFORM",
        "BLEVCORR": "COMPLETE", "CCDTAB": "jref$x_ccd.fits", "OSCNTAB": "N/A", "PCTETAB": "jref$x_cte.fits",
    }  # fmt: skip
    values |= keywords or {}
    primary = Header([card(key, value) for key, value in values.items() if value is not None], "exposure")
    imsets = []
    for extver, chip in enumerate(chips, 1):
        sci = (rng.poisson(sky, shape) + rng.normal(0, 4.2, shape)).astype(np.float32)
        for _ in range(bright):
            row, col = rng.integers(0, shape[0]), rng.integers(0, shape[1])
            sci[row, col : col + 2] += rng.exponential(8000.0)
        err = np.sqrt(np.maximum(sci, 0) + 17).astype(np.float32)
        dq = (rng.integers(0, 2, shape) * 16).astype(np.int16)
        headers = {name: Header([card("CCDCHIP", chip)], f"exposure[{name},{extver}]") for name in ("SCI", "ERR", "DQ")}
        imsets.append(ImSet(extver, sci, err, dq, headers))
    return Exposure(primary, tuple(imsets))
