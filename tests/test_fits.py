"""FITS files: what is read, what is written, and what is refused."""

import contextlib
import errno
import gzip
import os
import stat

import numpy as np
import pytest
from astropy.io import fits as astropy_fits

from calacs import fits
from calacs.errors import (
    ColumnNotFound,
    FileNotReadable,
    OutputExists,
    TableError,
    WriteFailed,
)
from calacs.exposure import Exposure, ImSet
from calacs.header import Header
from calacs.sim import files
from helpers import BLOCK, find_card, nothing_changes, same_bits, same_exposure, units

SHAPE = (5, 7)


def raw_hdus(sci=None, err=0.0, dq=0, *, extver=1, cards=()):
    """HDUs of one image set as in raw exposures: unsigned SCI, constant ERR and DQ."""
    sci = np.arange(35, dtype=np.uint16).reshape(SHAPE) * np.uint16(1800) if sci is None else sci
    made = [files.image_hdu(sci, cards, "SCI", extver)]
    for name, plane in (("ERR", err), ("DQ", dq)):
        make = files.image_hdu if isinstance(plane, np.ndarray) else files.constant_hdu
        arguments = (plane,) if isinstance(plane, np.ndarray) else (plane, sci.shape)
        made.append(make(*arguments, cards, name, extver))
    return made


def raw(path, *image_sets, primary=()):
    image_sets = image_sets or (raw_hdus(),)
    hdus = [files.primary_hdu([files.card("NEXTEND", 3 * len(image_sets)), *primary])]
    return files.write(path, [*hdus, *(hdu for one in image_sets for hdu in one)])


def exposure(err=None, dq=None, sci=None):
    """A small exposure in memory."""
    sci = np.arange(35, dtype=np.float32).reshape(SHAPE) if sci is None else sci
    err = np.sqrt(np.abs(sci) + 1) if err is None else np.asarray(err, np.float32)
    dq = np.zeros(sci.shape, np.int16) if dq is None else dq
    headers = {
        name: Header([f"EXTNAME = '{name:<8}'", "EXTVER  =                    1"]) for name in ("SCI", "ERR", "DQ")
    }
    return Exposure(Header(["NEXTEND =                    3"]), (ImSet(1, sci, err, dq, headers),))


# Reading


def test_a_raw_exposure_arrives_as_float_and_signed_short(tmp_path):
    made = fits.read_exposure(raw(tmp_path / "x_raw.fits"))
    (imset,) = made
    assert [imset.plane(name).dtype for name in ("SCI", "ERR", "DQ")] == [np.float32, np.float32, np.int16]
    for name in ("SCI", "ERR", "DQ"):
        plane = imset.plane(name)
        assert plane.shape == SHAPE
        assert plane.flags.c_contiguous
        assert plane.flags.writeable
        assert plane.dtype.isnative
    assert np.array_equal(imset.sci.ravel(), 1800.0 * np.arange(35))
    assert not imset.err.any()
    assert made.path == tmp_path / "x_raw.fits"
    assert "BZERO" not in imset.header["SCI"]


@pytest.mark.parametrize("value", [0, 1, 32767, 32768, 65535])
def test_unsigned_numbers_over_their_whole_range(tmp_path, value):
    (imset,) = fits.read_exposure(raw(tmp_path / "x.fits", raw_hdus(np.full(SHAPE, value, np.uint16))))
    assert (imset.sci == value).all()


@pytest.mark.parametrize(("err", "dq"), [(0.0, 0), (3.3, 16), (-1.5, -32768), (1e-30, 32767)])
def test_constant_planes_are_expanded(tmp_path, err, dq):
    (imset,) = fits.read_exposure(raw(tmp_path / "x.fits", raw_hdus(err=err, dq=dq)))
    assert (imset.err == np.float32(err)).all()
    assert (imset.dq == dq).all()
    assert imset.header["ERR"].get_int("NPIX1") == 7


