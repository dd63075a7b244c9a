"""The task acsrej: files, parameters, cards, flags in the inputs, bad input."""

import os
import stat
import warnings

import numpy as np
import pytest

import small
from calacs import acsrej, fits
from calacs.acsrej import ACSREJDeprecationWarning, Given
from calacs.dq import DQ
from calacs.errors import (
    AssociationError,
    CalacsWarning,
    ChipNotFound,
    ColumnNotFound,
    FileNotReadable,
    InvalidValue,
    KeywordMissing,
    NothingToDo,
    OutputExists,
    PreflightFailed,
    ReferenceMissing,
    RowNotFound,
    SizeMismatch,
    TableError,
    WriteFailed,
)
from calacs.steps import crrej
from helpers import digest, find_card, nothing_changes, same_bits, same_exposure, units

ALL = {
    "scalense": 30.0,
    "initgues": "minimum",
    "skysub": "mode",
    "crsigmas": "6.5,5.5",
    "crradius": 2.1,
    "crthresh": 0.5555,
    "badinpdq": 39,
    "crmask": False,
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder, the current one, with a parameter table that jref$ names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("jref", f"{tmp_path}{os.sep}")
    small.crrejtab().writeto("small_crr.fits")
    return tmp_path


@pytest.fixture
def pair(folder):
    """Two exposures in files."""
    return [write(seed) for seed in (0, 1)]


def write(seed, suffix="_blv_tmp", **options):
    name = f"jsmall{seed:02d}q{suffix}.fits"
    small.exposure(seed, name=name, **options).write(name)
    return name


def product(*arguments, **options):
    acsrej.acsrej(*arguments, **options)
    return fits.read_exposure(arguments[1])


# ---- the two doors


def test_files_and_memory_agree(pair):
    exposures = [fits.read_exposure(name) for name in pair]
    in_memory = acsrej.combine(exposures, output="x_crj.fits", crsigmas="6,5,4", crradius=0.75, initgues="med")
    in_files = product(",".join(pair), "x_crj.fits", crsigmas="6,5,4", crradius=0.75, initgues="med")
    assert same_exposure(in_memory, in_files, ignore=())
    paths = acsrej.combine(pair, output="x_crj.fits", crsigmas=(6, 5, 4), crradius=0.75, initgues="med")
    # The inputs carry cosmic-ray flags now, which the sky's histogram leaves out.
    assert paths.primary["CRSIGMAS"] == "6,5,4"


def test_the_example_of_the_page(folder):
    """Exposures with CTE correction, named by wildcards."""
    exposures = [fits.read_exposure(write(seed, "_blc_tmp")) for seed in (0, 1)]
    write(0, "_blv_tmp")
    made = acsrej.acsrej(
        "*blc_tmp.fits", output="combined_product.fits", crsigmas="6,5,4", crradius=0.75, initgues="med"
    )
    in_files = fits.read_exposure(made)
    assert [in_files.primary[key] for key in ("CRSIGMAS", "CRRADIUS", "INITGUES")] == ["6,5,4", 0.75, "med"]
    assert in_files.primary["FILENAME"] == "combined_product.fits"
    assert in_files.imsets[0].header["SCI"]["NCOMBINE"] == 2
    assert "*** ACSREJ complete ***" in (folder / "combined_product.tra").read_text()
    in_memory = acsrej.combine(
        exposures, output="combined_product.fits", crsigmas="6,5,4", crradius=0.75, initgues="med"
    )
    assert same_exposure(in_memory, in_files, ignore=())


def test_the_array_function_gives_the_same_pixels(pair):
    exposures = [fits.read_exposure(name) for name in pair]
    got = acsrej.combine(exposures, **ALL)
    p = crrej.Parameters((6.5, 5.5))
    want = crrej.combine_images(
        [crrej.Arrays(e.imsets[0].sci, e.imsets[0].err, e.imsets[0].dq) for e in exposures], [100.0, 100.0], p
    )
    want.err[0, 0] = -1
    assert all(same_bits(got.imsets[0].plane(name), getattr(want, name.lower())) for name in ("SCI", "ERR", "DQ"))
    record = got.records[-1]
    assert (record.task, record.name, record.status) == ("acsrej", "CRCORR", "complete")
    assert record.values["n_rejected"] == [list(want.n_rejected)]
    assert record.values["sky"] == [want.sky.tolist()]
    assert record.values["crsigmas"] == "6.5,5.5"


@pytest.mark.parametrize("form", ["list", "paths", "text", "wildcards", "file", "association"])
def test_every_form_of_input(pair, folder, form):
    (folder / "list").write_text("\n".join(pair) + "\n")
    small.write_association(folder / "x_asn.fits", [("JSMALL00Q", "EXP-CRJ", True), ("JSMALL01Q", "EXP-CRJ", True)])
    source = {
        "list": pair,
        "paths": [folder / name for name in pair],
        "text": ", ".join(pair),
        "wildcards": "*_blv_tmp.fits",
        "file": "@list",
        "association": "x_asn.fits",
    }[form]
    assert acsrej.acsrej(source, "x_crj.fits") == folder.__class__("x_crj.fits")
    assert fits.read_exposure("x_crj.fits").imsets[0].header["SCI"]["NCOMBINE"] == 2


def test_absent_members_and_files_of_members(folder):
    for seed in (0, 1, 2):
        write(seed, "_flt")
    write(1, "_blv_tmp", rate=50.0)
    rows = [
        ("JSMALL00Q", "EXP-CRJ", True),
        ("JSMALL01Q", "EXP-CRJ", True),
        ("JSMALL02Q", "EXP-CRJ", False),
        ("X", "PROD-CRJ", True),
    ]
    small.write_association(folder / "x_asn.fits", rows)
    got = product("x_asn.fits", "x_crj.fits", crmask=True)
    assert got.imsets[0].header["SCI"]["NCOMBINE"] == 2
    assert got.imsets[0].sci.mean() < 1000  # the calibrated files were taken, not those of a brighter scene


def test_records_and_progress(pair):
    said = []
    got = acsrej.combine(pair, progress=said.append)
    assert said == ["acsrej: image set 1 of 1"]
    assert got.records[-1].references == {"CRREJTAB": "jref$small_crr.fits row 2"}


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_interruption_ends_the_work(folder, n_threads):
    exposures = [small.exposure(seed, chips=(2, 1), detector="WFC") for seed in range(2)]

    def interrupt(text):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        acsrej.combine(exposures, n_threads=n_threads, progress=interrupt)


def test_threads_change_nothing(folder):
    exposures = [small.exposure(seed, chips=(2, 1), detector="WFC") for seed in range(3)]
    want = acsrej.combine(exposures)
    for n_threads in (2, 3, 8):
        got = acsrej.combine(exposures, n_threads=n_threads)
        assert same_exposure(got, want, ignore=())


def test_exposures_stay_as_they_are(folder):
    exposures = [small.exposure(seed) for seed in range(2)]
    copies = [exposure.copy() for exposure in exposures]
    for exposure in exposures:
        for plane in ("SCI", "ERR", "DQ"):
            exposure.imsets[0].plane(plane).setflags(write=False)
    acsrej.combine(exposures, crmask=True)
    assert all(same_exposure(a, b, ignore=()) for a, b in zip(exposures, copies, strict=True))


def test_the_stream_gives_the_bits_of_the_whole(pair, monkeypatch):
    want = acsrej.combine(pair)
    monkeypatch.setattr("calacs.combining.KEEP_BYTES", 0)
    monkeypatch.setattr(crrej, "_BLOCK_PIXELS", 100)
    assert same_exposure(acsrej.combine(pair), want, ignore=())


# ---- parameters


def test_the_row_of_the_table(folder):
    def chosen(n, time):
        exposures = [small.exposure(seed, time=time) for seed in range(n)]
        return acsrej.prepare(exposures, Given()).texts

    assert chosen(2, 60.0)["CRSIGMAS"] == "6.5,5.5,4.5"
    assert chosen(2, 60.1)["CRSIGMAS"] == "8,6"
    assert chosen(3, 1e6)["CRSIGMAS"] == "7,6,5"  # an undefined MEANEXP fits all times
    assert chosen(9, 1.0)["CRSIGMAS"] == "7,6,5"  # more exposures than the table knows
    assert chosen(2, 60.0)["SCALENSE"] == np.float32(30.0)  # from text


def test_of_equal_rows_the_last_is_taken(folder):
    table = small.crrejtab(CRSPLIT=("I", [2, 2, 2]), MEANEXP=("E", [500.0, 500.0, 600.0]))
    exposures = [small.exposure(seed) for seed in range(2)]
    assert acsrej.prepare(exposures, Given(crrejtab=table)).texts["CRSIGMAS"] == "8,6"


def test_parameters_of_the_call_win(pair):
    got = acsrej.combine(
        pair, crsigmas="5", crradius=1, scalense=10, badinpdq=65535, crthresh=2, initgues="med", skysub="none"
    )
    cards = got.primary
    assert (cards["CRSIGMAS"], cards["INITGUES"], cards["SKYSUB"], cards["BADINPDQ"]) == ("5", "med", "none", -1)
    assert [cards[key] for key in ("CRRADIUS", "SCALENSE", "CRTHRESH")] == [1.0, 10.0, 2.0]
    assert cards["SKYSUM"] == 0.0


def test_crthresh_reaches_the_task(pair):
    """ACSTOOLS' own wrapper cannot pass it."""
    wide = product(pair, "a_crj.fits", crthresh=0.1, crmask=False)
    narrow = product(pair, "b_crj.fits", crthresh=100.0)
    assert wide.primary["CRTHRESH"] == pytest.approx(0.1)
    assert wide.primary["REJ_RATE"] > narrow.primary["REJ_RATE"]


def test_without_table_when_all_parameters_are_given(folder):
    exposures = [small.exposure(seed, keywords={"CRREJTAB": "N/A"}) for seed in range(2)]
    assert acsrej.combine(exposures, **ALL).primary["CRCORR"] == "COMPLETE"
    with pytest.raises(ReferenceMissing, match="CRREJTAB"):
        acsrej.combine(exposures, **(ALL | {"crradius": None}))


def test_an_unknown_guess_counts_as_minimum(folder):
    exposures = [small.exposure(seed) for seed in range(2)]
    with pytest.warns(CalacsWarning, match="INITGUES = 'mean'"):
        got = acsrej.combine(exposures, initgues="mean")
    assert got.primary["INITGUES"] == "minimum"


def test_argument_checks_of_the_wrapper(pair):
    for arguments in ({"scalense": 101}, {"scalense": -1}, {"initgues": "mean"}, {"skysub": "median"}):
        with pytest.raises(ValueError, match="is invalid"):
            acsrej.acsrej(pair, "x_crj.fits", **arguments)
    with pytest.warns(ACSREJDeprecationWarning):
        acsrej.acsrej(pair, "x_crj.fits", newbias=True)
    with pytest.raises(ValueError, match="exe_args"):
        acsrej.acsrej(pair, "y_crj.fits", exe_args=["--bogus"])
    with pytest.raises(TypeError):
        acsrej.combine(pair, crsigma="5")


# ---- cards


def test_cards_of_the_product(folder):
    exposures = [small.exposure(seed, time=50.0 + seed) for seed in (3, 1, 2)]
    got = acsrej.combine(exposures, output=folder / "jsmallcr_crj_tmp.fits", mtype="prod-crj")
    cards = got.primary
    assert [cards[key] for key in ("TEXPTIME", "EXPTIME", "DARKTIME")] == [156.0, 156.0, 162.0]
    assert (cards["EXPSTART"], cards["EXPEND"]) == (53001.0, 53003.5)
    assert cards["MEANEXP"] == 52.0
    assert (cards["FILENAME"], cards["ASN_MTYP"], cards["CRCORR"]) == ("jsmallcr_crj_tmp.fits", "PROD-CRJ", "COMPLETE")
    assert (cards["ROOTNAME"], got.imsets[0].header["DQ"]["EXPNAME"]) == ("JSMALLCR", "jsmallcr")
    assert cards.comment("DARKTIME") == "Cumulative dark time in seconds"
    assert cards.comment("FLASHDUR") == "Cumulative exposure time in seconds"
    assert got.imsets[0].err[0, 0] == -1
    path = got.write("jsmall_crj.fits")
    assert find_card(units(path)[0][0], "EXPTIME").startswith("EXPTIME =        1.5600000E+02")


@pytest.mark.parametrize(
    ("output", "root", "upper"),
    [
        ("j9cr01011_crj.fits", "j9cr01011", "J9CR01011"),
        ("j9cr01011_crj_tmp.fits", "j9cr01011", "J9CR01011"),
        ("j9cr01011_crc_tmp.fits", "j9cr01011_crc_tmp", "J9CR01011_CRC_TMP"),
        ("short.fits", "short", "*****"),
        ("combined.product", "combined.product", "COMBINED.PRODUCT"),
    ],
)
def test_root_names(folder, output, root, upper):
    got = acsrej.combine([small.exposure(seed) for seed in range(2)], output=output)
    assert (got.imsets[0].header["SCI"]["EXPNAME"], got.primary["ROOTNAME"]) == (root, upper)


def test_flashes_and_dark_times_add_up(folder):
    flash = {"FLSHCORR": "PERFORM", "FLASHCUR": "LOW", "FLASHDUR": 4.0}
    exposures = [small.exposure(seed, keywords=flash) for seed in range(2)]
    assert acsrej.combine(exposures).primary["FLASHDUR"] == 8.0
    done = [small.exposure(seed, keywords=flash | {"FLSHCORR": "COMPLETE"}) for seed in range(2)]
    assert acsrej.combine(done).primary["FLASHDUR"] == 0.0


def test_chips_are_found_wherever_they_are(folder):
    first = small.exposure(0, chips=(2, 1), detector="WFC")
    second = small.exposure(1, chips=(2, 1), detector="WFC")
    swapped = second.copy()
    for old, new in zip(second.imsets, swapped.imsets[::-1], strict=True):
        for plane in ("sci", "err", "dq"):
            getattr(new, plane)[...] = getattr(old, plane)
        for header in new.header.values():
            header.set("CCDCHIP", old.chip)
    want, got = (acsrej.combine([first, other]) for other in (second, swapped))
    assert same_exposure(got, want, ignore=())


def test_imsets_that_nextend_announces_in_vain_are_left_out(folder):
    names = []
    for seed in range(2):
        exposure = small.exposure(seed, keywords={"NEXTEND": 15}, name=f"j{seed}.fits")
        names.append(str(exposure.write(f"j{seed}_flt.fits")))
    assert len(product(names, "x_crj.fits").imsets) == 1


# ---- exposure times


def test_bias_frames(folder):
    exposures = [small.exposure(seed, time=0.0, keywords={"IMAGETYP": "BIAS"}) for seed in range(3)]
    plan = acsrej.prepare(exposures, Given())
    assert plan.calibration
    got = acsrej.combine(exposures)
    assert (got.primary["EXPTIME"], got.primary["MEANEXP"]) == (0.0, 0.0)
    assert np.median(got.imsets[0].sci) == pytest.approx(sum(np.median(e.imsets[0].sci) for e in exposures), abs=5)


def test_exposures_without_time_are_left_out(folder):
    exposures = [small.exposure(seed, time=time) for seed, time in enumerate((100.0, 0.0, 100.0))]
    with pytest.warns(CalacsWarning, match="1 of 3 exposures have an exposure time of 0"):
        got = acsrej.combine(exposures, skysub="none", initgues="median")
    want = acsrej.combine(exposures[::2], skysub="none", initgues="median", crsigmas="7,6,5", crradius=1.0)
    assert same_bits(got.imsets[0].sci, want.imsets[0].sci)
    assert got.imsets[0].header["SCI"]["NCOMBINE"] == 3


def test_one_exposure_with_time(folder):
    exposures = [small.exposure(seed, time=time) for seed, time in enumerate((0.0, 100.0))]
    with pytest.warns(CalacsWarning, match="cosmic rays are not rejected"):
        got = acsrej.combine(exposures, skysub="none", flag_exposures=True, crmask=True)
    assert same_bits(got.imsets[0].sci, exposures[1].imsets[0].sci * np.float32(100))
    assert same_bits(got.imsets[0].dq, exposures[1].imsets[0].dq)
    assert got.imsets[0].header["SCI"]["EXPNAME"]
    assert got.primary["REJ_RATE"] == 0.0


# ---- flags in the inputs


def expected_flags(exposures, **options):
    plan = acsrej.prepare(exposures, Given(crmask=True, **options))
    acsrej.execute(plan)
    return [acsrej.flagged(e.imsets[0].dq, hits[1]) for e, hits in zip(exposures, plan.hits, strict=True)]


def test_flags_in_files(pair):
    before = [fits.read_exposure(name) for name in pair]
    size = [os.path.getsize(name) for name in pair]
    want = expected_flags(before)
    acsrej.acsrej(pair, "x_crj.fits", crmask=True)
    after = [fits.read_exposure(name) for name in pair]
    for old, new, dq in zip(before, after, want, strict=True):
        assert same_bits(new.imsets[0].dq, dq)
        assert same_bits(new.imsets[0].sci, old.imsets[0].sci)
        assert (dq & DQ.COSMIC_RAY).any()
        new.imsets[0].dq = old.imsets[0].dq
        assert same_exposure(new, old, ignore=())
    assert [os.path.getsize(name) for name in pair] == size


def test_flags_in_memory(folder):
    exposures = [small.exposure(seed) for seed in range(2)]
    want = expected_flags(exposures)
    acsrej.combine(exposures, crmask=True, flag_exposures=True)
    assert all(same_bits(e.imsets[0].dq, dq) for e, dq in zip(exposures, want, strict=True))
    with pytest.raises(TypeError, match="flag_exposures"):
        acsrej.combine([small.exposure(0), exposures[0].to_hdulist()], flag_exposures=True)


def test_old_flags_are_cleared_save_in_the_last_columns(folder):
    dq = np.full((3, 21), DQ.COSMIC_RAY | 1, np.int16)
    hits = np.zeros((3, 3), np.uint8)
    hits[1, 0] = 0x80
    got = acsrej.flagged(dq, hits)
    assert (got[:, 16:] == DQ.COSMIC_RAY | 1).all()
    assert got[1, 0] == DQ.COSMIC_RAY | 1
    assert (got[:, 1:16] == 1).all()


@pytest.mark.parametrize("time", [100.0, 0.0])
def test_a_constant_plane_is_expanded(folder, time):
    names = [write(0, bad=0.0), write(1, bad=0.0, time=time), write(2, bad=0.0)]
    assert len(units(names[1])[3][1]) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CalacsWarning)
        acsrej.acsrej(names, "x_crj.fits", crmask=True)
    cards, data = units(names[1])[3]
    assert len(data) == 20 * 30 * 2
    assert [card[:8].rstrip() for card in cards[:5]] == ["XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2"]
    assert not any(card.startswith(("PIXVALUE", "NPIX")) for card in cards)
    flags = fits.read_exposure(names[1]).imsets[0].dq
    assert (flags & DQ.COSMIC_RAY).any() == (time > 0)


