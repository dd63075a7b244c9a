"""What a caller replaces for one run."""

import numpy as np
import pytest
from astropy.io import fits as astropy_fits

from calacs.exposure import Exposure, ImSet
from calacs.header import Header
from calacs.observation import PARAMETERS
from calacs.overrides import COLUMNS, SWITCHES, Overrides
from calacs.registry import REGISTRY


def exposure():
    plane = np.zeros((1, 1), np.float32)
    headers = {name: Header() for name in ("SCI", "ERR", "DQ")}
    return Exposure(Header(["BIASCORR= 'PERFORM '"]), (ImSet(1, plane, plane, plane.astype(np.int16), headers),))


@pytest.mark.parametrize("name", SWITCHES)
def test_every_switch(name):
    given = Overrides.of({name.lower(): "omit"})
    assert given.switches == {name: "OMIT"}


@pytest.mark.parametrize("name", list(REGISTRY))
def test_every_reference(name):
    given = Overrides.of({name.lower(): "x.fits"})
    assert given.references == {name: "x.fits"}


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter(name):
    given = Overrides.of({name.lower().replace("-", "_"): 1})
    assert given.keywords == {name: 1}


@pytest.mark.parametrize("name", sorted(COLUMNS - set(PARAMETERS)))
def test_every_column(name):
    assert Overrides.of({name.lower(): 1.0}).columns == {name: 1.0}


@pytest.mark.parametrize("name", ["sdqflags", "globrate", "ncombine"])
def test_science_keywords(name):
    made = exposure()
    Overrides.of({name: 5}).apply(made)
    assert made.imsets[0].header["SCI"].get(name.upper()) == 5
    assert name.upper() not in made.primary


SAID = {True: "PERFORM", False: "OMIT", "Perform": "PERFORM", " complete ": "COMPLETE"}


@pytest.mark.parametrize(("value", "want"), SAID.items())
def test_values_of_switches(value, want):
    made = exposure()
    Overrides.of({"biascorr": value}).apply(made)
    assert made.primary.get("BIASCORR") == want


@pytest.mark.parametrize("value", ["yes", "", 1, 2.5])
def test_values_that_are_no_switch(value):
    with pytest.raises(ValueError, match="biascorr must be"):
        Overrides.of({"biascorr": value})


def test_none_leaves_things_as_they_are():
    given = Overrides.of({"biascorr": None, "biasfile": None, "darktime": None, "readnsea": None})
    assert given == Overrides()


@pytest.mark.parametrize(("name", "hint"), [("biascor", "biascorr"), ("bias_file", "biasfile"), ("readnse", "readnse")])
def test_names_that_do_not_exist(name, hint):
    with pytest.raises(TypeError, match=f"unexpected argument '{name}'; did you mean .*{hint}"):
        Overrides.of({name: 1})
    with pytest.raises(TypeError, match="unexpected argument 'zzzzzzzz'$"):
        Overrides.of({"zzzzzzzz": 1})


def test_references_are_paths_or_hdulists():
    for value in (3, [1.0], b"x"):
        with pytest.raises(TypeError, match="biasfile must be a path or an HDUList"):
            Overrides.of({"biasfile": value})
    with pytest.raises(ValueError, match="biasfile: the HDUList is empty"):
        Overrides.of({"biasfile": astropy_fits.HDUList()})


def test_references_stand_in_the_header(tmp_path):
    made = exposure()
    Overrides.of({"biasfile": tmp_path / "b.fits", "ccdtab": astropy_fits.HDUList([astropy_fits.PrimaryHDU()])}).apply(
        made
    )
    assert made.primary.get("BIASFILE") == str(tmp_path / "b.fits")[:68]
    assert made.primary.get("CCDTAB") == "object in memory"


def test_replaced_columns_are_told_in_history():
    made = exposure()
    Overrides.of({"readnsea": 4.5}).add_history(made)
    assert made.primary.history == ("READNSEA = 4.5 replaced the value of the reference table",)