def test_a_constant_plane_without_npix2_is_one_row(tmp_path):
    cards = [files.card("NPIX1", 9), files.card("PIXVALUE", 2.5)]
    sci = np.zeros((1, 9), np.float32)
    hdus = [
        files.image_hdu(sci, (), "SCI"),
        files.constant_hdu(2.5, (1, 9), cards, "ERR"),
        files.constant_hdu(0, (1, 9), (), "DQ"),
    ]
    (imset,) = fits.read_exposure(raw(tmp_path / "x.fits", hdus))
    assert imset.err.shape == (1, 9)
    assert (imset.err == 2.5).all()


@pytest.mark.parametrize("keyword", ["NPIX1", "PIXVALUE"])
def test_a_constant_plane_without_its_keywords_is_an_error(tmp_path, keyword):
    path = raw(tmp_path / "x.fits")
    with astropy_fits.open(path, mode="update", do_not_scale_image_data=True) as hdus:
        del hdus["ERR"].header[keyword]
    with pytest.raises(FileNotReadable, match=f"ERR.*{keyword}"):
        fits.read_exposure(path)


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "i8", "f4", "f8"])
def test_every_type_of_image(tmp_path, dtype):
    values = np.arange(35).reshape(SHAPE).astype(dtype)
    hdus = astropy_fits.HDUList(
        [astropy_fits.PrimaryHDU(), *(astropy_fits.ImageHDU(values, name=n) for n in ("SCI", "ERR", "DQ"))]
    )
    hdus.writeto(tmp_path / "x.fits")
    (imset,) = fits.read_exposure(tmp_path / "x.fits")
    assert same_bits(imset.sci, values.astype(np.float32))
    assert same_bits(imset.dq, values.astype(np.int16))


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "f4"])
def test_bscale_and_bzero_are_applied(tmp_path, dtype):
    path = tmp_path / "x.fits"
    stored = np.arange(35).reshape(SHAPE).astype(dtype)
    hdus = [astropy_fits.PrimaryHDU()]
    for name in ("SCI", "ERR", "DQ"):
        hdu = astropy_fits.ImageHDU(stored, name=name)
        hdu.header["BSCALE"], hdu.header["BZERO"] = 2.0, 100.0
        hdus.append(hdu)
    astropy_fits.HDUList(hdus).writeto(path)
    with astropy_fits.open(path, mode="update", do_not_scale_image_data=True) as opened:
        for hdu in opened[1:]:
            hdu.header["BSCALE"], hdu.header["BZERO"] = 2.0, 100.0
    (imset,) = fits.read_exposure(path)
    assert same_bits(imset.sci, (stored * 2.0 + 100.0).astype(np.float32))
    assert same_bits(imset.dq, (stored * 2.0 + 100.0).astype(np.int16))


def test_doubles_are_rounded_to_float(tmp_path):
    values = np.array([[0.1, 1e-50, 16777217.0, np.nan, np.inf]])
    hdus = [astropy_fits.PrimaryHDU()]
    hdus += [
        astropy_fits.ImageHDU(values if name == "SCI" else np.zeros((1, 5), "f4"), name=name)
        for name in ("SCI", "ERR", "DQ")
    ]
    hdus[3] = astropy_fits.ImageHDU(np.zeros((1, 5), np.int16), name="DQ")
    astropy_fits.HDUList(hdus).writeto(tmp_path / "x.fits")
    (imset,) = fits.read_exposure(tmp_path / "x.fits")
    assert np.array_equal(imset.sci, values.astype(np.float32), equal_nan=True)


@pytest.mark.parametrize("values", [[40000], [65535], [32768]])
def test_flags_that_do_not_fit_16_signed_bits_are_refused(tmp_path, values):
    dq = np.zeros(SHAPE, np.uint16)
    dq[2, 3] = values[0]
    path = raw(tmp_path / "x.fits", raw_hdus(dq=dq))
    with pytest.raises(FileNotReadable, match=rf"x\.fits\[DQ,1\]: .*{values[0]}.*16 signed bits") as caught:
        fits.read_exposure(path)
    assert caught.value.status == 114


def test_unsigned_flags_that_fit_are_fine(tmp_path):
    dq = np.full(SHAPE, 32767, np.uint16)
    (imset,) = fits.read_exposure(raw(tmp_path / "x.fits", raw_hdus(dq=dq)))
    assert (imset.dq == 32767).all()


