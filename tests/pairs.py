"""A pair of WFC subarrays, simulated once and calibrated task by task, for the tests of programs."""

import os
import shutil

from calacs import acs2d, acsccd, acscte, sim


class Pair:
    """The files of two exposures of one field; the first is called a, the second b.

    Attributes
    ----------
    folder : Path
        Where raw files, the association table and all later files are.
    jref : Path
        Folder of the reference files.
    names : dict of str to str
        Root names: "a", "b", "asn" and "p" (the product).
    """

    def __init__(self, folder):
        self.folder, self.jref = folder / "files", folder / "jref"
        references = sim.ReferenceSet("WFC")
        made = sim.simulate_association(
            "CR-SPLIT",
            "WFC",
            seed=3,
            aperture="WFC1A-512",
            exptime=60.0,
            references=references,
            keywords={"PCTECORR": "PERFORM"},
        )
        made.write(self.folder)
        made.members[0].write_references(self.jref)
        references.write(self.jref, ["FLSHFILE"])
        roots = [member.filename.removesuffix("_raw.fits") for member in made.members]
        asn = made.filename.removesuffix("_asn.fits")
        self.names = {"a": roots[0], "b": roots[1], "asn": asn, "p": f"{asn[:-1]}1"}

    def calibrate(self):
        """Make all files from raw to flc of both exposures."""
        a, b = self.names["a"], self.names["b"]
        old = os.getcwd(), os.environ.get("jref")
        os.chdir(self.folder)
        os.environ["jref"] = f"{self.jref}{os.sep}"
        try:
            acsccd.acsccd([f"{a}_raw.fits", f"{b}_raw.fits"], quiet=True)
            acscte.acscte([f"{a}_blv_tmp.fits"], quiet=True)
            acs2d.acs2d([f"{a}_blv_tmp.fits", f"{b}_blv_tmp.fits", f"{a}_blc_tmp.fits"], quiet=True)
        finally:
            os.chdir(old[0])
            os.environ.pop("jref")
            if old[1] is not None:
                os.environ["jref"] = old[1]
            for path in self.folder.glob("*.tra"):
                path.unlink()

    def name(self, text):
        """Write names in full: "{a}_raw.fits"."""
        return text.format(**self.names)

    def copy(self, names, target):
        """Copy some files."""
        for name in names.split():
            path = self.folder / f"{self.name(name)}.fits"
            shutil.copy(path, target)