@pytest.mark.skipif(os.name == "nt", reason="permissions and links of POSIX")
@pytest.mark.parametrize("bad", [0.1, 0.0])
def test_flags_in_files_that_links_lead_to(folder, bad):
    """Whether planes are changed in place, or the file as a whole: links and permissions stay."""
    names = [write(seed, bad=bad) for seed in (0, 1)]
    os.mkdir("archive")
    os.rename(names[1], f"archive/{names[1]}")
    os.symlink(f"archive/{names[1]}", names[1])
    os.chmod(names[1], 0o660)
    acsrej.acsrej(names, "x_crj.fits", crmask=True)
    assert os.path.islink(names[1])
    assert (fits.read_exposure(f"archive/{names[1]}").imsets[0].dq & DQ.COSMIC_RAY).any()
    assert stat.S_IMODE(os.stat(names[1]).st_mode) == 0o660
    assert os.listdir("archive") == [names[1]]


def test_the_table_decides_on_flags_unless_told(pair):
    before = [digest(name) for name in pair]
    acsrej.acsrej(pair, "x_crj.fits")  # this row says no
    assert [digest(name) for name in pair] == before
    small.crrejtab(CRMASK=("I", [7, 7, 7])).writeto("number_crr.fits")
    got = product(pair, "y_crj.fits", crrejtab="number_crr.fits")
    assert [digest(name) for name in pair] != before
    assert got.primary["CRMASK"] is False  # any number flags, but only 1 is shown as true