def test_compressed_files(tmp_path):
    path = raw(tmp_path / "x_raw.fits")
    with gzip.open(tmp_path / "x_raw.fits.gz", "wb") as file:
        file.write(path.read_bytes())
    assert same_exposure(fits.read_exposure(path), fits.read_exposure(tmp_path / "x_raw.fits.gz"))


def test_tile_compressed_images(tmp_path):
    values = np.arange(3500, dtype=np.int16).reshape(50, 70)
    hdus = [astropy_fits.PrimaryHDU()]
    hdus[0].header["NEXTEND"] = 3
    for name in ("SCI", "ERR", "DQ"):
        hdus.append(astropy_fits.CompImageHDU(values, name=name, compression_type="RICE_1"))
    astropy_fits.HDUList(hdus).writeto(tmp_path / "x.fits")
    (imset,) = fits.read_exposure(tmp_path / "x.fits")
    assert same_bits(imset.sci, values.astype(np.float32))
    assert same_bits(imset.dq, values)


def test_two_image_sets_and_units_of_other_kinds(tmp_path):
    path = raw(tmp_path / "x.fits", raw_hdus(), raw_hdus(np.full((3, 4), 9, np.uint16), extver=2))
    with astropy_fits.open(path, mode="append") as hdus:
        hdus.append(astropy_fits.BinTableHDU.from_columns([astropy_fits.Column("A", "I", array=[1])], name="WCSCORR"))
    made = fits.read_exposure(path)
    assert [imset.extver for imset in made] == [1, 2]
    assert made.imsets[1].shape == (3, 4)


def test_parts_of_a_plane(tmp_path):
    image = fits.open_image(raw(tmp_path / "x.fits"))
    sci = image.plane("SCI", 1).read(slice(1, 3), slice(2, 6))
    assert same_bits(sci, np.ascontiguousarray(1800 * np.arange(35, dtype=np.float32).reshape(SHAPE)[1:3, 2:6]))
    assert image.plane("ERR", 1).read(slice(1, 3), slice(2, 6)).shape == (2, 4)


def test_the_input_does_not_change(tmp_path):
    path = raw(tmp_path / "x.fits")
    with nothing_changes(tmp_path):
        made = fits.read_exposure(path)
        for imset in made:
            imset.sci += 1
            imset.dq |= 4
            imset.header["SCI"].set("NEW", 1)
    assert fits.read_exposure(path).imsets[0].sci[0, 0] == 0


# Bad files


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotReadable, match=r"nothere\.fits: no such file") as caught:
        fits.read_exposure(tmp_path / "nothere.fits")
    assert caught.value.status == 114


@pytest.mark.parametrize("content", [b"", b"SIMPLE", b"hello world\n" * 500, bytes(5760), b" " * 2880])
def test_files_that_are_not_fits(tmp_path, content):
    (tmp_path / "x.fits").write_bytes(content)
    with pytest.raises(FileNotReadable, match=r"x\.fits"):
        fits.read_exposure(tmp_path / "x.fits")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(FileNotReadable, match="this is a folder|cannot be read"):
        fits.read_exposure(tmp_path)


@pytest.mark.parametrize("kept", [100, BLOCK, BLOCK + 100, 2 * BLOCK, 3 * BLOCK - 1, 4 * BLOCK])
def test_truncated_files(tmp_path, kept):
    content = raw(tmp_path / "x.fits").read_bytes()
    assert kept < len(content)
    (tmp_path / "x.fits").write_bytes(content[:kept])
    with pytest.raises(FileNotReadable, match=r"x\.fits"):
        fits.read_exposure(tmp_path / "x.fits")


def test_missing_padding_after_the_last_unit_is_forgiven(tmp_path):
    path = raw(tmp_path / "x.fits", raw_hdus(dq=np.full(SHAPE, 4, np.int16)))
    path.write_bytes(path.read_bytes()[: -BLOCK + 70])
    assert (fits.read_exposure(path).imsets[0].dq == 4).all()


