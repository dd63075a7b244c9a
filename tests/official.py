"""Simulated exposures whose calibration by the official program is on record.

``python tests/official.py FOLDER`` runs the official programs that lie in FOLDER (``acsccd.e`` ...) over the cases and
records what they made in ``tests/data/official.json``.  The tests compare with the record wherever the simulator gives
the same exposure, bit by bit, as when it was recorded (processors and versions of NumPy differ in last bits).
"""

import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from calacs import sim
from calacs.header import is_reserved
from helpers import units

RECORD = Path(__file__).with_name("data") / "official.json"
REFERENCES = ("CCDTAB", "OSCNTAB", "BPIXTAB", "ATODTAB", "BIASFILE", "SATUFILE", "SNKCFILE")
UNCOMPARED = ("DATE", "CAL_VER")

_BRIGHT = sim.Scene(star_flux=(2000.0, 1e6), star_density=2e-4)
CASES = {
    **{f"hrc_{amps}": ("HRC", {"amps": amps}) for amps in "A B C D AB CD AD BC AC BD ABCD".split()},
    "hrc_bright": ("HRC", {"scene": _BRIGHT}),
    "hrc_gain_4": ("HRC", {"gain": 4.0}),
    "hrc_bias_target": ("HRC", {"keywords": {"TARGNAME": "BIAS"}, "exptime": 0.0}),
    "hrc_no_blevcorr": ("HRC", {"keywords": {"BLEVCORR": "OMIT"}}),
    "hrc_only_dqicorr": ("HRC", {"keywords": {"BLEVCORR": "OMIT", "BIASCORR": "OMIT"}}),
    "hrc_no_bias_keywords": ("HRC", {"keywords": {f"BIASLEV{amp}": None for amp in "ABCD"}}),
    "hrc_no_bpixtab": ("HRC", {"keywords": {"BPIXTAB": "N/A"}}),
    "hrc_subarray": ("HRC", {"subarray": (100, 200, 300, 250)}),
    "wfc_1a_512": ("WFC", {"aperture": "WFC1A-512"}),
    "wfc_1b_1k_flash": ("WFC", {"aperture": "WFC1B-1K", "flash": 5.0}),
    "wfc_2c_2k": ("WFC", {"aperture": "WFC2C-2K"}),
    "wfc_2d_2k_clamp": ("WFC", {"aperture": "WFC2D-2K", "readout_type": "CLAMP"}),
    "wfc_pol": ("WFC", {"aperture": "WFC2-POL0V"}),
    "wfc_old_512": ("WFC", {"aperture": "WFC1-512", "mjd": 53000.0}),
    "wfc_old_2k": ("WFC", {"aperture": "WFC2-2K", "mjd": 55500.0}),
    "wfc_no_overscan": ("WFC", {"amps": "B", "subarray": (1000, 500, 600, 300)}),
    "wfc_full": ("WFC", {"scene": _BRIGHT}),
    "wfc_full_old": ("WFC", {"mjd": 53000.0}),
}


def make(case, references):
    """Simulate a case."""
    detector, options = CASES[case]
    return sim.simulate(detector, references=references, **{"seed": 7, "exptime": 60.0} | options)


def _hash(*parts):
    total = hashlib.sha256()
    for part in parts:
        total.update(part)
    return total.hexdigest()[:24]


@functools.cache
def _data_digest(path):
    return _hash(*(data for _, data in units(path))).encode()


def input_digest(raw, references):
    """Digest of all pixels and table cells that go into a case."""
    return _hash(*map(_data_digest, [raw, *(path for _, path in sorted(references.items()))]))


def describe(raw, product):
    """Digest of each data unit of a product, digest of its cards, and its cards that the raw file lacks."""
    found = []
    for (old, _), (cards, data) in zip(units(raw), units(product), strict=True):
        cards = [card.rstrip() for card in cards if card[:8].rstrip() not in UNCOMPARED]
        plain = {card.rstrip() for card in old}
        new = [card for card in cards if card not in plain and not is_reserved(card.ljust(80))]
        found.append({"data": _hash(data), "cards": _hash("\n".join(cards).encode()), "new": new})
    return found


def write_references(detector, folder):
    """Write the reference files that the cases need; the set, and the paths by keyword."""
    references = sim.ReferenceSet(detector)
    return references, references.write(folder, [key for key in REFERENCES if key in references.names])


def record(programs):
    """Run the official program over all cases."""
    result = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["jref"] = f"{folder / 'jref'}{os.sep}"
        written = {detector: write_references(detector, folder / "jref") for detector in ("HRC", "WFC")}
        for case, (detector, _) in CASES.items():
            references, paths = written[detector]
            raw = make(case, references).write(folder / case)
            subprocess.run([programs / "acsccd.e", "-q", raw.name], cwd=raw.parent, check=True)
            product = raw.with_name(raw.name.replace("_raw", "_blv_tmp"))
            result[case] = {"input": input_digest(raw, paths), "acsccd": describe(raw, product)}
            shutil.rmtree(raw.parent)
            print(case)
    RECORD.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    record(Path(sys.argv[1]).resolve())