# ---- shading


def test_shading_divides(folder):
    exposures = [small.exposure(seed, rays=0) for seed in range(2)]
    zero = small.exposure(9, rays=0)
    zero.imsets[0].sci[...] = 100.0  # as long as the exposures together is 200 s
    zero.primary.set("PEDIGREE", "DUMMY")
    plain, shaded = (
        acsrej.combine(exposures, skysub="none", shadcorr=on, shadfile=zero.to_hdulist()) for on in (False, True)
    )
    ratio = shaded.imsets[0].sci / plain.imsets[0].sci
    assert np.median(ratio) == pytest.approx(1 / 1.5, rel=1e-5)
    assert shaded.primary["SHADCORR"] == "COMPLETE"
    assert shaded.primary.history[:3] == ("SHADCORR complete ...", "  reference image object in memory", "    DUMMY")


# ---- trailers and support files


def test_the_trailer_starts_with_those_of_the_exposures(pair, folder, capsys):
    (folder / "jsmall00q.tra").write_text("first\n")
    acsrej.acsrej(pair, "x_crj_tmp.fits")
    text = (folder / "x.tra").read_text()
    assert text.startswith("first\n")
    assert "*** ACSREJ complete ***" in text
    assert "ACSREJ complete" in capsys.readouterr().out