@pytest.mark.parametrize("spoil", ["short", "overwritten"])
def test_damaged_gzip_files(tmp_path, spoil):
    noise = np.random.default_rng(0).integers(0, 65535, (80, 90), np.uint16)
    packed = bytearray(gzip.compress(raw(tmp_path / "x.fits", raw_hdus(noise)).read_bytes()))
    if spoil == "short":
        packed = packed[: len(packed) // 2]
    else:
        packed[20:60] = bytes(40)
    (tmp_path / "x.fits.gz").write_bytes(packed)
    with pytest.raises(FileNotReadable, match=r"x\.fits\.gz"):
        fits.read_exposure(tmp_path / "x.fits.gz")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("BITPIX  =                   16", "BITPIX  =                   13"),
        ("BITPIX  =                   16", "BITPIX  = 'sixteen '          "),
        ("NAXIS   =                    2", "NAXIS   = 'two     '          "),
        ("NAXIS   =                    2", "NAXIS   =                   -2"),
        ("NAXIS1  =                    7", "NAXIS1  =                   -7"),
        ("NAXIS1  =                    7", "COMMENT                       "),
        ("NAXIS2  =                    5", "NAXIS2  =       50000000000000"),
        ("EXTVER  =                    1", "EXTVER  = 'one     '          "),
        ("EXTNAME = 'SCI     '", "EXTNAME = 'SCI      "),
    ],
)
def test_headers_that_make_no_sense(tmp_path, old, new):
    path = raw(tmp_path / "x.fits")
    content = path.read_bytes()
    head, tail = content[:BLOCK], content[BLOCK:]
    assert old.encode() in tail
    path.write_bytes(head + tail.replace(old.encode(), new.encode(), 1))
    with pytest.raises(FileNotReadable, match=r"x\.fits: "):
        fits.read_exposure(path)


@pytest.mark.parametrize("gone", ["SCI", "ERR", "DQ"])
def test_missing_extensions(tmp_path, gone):
    hdus = [hdu for hdu in raw_hdus() if not any(f"EXTNAME = '{gone}" in card for card in hdu.cards)]
    assert len(hdus) == 2
    with pytest.raises(FileNotReadable, match=rf"\[{gone},1\]"):
        fits.read_exposure(raw(tmp_path / "x.fits", hdus))


def test_nextend_that_is_too_large(tmp_path):
    path = raw(tmp_path / "x.fits")
    with astropy_fits.open(path, mode="update", do_not_scale_image_data=True) as hdus:
        hdus[0].header["NEXTEND"] = 6
    with pytest.raises(FileNotReadable, match=r"\[SCI,2\]; the file is incomplete or NEXTEND is too large") as caught:
        fits.read_exposure(path)
    assert caught.value.status == 114


def test_planes_of_different_size(tmp_path):
    with pytest.raises(FileNotReadable, match=r"\[DQ,1\] has .*2, 2"):
        fits.read_exposure(raw(tmp_path / "x.fits", raw_hdus(dq=np.ones((2, 2), np.int16))))


# Writing


def test_structure_of_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(fits.writing.time, "strftime", lambda text: "2026-11-22")
    path = exposure().write(tmp_path / "x_flt.fits")
    (primary, nothing), (sci, sci_data), (err, _), (dq, dq_data) = units(path)
    assert nothing == b""
    assert [card.rstrip() for card in primary[:8]] == [
        "SIMPLE  =                    T / file does conform to FITS standard",
        "BITPIX  =                   16 / number of bits per data pixel",
        "NAXIS   =                    0 / number of data axes",
        "EXTEND  =                    T / FITS dataset may contain extensions",
        "COMMENT   FITS (Flexible Image Transport System) format is defined in 'Astronomy",
        "COMMENT   and Astrophysics', volume 376, page 359; bibcode: 2001A&A...376..359H",
        "ORIGIN  = 'HSTIO/CFITSIO March 2010' / FITS file originator",
        "DATE    = '2026-11-22' / date this file was written (yyyy-mm-dd)",
    ]
    assert [card.rstrip() for card in sci[:10]] == [
        "XTENSION= 'IMAGE   '           / IMAGE extension",
        "BITPIX  =                  -32 / number of bits per data pixel",
        "NAXIS   =                    2 / number of data axes",
        "NAXIS1  =                    7 / length of data axis 1",
        "NAXIS2  =                    5 / length of data axis 2",
        "PCOUNT  =                    0 / required keyword; must = 0",
        "GCOUNT  =                    1 / required keyword; must = 1",
        "ORIGIN  = 'HSTIO/CFITSIO March 2010' / FITS file originator",
        "DATE    = '2026-11-22' / date this file was written (yyyy-mm-dd)",
        "EXTNAME = 'SCI     '           /",
    ]
    assert [card[:8].strip() for card in dq] == (
        "XTENSION BITPIX NAXIS PCOUNT GCOUNT ORIGIN DATE EXTNAME EXTVER PIXVALUE NPIX1 NPIX2".split()
    )
    assert find_card(dq, "BITPIX").split()[2] == "16"
    assert find_card(err, "NAXIS").split()[2] == "2"
    assert dq_data == b""
    assert sci_data == np.arange(35).astype(">f4").tobytes()
    assert len(path.read_bytes()) % BLOCK == 0


