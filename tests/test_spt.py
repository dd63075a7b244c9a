"""Support files of combined products."""

import numpy as np
import pytest

import small
from calacs import fits, spt
from calacs.errors import CalacsWarning, FileNotReadable, OutputExists
from helpers import find_card, nothing_changes, units


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder, number, n_extension=1):
    return small.write_support(folder / f"jsmall{number:02d}q_spt.fits", np.arange(5) + 100 * number, n_extension)


def inputs(*numbers):
    return [f"jsmall{number:02d}q_blv_tmp.fits" for number in numbers]


@pytest.mark.parametrize(
    ("name", "support"),
    [
        ("x_flt.fits", "x_spt.fits"),
        ("x_blv_tmp.fits", "x_spt.fits"),
        ("x_crj_tmp.fits", "x_spt.fits"),
        ("d/x_sfl.fits", "d/x_spt.fits"),
        ("x_flc.fits", "x_flc_spt.fits"),
        ("x_crc_tmp.fits", "x_crc_tmp_spt.fits"),
        ("x", "x_spt.fits"),
        ("combined.fit", "combined_spt.fit"),
    ],
)
def test_names(name, support):
    assert spt.support_name(name).as_posix() == support


def test_extensions_follow_one_another(folder):
    write(folder, 1, 2)
    write(folder, 2)
    assert spt.merge(inputs(1, 2), "j9cr01011_crj_tmp.fits", "prod-crj") == folder.__class__("j9cr01011_spt.fits")
    image = fits.open_image("j9cr01011_spt.fits")
    planes = [image.planes["UDL", number] for number in (1, 2, 3)]
    assert [plane.read()[0, 0] for plane in planes] == [100, 101, 200]
    assert planes[0].read().dtype == np.int16
    assert [plane.header["EXTVER"] for plane in planes] == [1, 2, 3]
    cards = units("j9cr01011_spt.fits")[0][0]
    assert find_card(cards, "ROOTNAME").startswith("ROOTNAME= 'J9CR01011 '")
    assert find_card(cards, "OBSERVTN").startswith("OBSERVTN= '011     '")
    assert find_card(cards, "NEXTEND").split("=")[1].split("/")[0].strip() == "2"
    assert find_card(cards, "ASN_MTYP").startswith("ASN_MTYP= 'prod-crj'           / Role of the Exposure")
    assert find_card(cards, "FILENAME").startswith("FILENAME= 'j9cr01011_spt.fits'")


def test_lines_are_stored_as_such(folder):
    write(folder, 1)
    spt.merge(inputs(1), "x_crj.fits")
    cards = units("x_spt.fits")[1][0]
    assert find_card(cards, "NAXIS   ".strip()).split("/")[0].split("=")[1].strip() == "1"
    assert find_card(cards, "NAXIS1").split("/")[0].split("=")[1].strip() == "5"


def test_missing_files(folder):
    with pytest.warns(CalacsWarning, match="jsmall01q_spt"):
        assert spt.merge(inputs(1), "x_crj.fits") is None
    write(folder, 2)
    with pytest.warns(CalacsWarning, match="jsmall01q_spt"):
        assert spt.merge(inputs(1, 2), "x_crj.fits") is None
    with pytest.warns(CalacsWarning, match="jsmall01q_spt"):
        spt.merge(inputs(2, 1), "x_crj.fits")
    assert sum(key[0] == "UDL" for key in fits.open_image("x_spt.fits").planes) == 1
    assert spt.merge([], "y_crj.fits") is None


def test_a_file_without_lines(folder):
    write(folder, 1)
    from astropy.io import fits as astropy_fits

    astropy_fits.PrimaryHDU().writeto("jsmall02q_spt.fits")
    with pytest.warns(CalacsWarning, match=r"no extension \[UDL,1\]"):
        spt.merge(inputs(1, 2), "x_crj.fits")


def test_bad_files(folder):
    write(folder, 1)
    (folder / "x_spt.fits").write_text("precious")
    with nothing_changes(folder):
        with pytest.raises(OutputExists, match="x_spt"):
            spt.merge(inputs(1), "x_crj.fits")
        with pytest.raises(OutputExists, match="x_spt"):
            spt.foresee(inputs(1), "x_crj.fits")
        assert spt.foresee(inputs(2), "x_crj.fits") is None
        assert spt.foresee(inputs(1), "y_crj.fits") == folder.__class__("y_spt.fits")
    assert spt.merge(inputs(1), "x_crj.fits", clobber=True)
    (folder / "jsmall02q_spt.fits").write_text("no FITS")
    with nothing_changes(folder), pytest.raises(FileNotReadable, match="jsmall02q_spt"):
        spt.merge(inputs(1, 2), "y_crj.fits")