def test_support_files_are_merged(pair, folder):
    for seed in (0, 1):
        small.write_support(folder / f"jsmall{seed:02d}q_spt.fits", [1, 2, 3])
    acsrej.acsrej(pair, "x_crj.fits")
    assert (folder / "x_spt.fits").exists()
    with nothing_changes(folder / "x_spt.fits"), pytest.raises(OutputExists, match="x_crj"):
        acsrej.acsrej(pair, "x_crj.fits")
    os.remove("x_crj.fits")
    with pytest.raises(OutputExists, match="x_spt"):
        acsrej.acsrej(pair, "x_crj.fits")
    assert not os.path.exists("x_crj.fits")


def test_a_damaged_support_file_is_noticed_before_any_work(pair, folder):
    for seed in (0, 1):
        small.write_support(folder / f"jsmall{seed:02d}q_spt.fits", [1, 2, 3])
    os.truncate("jsmall01q_spt.fits", 1000)
    refuse(folder, FileNotReadable, "jsmall01q_spt.fits", pair, crmask=True)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_the_product_appears_when_all_is_done(pair, folder, monkeypatch, error):
    for seed in (0, 1):
        small.write_support(folder / f"jsmall{seed:02d}q_spt.fits", [1, 2, 3])

    def fail(plan):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(acsrej, "flag_files", fail)
        with nothing_changes(folder):
            with pytest.raises(type(error)):
                acsrej.acsrej(pair, "x_crj.fits", crmask=True)
            (folder / "x_crj.tra").unlink()
    acsrej.acsrej(pair, "x_crj.fits", crmask=True)
    assert (folder / "x_spt.fits").exists()