def test_constant_planes_are_stored_as_one_value(tmp_path):
    path = exposure(err=np.full(SHAPE, 3.3), dq=np.full(SHAPE, -32768, np.int16)).write(tmp_path / "x.fits")
    _, _, (err, err_data), (dq, dq_data) = units(path)
    assert err_data == dq_data == b""
    assert find_card(err, "PIXVALUE") == "PIXVALUE=        3.3000000E+00 / values of pixels in constant array".ljust(80)
    assert find_card(err, "NPIX1") == "NPIX1   =                    7 / length of constant array axis 1".ljust(80)
    assert find_card(err, "NPIX2") == "NPIX2   =                    5 / length of constant array axis 2".ljust(80)
    assert find_card(dq, "PIXVALUE") == "PIXVALUE=               -32768 / values of pixels in constant array".ljust(80)
    (imset,) = fits.read_exposure(path)
    assert (imset.err == np.float32(3.3)).all()
    assert (imset.dq == -32768).all()


def test_the_keywords_of_a_constant_plane_go_when_it_is_not_constant(tmp_path):
    made = fits.read_exposure(raw(tmp_path / "x.fits"))
    made.imsets[0].err[1, 1] = 2
    path = made.write(tmp_path / "y.fits")
    with astropy_fits.open(path) as hdus:
        assert not {"PIXVALUE", "NPIX1", "NPIX2"} & set(hdus["ERR"].header)
        assert {"PIXVALUE", "NPIX1", "NPIX2"} <= set(hdus["DQ"].header)
        assert hdus["DQ"].header["NAXIS"] == 0


def test_science_is_never_stored_as_one_value(tmp_path):
    path = exposure(sci=np.zeros(SHAPE, np.float32)).write(tmp_path / "x.fits")
    with astropy_fits.open(path) as hdus:
        assert hdus["SCI"].data.shape == SHAPE
        assert hdus["ERR"].header["NAXIS"] == 0


def test_nan_is_no_constant(tmp_path):
    path = exposure(err=np.full(SHAPE, np.nan)).write(tmp_path / "x.fits")
    with astropy_fits.open(path) as hdus:
        assert hdus["ERR"].data.shape == SHAPE


@pytest.mark.parametrize(("corner", "stored"), [((2.0, 0), False), ((3.0, 0), True), (None, True)])
def test_a_section_is_compared_with_the_corner_of_the_untrimmed_frame(tmp_path, corner, stored):
    made = exposure(err=np.full(SHAPE, 3.0))
    made.imsets[0].corner = corner
    with astropy_fits.open(made.write(tmp_path / "x.fits")) as hdus:
        assert (hdus["ERR"].header["NAXIS"] == 0) == stored


def test_one_row_is_a_one_dimensional_image(tmp_path):
    path = exposure(sci=np.arange(7, dtype=np.float32)[None]).write(tmp_path / "x.fits")
    _, (sci, _), _, (dq, _) = units(path)
    assert find_card(sci, "NAXIS").split()[2] == "1"
    assert "NPIX2" not in [card[:8].strip() for card in dq]
    assert fits.read_exposure(path).imsets[0].shape == (1, 7)


