"""Small exposures and associations of every detector, written where a test wants them."""

from pathlib import Path

import numpy as np
from astropy.io import fits as astropy_fits

from calacs import sim
from helpers import units

FRAMES = {
    "HRC": {"subarray": (100, 200, 120, 90), "exptime": 40.0},
    "WFC": {"amps": "B", "subarray": (1000, 500, 200, 100), "exptime": 50.0},
    "SBC": {"exptime": 60.0},
}
KEYS = {
    "HRC": ("DARKFILE", "PFLTFILE", "IMPHTTAB", "CRREJTAB"),
    "WFC": ("DARKFILE", "DRKCFILE", "PFLTFILE", "IMPHTTAB", "PCTETAB", "CRREJTAB"),
    "SBC": ("BPIXTAB", "MLINTAB", "DARKFILE", "PFLTFILE", "IMPHTTAB"),
}
OMITTED = dict.fromkeys(("DARKCORR", "FLATCORR", "PHOTCORR"), "OMIT")


class Observed:
    """Simulates exposures once, and writes them as often as they are asked for."""

    def __init__(self, jref, sets):
        self.jref, self._sets, self._made, self._written = jref, sets, {}, set()

    def references(self, detector):
        """The reference set of a detector; its files are in the folder `jref`."""
        if detector not in self._written:
            refs = self._sets.setdefault(detector, None) or sim.ReferenceSet(detector)
            self._sets[detector] = refs
            refs.write(self.jref, [key for key in KEYS[detector] if not (self.jref / refs.names[key]).exists()])
            self._written.add(detector)
        return self._sets[detector]

    def _make(self, function, detector, *arguments, **options):
        key = repr((function.__name__, detector, arguments, options))
        if key not in self._made:
            refs = self.references(detector)
            self._made[key] = function(*arguments, detector=detector, references=refs, **FRAMES[detector] | options)
        return self._made[key]

    def single(self, folder, detector="HRC", keywords=None, **options):
        """Write a raw exposure; the path."""
        made = self._make(sim.simulate, detector, **{"seed": 1, "keywords": keywords or {}} | options)
        return made.write(folder)

    def association(self, folder, kind="CR-SPLIT", detector="HRC", keywords=None, *, spt=True, **options):
        """Write raw exposures, support files and the table; the path of the table."""
        options = {"seed": 1, "keywords": keywords or {}} | options
        made = self._make(sim.simulate_association, detector, kind, **options)
        return made.write(folder, spt=spt)

    def spoiled(self, detector, keyword, name, **values):
        """Write a copy of a reference file with other primary header values; its name for a header."""
        path = self.jref / f"{name}.fits"
        with astropy_fits.open(self.jref / self.references(detector).names[keyword]) as hdus:
            hdus[0].header.update(values)
            hdus.writeto(path, overwrite=True)
        return f"jref${path.name}"


def set_keywords(path, **values):
    """Change the primary header of a file."""
    with astropy_fits.open(path, mode="update") as hdus:
        hdus[0].header.update(values)


def set_cells(path, column, values):
    """Change cells of a table: {row: value}."""
    with astropy_fits.open(path, mode="update") as hdus:
        for row, value in values.items():
            hdus[1].data[column][row] = value


def products(folder):
    """Names of the files that are neither input nor trailer."""
    inputs = ("_raw.fits", "_asn.fits", ".tra")
    roots = {path.name.removesuffix("_raw.fits") for path in Path(folder).glob("*_raw.fits")}
    support = {f"{root}_spt.fits" for root in roots}
    return sorted(p.name for p in Path(folder).iterdir() if not p.name.endswith(inputs) and p.name not in support)


def content(path, ignore=("DATE",)):
    """What a file holds, save for the day."""
    return [([card for card in cards if card[:8].rstrip() not in ignore], data) for cards, data in units(path)]


def contents(folder):
    """What all products of a folder hold."""
    return {name: content(Path(folder) / name) for name in products(folder)}


def presence(path):
    """MEMPRSNT of an association table, and ASN_PROD."""
    with astropy_fits.open(path) as hdus:
        return np.asarray(hdus[1].data["MEMPRSNT"]).tolist(), hdus[0].header.get("ASN_PROD")