# ---- bad input: an error, and nothing changed


def refuse(folder, error, text, source, output="x_crj.fits", **options):
    with nothing_changes(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore", CalacsWarning)
        with pytest.raises(error, match=text) as caught:
            acsrej.acsrej(source, output, **options)
        for trailer in folder.glob("*.tra"):
            trailer.unlink()
    return caught.value


def test_one_image(pair, folder):
    assert refuse(folder, NothingToDo, "two or more", pair[:1]).status == 116
    with pytest.raises(NothingToDo, match="0 exposure given"):
        acsrej.combine([])


def test_sizes_that_differ(pair, folder):
    other = write(2, shape=(20, 31))
    assert refuse(folder, SizeMismatch, r"31 columns x 20 rows.*30 x 20", [*pair, other]).status == 120


def test_chips_that_differ(pair, folder):
    other = write(2, chips=(2,))
    assert refuse(folder, ChipNotFound, "no image of chip 1", [*pair, other]).status == 152


def test_missing_files(pair, folder):
    assert refuse(folder, FileNotReadable, "no such file", [pair[0], "none_blv_tmp.fits"]).status == 114
    refuse(folder, FileNotReadable, "no file matches", "*_none.fits")
    refuse(folder, FileNotReadable, "list cannot be read", "@none")


def test_missing_table(pair, folder):
    os.remove("small_crr.fits")
    refuse(folder, ReferenceMissing, "CRREJTAB.*not found", pair)
    refuse(folder, ReferenceMissing, "CRREJTAB.*not found", pair, crrejtab="none.fits")


def test_no_row(folder):
    names = [write(seed, time=1001.0) for seed in range(2)]
    error = refuse(folder, RowNotFound, r"no row for CRSPLIT=2 MEANEXP>=1001 \(3 rows searched", names)
    assert error.status == 144


def test_table_without_rows(pair, folder):
    small.crrejtab(**{name: (kind, values[:0]) for name, (kind, values) in small.CRREJTAB.items()}).writeto(
        "no_crr.fits"
    )
    refuse(folder, TableError, "no rows", pair, crrejtab="no_crr.fits")


@pytest.mark.parametrize("column", ["CRSPLIT", "MEANEXP", "CRSIGMAS", "CRMASK"])
def test_missing_column(pair, folder, column):
    small.crrejtab(**{column: None}).writeto("no_crr.fits")
    assert refuse(folder, ColumnNotFound, column, pair, crrejtab="no_crr.fits").status == 142


def test_a_column_that_is_not_needed_may_be_missing(pair):
    table = small.crrejtab(CRSIGMAS=None)
    assert acsrej.combine(pair, crrejtab=table, crsigmas="4").primary["CRSIGMAS"] == "4"


@pytest.mark.parametrize(
    ("text", "what"), [("", "no rejection limit"), ("5,x", "not a number"), ("5," * 21, "at most 20")]
)
def test_bad_limits(pair, folder, text, what):
    small.crrejtab(CRSIGMAS=("80A", [text] * 3)).writeto("bad_crr.fits")
    refuse(folder, InvalidValue, what, pair, crrejtab="bad_crr.fits")


@pytest.mark.parametrize("name", ["scalense", "crradius", "crthresh"])
def test_numbers_that_are_none(pair, name):
    with pytest.raises(InvalidValue, match=f"(?i){name} = nan"):
        acsrej.combine(pair, **{name: float("nan")})


def test_bad_sky(pair, folder):
    small.crrejtab(SKYSUB=("6A", ["mean"] * 3)).writeto("bad_crr.fits")
    refuse(folder, InvalidValue, "SKYSUB = 'mean'", pair, crrejtab="bad_crr.fits")


def test_existing_output(pair, folder, monkeypatch):
    (folder / "x_crj.fits").write_text("precious")
    refuse(folder, OutputExists, "exists already", pair)
    monkeypatch.setenv("imclobber", "yes")
    acsrej.acsrej(pair, "x_crj.fits")
    assert fits.read_exposure("x_crj.fits").primary["CRCORR"] == "COMPLETE"
    (folder / "x_crj.tra").unlink()
    (folder / "x_crj.fits").unlink()
    refuse(folder, InvalidValue, "one of the inputs", pair, pair[0])


def test_output_folder(pair, folder):
    refuse(folder, WriteFailed, "no folder", pair, "none/x_crj.fits")


@pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="permissions bind users only")
def test_inputs_that_cannot_be_flagged(pair, folder):
    os.chmod(pair[1], stat.S_IREAD)
    refuse(folder, WriteFailed, "not writable", pair, crmask=True)