def test_extension_names_are_added_in_front(tmp_path):
    made = exposure()
    made.imsets[0].header["SCI"] = Header(["OTHER   = 1"])
    _, (sci, _), *_ = units(made.write(tmp_path / "x.fits"))
    assert [card.rstrip() for card in sci[9:12]] == [
        "EXTNAME = 'SCI     '           / Name of the extension",
        "EXTVER  =                    1 / Extension version",
        "OTHER   = 1",
    ]


def test_a_missing_extension_version_is_added_behind_the_name(tmp_path):
    made = exposure()
    made.imsets[0].header["SCI"] = Header(["FIRST   = 1", "EXTNAME = 'SCI     '", "OTHER   = 1"])
    _, (sci, _), *_ = units(made.write(tmp_path / "x.fits"))
    assert [card[:8].rstrip() for card in sci[9:13]] == ["FIRST", "EXTNAME", "EXTVER", "OTHER"]


def test_an_empty_hdulist():
    with pytest.raises(FileNotReadable, match="HDUList is empty"):
        fits.as_exposure(astropy_fits.HDUList())


def test_leading_blank_cards_are_dropped(tmp_path):
    made = exposure()
    made.primary = Header(["", "", "NEXTEND = 3", "", "KEY     = 1"])
    (primary, _), *_ = units(made.write(tmp_path / "x.fits"))
    assert [card[:8].strip() for card in primary[8:]] == ["NEXTEND", "", "KEY"]


def test_what_is_written_can_be_read_again(tmp_path):
    rng = np.random.default_rng(0)
    made = exposure(
        sci=rng.normal(0, 9, (400, 30)).astype(np.float32), dq=rng.integers(-32768, 32767, (400, 30), np.int16)
    )
    again = fits.read_exposure(made.write(tmp_path / "x.fits"))
    assert same_exposure(made, again)
    with astropy_fits.open(tmp_path / "x.fits") as hdus:
        hdus.verify("exception")
        assert np.array_equal(hdus["SCI"].data, made.imsets[0].sci)


def test_an_hdulist_is_the_same_as_a_file(tmp_path):
    made = fits.read_exposure(
        raw(tmp_path / "x.fits", primary=[files.card("ROOTNAME", "x"), files.card("HISTORY", None, "h")])
    )
    made.imsets[0].dq[0, 3] = 4
    path = made.write(tmp_path / "y.fits")
    hdus = made.to_hdulist()
    with astropy_fits.open(path) as file:
        assert len(file) == len(hdus) == 4
        for one, other in zip(file, hdus, strict=True):
            assert [card.image for card in one.header.cards] == [card.image for card in other.header.cards]
            assert (one.data is None) == (other.data is None)
            assert one.data is None or same_bits(np.asarray(one.data), np.asarray(other.data))
    assert same_exposure(fits.as_exposure(hdus), fits.read_exposure(path))


def test_an_hdulist_comes_in(tmp_path):
    path = raw(tmp_path / "x.fits", raw_hdus(dq=5))
    with astropy_fits.open(path) as hdus:
        got = fits.as_exposure(hdus)
    assert same_exposure(got, fits.read_exposure(path))
    assert got.path is None
    with astropy_fits.open(path, uint=False) as hdus:
        assert same_bits(fits.as_exposure(hdus).imsets[0].sci, got.imsets[0].sci)


def test_what_is_no_exposure():
    for thing in (7, [1, 2], np.zeros(3), None):
        with pytest.raises(TypeError, match="must be an Exposure, a path or an HDUList"):
            fits.as_exposure(thing)


def test_an_exposure_is_copied():
    made = exposure()
    other = fits.as_exposure(made)
    other.imsets[0].sci += 1
    other.primary.set("NEXTEND", 6)
    assert made.imsets[0].sci[0, 0] == 0
    assert made.primary.get("NEXTEND") == 3


def test_files_get_the_usual_permissions(tmp_path):
    old = os.umask(0o027)
    try:
        path = exposure().write(tmp_path / "x.fits")
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


# Refusals


def test_an_existing_file_is_refused(tmp_path):
    path = tmp_path / "x.fits"
    path.write_text("precious")
    with nothing_changes(tmp_path), pytest.raises(OutputExists, match="imclobber") as caught:
        exposure().write(path)
    assert caught.value.status == 1021