def test_compressed_inputs_cannot_be_flagged(pair, folder):
    import gzip

    (folder / "c_blv_tmp.fits.gz").write_bytes(gzip.compress((folder / pair[1]).read_bytes()))
    refuse(folder, WriteFailed, "compressed", [pair[0], "c_blv_tmp.fits.gz"], crmask=True)


@pytest.mark.parametrize(
    "keyword", ["IMAGETYP", "DETECTOR", "ROOTNAME", "CCDAMP", "EXPTIME", "EXPSTART", "NEXTEND", "SUBARRAY"]
)
def test_missing_keywords(folder, keyword):
    first, second = small.exposure(0), small.exposure(1)
    first.primary.remove(keyword)
    with pytest.raises(KeywordMissing, match=keyword):
        acsrej.combine([first, second])


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"EXPTIME": -1.0}, "EXPTIME = -1"),
        ({"CCDAMP": "D"}, "CCDAMP is D, that of jsmall00q is C"),
        ({"CCDAMP": "X"}, "CCDAMP = 'X'"),
        ({"FLSHCORR": "PERFORM", "FLASHCUR": "LOW"}, "FLSHCORR is PERFORM"),
        ({"FLSHCORR": "MAYBE"}, "FLSHCORR = 'MAYBE'"),
    ],
)
def test_settings_that_differ(folder, changes, text):
    with pytest.raises(Exception, match=text):
        acsrej.combine([small.exposure(0), small.exposure(1, keywords=changes)])


def test_flash_levels_that_differ(folder):
    flash = {"FLSHCORR": "PERFORM", "FLASHCUR": "LOW", "FLASHDUR": 4.0}
    for changes, text in (({"FLASHDUR": 5.0}, "FLASHDUR/EXPTIME"), ({"FLASHCUR": "HIGH"}, "FLASHCUR is HIGH")):
        with pytest.raises(InvalidValue, match=text):
            acsrej.combine([small.exposure(0, keywords=flash), small.exposure(1, keywords=flash | changes)])


def test_what_is_not_a_calibrated_ccd_exposure(folder):
    with pytest.raises(InvalidValue, match="acssum"):
        acsrej.combine([small.exposure(seed, keywords={"DETECTOR": "SBC"}) for seed in range(2)])
    with pytest.raises(InvalidValue, match="acsccd first"):
        acsrej.combine([small.exposure(seed, keywords={"ATODGNC": 0.0}) for seed in range(2)])
    with pytest.raises(TypeError, match="must be an Exposure"):
        acsrej.combine([small.exposure(0), 5])


def test_all_problems_are_reported_together(folder):
    exposures = [
        small.exposure(0, keywords={"CRREJTAB": "none.fits"}),
        small.exposure(1, shape=(5, 5)),
        small.exposure(2, chips=(2,)),
    ]
    with pytest.raises(PreflightFailed, match=r"(?s)3 problems.*5 columns.*no image of chip 1.*CRREJTAB"):
        acsrej.combine(exposures)