@pytest.mark.parametrize(
    ("value", "allowed"), [("yes", True), ("YES", True), ("Yes", False), ("y", False), ("no", False), ("", False)]
)
def test_imclobber(tmp_path, monkeypatch, value, allowed):
    path = tmp_path / "x.fits"
    path.write_text("old")
    monkeypatch.setenv("imclobber", value)
    if allowed:
        exposure().write(path)
        assert path.stat().st_size > BLOCK
    else:
        with pytest.raises(OutputExists):
            exposure().write(path)


def test_clobber(tmp_path):
    path = exposure().write(tmp_path / "x.fits")
    exposure(dq=np.full(SHAPE, 4, np.int16)).write(path, clobber=True)
    assert (fits.read_exposure(path).imsets[0].dq == 4).all()


def test_a_missing_folder(tmp_path):
    with pytest.raises(WriteFailed, match=r"x\.fits: cannot be created: .*; check the folder") as caught:
        exposure().write(tmp_path / "no" / "x.fits")
    assert caught.value.status == 1020


def test_a_folder_without_permission(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(fits.writing, "open", refuse, raising=False)
    with nothing_changes(tmp_path), pytest.raises(WriteFailed, match="Permission denied"):
        exposure().write(tmp_path / "x.fits")


@contextlib.contextmanager
def small_disk():
    """No file may grow beyond three blocks; for as short a time as possible, since that holds for pytest's output too."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 * BLOCK, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk(tmp_path):
    with nothing_changes(tmp_path), pytest.raises(WriteFailed, match="cannot be written") as caught, small_disk():
        exposure().write(tmp_path / "x.fits")
    assert caught.value.status == 1020


def test_a_full_disk_keeps_the_old_file(tmp_path):
    path = tmp_path / "x.fits"
    path.write_text("old")
    with nothing_changes(tmp_path), pytest.raises(WriteFailed), small_disk():
        exposure().write(path, clobber=True)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_nothing_half_written_is_left(tmp_path, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(fits.writing, "_write_pixels", fail)
    with nothing_changes(tmp_path), pytest.raises(WriteFailed if isinstance(error, OSError) else KeyboardInterrupt):
        exposure().write(tmp_path / "x.fits")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_cannot_be_replaced(tmp_path):
    (tmp_path / "x.fits").mkdir()
    with pytest.raises(WriteFailed):
        exposure().write(tmp_path / "x.fits", clobber=True)
    assert [path.name for path in tmp_path.iterdir()] == ["x.fits"]


# Tables


def table(path, **columns):
    made = [astropy_fits.Column(name, form, array=values) for name, (form, values) in columns.items()]
    primary = astropy_fits.PrimaryHDU()
    primary.header["PEDIGREE"] = "GROUND"
    astropy_fits.HDUList([primary, astropy_fits.BinTableHDU.from_columns(made)]).writeto(path)
    return path


def test_tables(tmp_path):
    path = table(
        tmp_path / "t.fits", CcdAmp=("4A", ["A", "ABCD"]), GAIN=("E", [1, 2]), N=("I", [3, 4]), LARGE=("J", [5, 6])
    )
    got = fits.read_table(path)
    assert got.n_row == 2
    assert got.columns == ("CCDAMP", "GAIN", "N", "LARGE")
    assert got.primary.get_str("PEDIGREE") == "GROUND"
    assert got.text("ccdamp", 0) == "A"
    assert [got.is_integer(name) for name in ("gain", "n", "large")] == [False, False, True]
    assert got.missing(["GAIN", "CCDCHIP"]) == ["CCDCHIP"]
    with pytest.raises(ColumnNotFound, match=r"t\.fits: .*CCDCHIP") as caught:
        got["CCDCHIP"]
    assert caught.value.status == 142
    before = got["GAIN"].tolist()
    assert got.replace("GAIN", 7.5)["GAIN"].tolist() == [7.5, 7.5]
    assert got["GAIN"].tolist() == before
    with astropy_fits.open(path) as hdus:
        assert fits.read_table(hdus).columns == got.columns


def test_tables_that_are_none(tmp_path):
    with pytest.raises(FileNotReadable, match="no such file"):
        fits.read_table(tmp_path / "nothere.fits")
    with pytest.raises(TableError, match="no binary table in extension 1"):
        fits.read_table(raw(tmp_path / "x.fits"))
    with pytest.raises(TableError, match="extension 5"):
        fits.read_table(table(tmp_path / "t.fits", A=("I", [1])), 5)
    (tmp_path / "text.fits").write_text("no FITS\n" * 500)
    with pytest.raises(FileNotReadable, match=r"text\.fits"):
        fits.read_table(tmp_path / "text.fits")


def test_a_truncated_table(tmp_path):
    path = table(tmp_path / "t.fits", A=("J", np.arange(5000)))
    path.write_bytes(path.read_bytes()[: 4 * BLOCK])
    with pytest.raises(FileNotReadable, match=r"t\.fits"):
        fits.read_table(path)


def test_every_type_of_column(tmp_path):
    arrays = np.empty(3, object)
    arrays[:] = [np.arange(2.0), np.array([]), np.arange(5.0)]
    path = table(
        tmp_path / "t.fits",
        TEXT=("6A", ["one", "", "three "]),
        LOGICAL=("L", [True, False, True]),
        BYTE=("B", [1, 2, 255]),
        LONG=("K", [1, -2, 2**40]),
        DOUBLE=("D", [0.1, np.nan, -1e300]),
        FIXED=("2E", np.arange(6, dtype=np.float32).reshape(3, 2)),
        ARRAYS=("PD()", arrays),
        LARGE=("QJ()", np.array([[1, 2], [3, 4], [5, 6]])),
    )
    got = fits.read_table(path)
    with astropy_fits.open(path) as hdus:
        for name in got.columns:
            want = hdus[1].data.field(name)
            for row in range(3):
                if name != "TEXT":
                    assert np.array_equal(got[name][row], want[row], equal_nan=name == "DOUBLE"), name
                    assert np.array_equal(got.cell(name, row), want[row], equal_nan=name == "DOUBLE"), name
    assert [got.text("TEXT", row) for row in range(3)] == ["one", "INDEF", "three"]
    assert all(got[name].dtype.isnative for name in ("LONG", "DOUBLE", "FIXED"))


@pytest.mark.parametrize("form", ["11X", "M"])
def test_rare_columns(tmp_path, form):
    values = np.zeros((2, 11), bool) if form == "11X" else np.array([1 + 2j, 3])
    got = fits.read_table(table(tmp_path / "t.fits", A=("J", [1, 2]), RARE=(form, values)))
    assert got["A"].tolist() == [1, 2]
    assert np.array_equal(got["RARE"], values)


def test_scaled_columns(tmp_path):
    cards = [files.card("TSCAL1", 0.5), files.card("TZERO1", 1.0)]
    hdus = [files.primary_hdu([]), files.table_hdu([files.Column("A", "I", [1, 3])], cards)]
    assert fits.read_table(files.write(tmp_path / "t.fits", hdus))["A"].tolist() == [1.5, 2.5]


def test_tables_by_name(tmp_path):
    hdus = [astropy_fits.PrimaryHDU()]
    for number, name in enumerate(("FIRST", "SECOND", "SECOND")):
        hdus.append(astropy_fits.BinTableHDU.from_columns([astropy_fits.Column("A", "I", array=[number])], name=name))
    path = tmp_path / "t.fits"
    astropy_fits.HDUList(hdus).writeto(path)
    assert fits.read_table(path, "SECOND")["A"].tolist() == [1]
    assert [one["A"][0] for one in fits.read_tables(path, [3, "FIRST"])] == [2, 0]
    with pytest.raises(TableError, match="THIRD"):
        fits.read_table(path, "THIRD")


def test_a_damaged_cell(tmp_path):
    arrays = np.empty(1, object)
    arrays[0] = np.arange(3.0)
    path = table(tmp_path / "t.fits", A=("PD()", arrays))
    data = bytearray(path.read_bytes())
    at = data.index(b"END     ", BLOCK) // BLOCK * BLOCK + BLOCK
    data[at : at + 8] = (3).to_bytes(4, "big") + (10**6).to_bytes(4, "big")
    path.write_bytes(data)
    with pytest.raises(TableError, match=r"t\.fits: row 1, column A"):
        fits.read_table(path).cell("A", 0)