def test_bad_associations(folder):
    write(0), write(1)
    good = [("JSMALL00Q", "EXP-CRJ", True), ("JSMALL01Q", "EXP-CRJ", True)]
    cases = [
        ([good[0], good[0]], AssociationError, "listed twice"),
        ([good[0], ("NONE00000", "EXP-CRJ", True)], FileNotReadable, "none00000 has no file"),
        ([("A", "EXP-CRJ", False)], AssociationError, "no exposure"),
        ([], TableError, "no rows"),
        ([good[0], ("JSMALL01Q", "EXP-CR2", True)], AssociationError, "2 positions"),
    ]
    for number, (rows, error, text) in enumerate(cases):
        name = str(small.write_association(folder / f"x{number}_asn.fits", rows))
        refuse(folder, error, text, name)


def test_the_same_file_twice_is_combined_as_officially(pair):
    got = product([pair[0], pair[0]], "x_crj.fits")
    assert got.imsets[0].header["SCI"]["NCOMBINE"] == 2


def test_predicting_costs_no_pixels(folder):
    exposures = [small.exposure(seed).copy_headers() for seed in range(2)]
    plan = acsrej.prepare(exposures, Given())
    foreseen = acsrej.predict(plan, "x_crj_tmp.fits", mtype="prod-crj")
    made = acsrej.combine([small.exposure(seed) for seed in range(2)], output="x_crj_tmp.fits", mtype="prod-crj")
    assert list(foreseen.primary) == list(made.primary)
    assert foreseen.imsets[0].shape == made.imsets[0].shape
