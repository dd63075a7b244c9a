"""The simulator: formats, determinism, each effect alone, truth."""

import io

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from calacs import sim
from calacs.sim import amplifiers, files, geometry, headers, readout, reference_images
from calacs.sim.constants import CONSTANTS, CYCLE24, SM4
from calacs.sim.scene import cosmic_rays

HRC_AMPS = ("A", "B", "C", "D", "AB", "CD", "AD", "BC", "AC", "BD", "ABCD")
COLUMNS = {
    "CCDTAB": "CCDAMP CCDCHIP CCDGAIN BINAXIS1 BINAXIS2 CCDOFSTA CCDOFSTB CCDOFSTC CCDOFSTD CCDBIASA CCDBIASB CCDBIASC "
    "CCDBIASD ATODGNA ATODGNB ATODGNC ATODGND READNSEA READNSEB READNSEC READNSED AMPX AMPY ATODSAT SATURATE OVRHFLS "
    "OVRHUFLS PEDIGREE DESCRIP",
    "OSCNTAB": "CCDAMP CCDCHIP BINX BINY NX NY TRIMX1 TRIMX2 TRIMY1 TRIMY2 VX1 VX2 VY1 VY2 BIASSECTA1 BIASSECTA2 "
    "BIASSECTB1 BIASSECTB2",
    "BPIXTAB": "CCDAMP CCDCHIP CCDGAIN PIX1 PIX2 LENGTH AXIS VALUE",
    "ATODTAB": "CCDAMP CCDGAIN REF_KEY REF_KEY_VALUE NELEM ATOD",
    "SPOTTAB": "DATE SHIFTX SHIFTY PEDIGREE DESCRIP",
    "MLINTAB": "DETECTOR GLOBAL_LIMIT LOCAL_LIMIT TAU EXPAND PEDIGREE DESCRIP",
    "CRREJTAB": "CRSPLIT MEANEXP SCALENSE INITGUES SKYSUB CRSIGMAS CRRADIUS CRTHRESH BADINPDQ CRMASK CCDCHIP",
}


def opened(hdus):
    hdulist = fits.open(io.BytesIO(files.to_bytes(hdus)))
    hdulist.verify("exception")
    return hdulist


@pytest.fixture(scope="module")
def sets():
    return {name: sim.ReferenceSet(name, seed=11) for name in ("WFC", "HRC", "SBC")}


# Cards and files


def test_cards_are_eighty_characters():
    for template in [*headers.PRIMARY.values(), headers.ASN, headers.SPT]:
        cards = headers.fill(template, {"TARGNAME": "O'BRIEN"})
        assert {len(line) for line in cards} == {80}
    assert files.card("EXPTIME", 12.5, "s", ".6f") == "EXPTIME =            12.500000 / s".ljust(80)
    assert files.card("NAME", "it's") == "NAME    = 'it''s   '".ljust(80)
    with pytest.raises(ValueError, match="does not fit"):
        files.card("LONG", "x" * 69)


def test_unknown_keywords_are_added_and_none_removes():
    cards = headers.fill(headers.PRIMARY["HRC"], {"TARGNAME": None, "NEWKEY": 3})
    assert not any(line.startswith("TARGNAME") for line in cards)
    assert cards[-1] == files.card("NEWKEY", 3)


def test_tables_round_trip():
    columns = [
        files.Column("I", "I", [1, -2, 3]),
        files.Column("D", "D", [0.5, np.nan, 2.0]),
        files.Column("S", "5A", ["a", "bcd", ""]),
        files.Column("L", "L", [True, False, True]),
        files.Column("V", "PD", [[1.0], [2.0, 3.0], []]),
        files.Column("F", "2E", [[1, 2], [3, 4], [5, 6]]),
    ]
    table = opened([files.primary_hdu([]), files.table_hdu(columns, name="T", version=2)])["T", 2].data
    assert_array_equal(table["I"], [1, -2, 3])
    assert_array_equal(table["D"], [0.5, np.nan, 2.0])
    assert list(table["S"]) == ["a", "bcd", ""]
    assert list(table["L"]) == [True, False, True]
    assert [list(row) for row in table["V"]] == [[1.0], [2.0, 3.0], []]
    assert_array_equal(table["F"], [[1, 2], [3, 4], [5, 6]])
    with pytest.raises(ValueError, match="rows"):
        files.table_hdu([files.Column("A", "I", [1]), files.Column("B", "I", [1, 2])])


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
def test_images_round_trip(dtype):
    data = np.array([[0, 1, 2], [30000, 7, 9]], dtype=dtype)
    if dtype == np.uint16:
        data[1, 1] = 65535
    hdulist = opened(
        [files.primary_hdu([]), files.image_hdu(data, (), "SCI"), files.constant_hdu(0.25, (2, 3), (), "ERR")]
    )
    assert_array_equal(hdulist["SCI"].data, data)
    assert [hdulist["ERR"].header[key] for key in ("NPIX1", "NPIX2", "PIXVALUE", "NAXIS")] == [3, 2, 0.25, 0]
    with pytest.raises(TypeError):
        files.image_hdu(np.zeros((2, 2)))


def test_writing_refuses_and_leaves_nothing_behind(tmp_path):
    path = files.write(tmp_path / "a.fits", [files.primary_hdu([])])
    with pytest.raises(FileExistsError):
        files.write(path, [files.primary_hdu([])])
    files.write(path, [files.primary_hdu([files.card("NEW", 1)])], overwrite=True)
    assert fits.getheader(path)["NEW"] == 1
    with pytest.raises(AttributeError):
        files.write(tmp_path / "b.fits", [None])
    assert [item.name for item in tmp_path.iterdir()] == ["a.fits"]


# Geometry


@pytest.mark.parametrize("mjd", [53000.0, SM4, CYCLE24])
@pytest.mark.parametrize("name", sim.aperture_names("WFC"))
def test_wfc_apertures_lie_on_the_chip(name, mjd):
    frames = geometry.readouts("WFC", name, mjd=mjd)
    assert len(frames) == (1 if name in geometry.APERTURES else 2)
    for frame in frames:
        check_frame(frame)
        assert frame.trim_x == (24, 24) or sum(frame.trim_x) in (22, 24)


@pytest.mark.parametrize("amps", HRC_AMPS)
def test_hrc_amplifiers_cover_the_frame(amps):
    (frame,) = geometry.readouts("HRC", amps=amps)
    check_frame(frame)
    assert {region.amp for region in frame.regions} == set(amps)


def check_frame(frame):
    boxes = [(region.y0, region.y1, region.x0, region.x1) for region in frame.regions]
    assert sum((y1 - y0) * (x1 - x0) for y0, y1, x0, x1 in boxes) == frame.n_row * frame.n_col
    for number, (y0, y1, x0, x1) in enumerate(boxes):
        assert 0 <= y0 < y1 <= frame.n_row
        assert 0 <= x0 < x1 <= frame.n_col
        for other in boxes[:number]:
            assert y1 <= other[0] or other[1] <= y0 or x1 <= other[2] or other[3] <= x0
    for part, trimmed in ((frame.on_reference(), False), (frame.on_chip, True)):
        shape = geometry.chip_shape(frame.detector, trimmed=trimmed)
        assert all(0 <= piece.start < piece.stop <= size for piece, size in zip(part, shape, strict=True))
    full_frame = next(item for item in geometry.readouts(frame.detector) if item.chip == frame.chip)
    for axis in (0, 1):
        assert (
            frame.on_reference()[axis].start + frame.illuminated[axis].start
            == full_frame.illuminated[axis].start + frame.on_chip[axis].start
        )


def test_new_formats():
    (frame,) = geometry.readouts("WFC", "WFC1B-1K", mjd=58000.0)
    assert (frame.n_col, frame.n_row, frame.ltv, frame.ccdamp) == (2072, 1024, (-2048, -1024), "B")
    (frame,) = geometry.readouts("WFC", "WFC1A-2K", mjd=58000.0)
    assert (frame.n_col, frame.n_row, frame.ltv, frame.trim_y) == (2072, 2068, (24, 20), (20, 0))


@pytest.mark.parametrize(
    "options",
    [
        {"detector": "WFPC2"},
        {"detector": "HRC", "aperture": "WFC1"},
        {"detector": "HRC", "amps": "ABC"},
        {"detector": "HRC", "amps": "E"},
        {"detector": "WFC", "amps": "A"},
        {"detector": "WFC", "aperture": "WFC1A-512", "amps": "AB"},
        {"detector": "WFC", "subarray": (4000, 0, 200, 10)},
        {"detector": "HRC", "exptime": -1.0},
        {"detector": "HRC", "gain": 3.0},
        {"detector": "HRC", "effects": {"bias_shift"}},
        {"detector": "HRC", "effects": {"nonsense"}},
        {"detector": "SBC", "references": sim.ReferenceSet("HRC")},
    ],
)
def test_bad_requests(options):
    with pytest.raises(ValueError, match=r"\S"):
        sim.simulate(**options)


# Reference files


@pytest.mark.parametrize("detector", ["WFC", "HRC", "SBC"])
def test_tables_have_the_columns(sets, detector):
    refs = sets[detector]
    for keyword in set(COLUMNS) & set(refs.names):
        hdulist = opened(refs.hdus(keyword))
        assert hdulist[1].columns.names == COLUMNS[keyword].split()
        assert not hdulist[0].header["PEDIGREE"].startswith("DUMMY")
        assert len(hdulist[1].data) > 0


@pytest.mark.parametrize("detector", ["HRC", "SBC"])
def test_images_have_the_layout(sets, detector):
    refs = sets[detector]
    for keyword in set(reference_images.MAKERS) & set(refs.names):
        check_image(refs, keyword)


@pytest.mark.parametrize("keyword", ["BIASFILE", "SNKCFILE", "DARKFILE"])
def test_wfc_images_have_the_layout(sets, keyword):
    check_image(sets["WFC"], keyword)


def check_image(refs, keyword):
    hdulist = opened(refs.hdus(keyword))
    untrimmed = keyword in ("BIASFILE", "SATUFILE", "SNKCFILE")
    shape = geometry.chip_shape(refs.detector, trimmed=not untrimmed)
    single = keyword == "SNKCFILE"
    assert hdulist[0].header["NEXTEND"] == len(hdulist) - 1 == len(refs.chips) * (1 if single else 3)
    for version, chip in enumerate(refs.chips, 1):
        sci = hdulist["SCI", version]
        assert sci.header["CCDCHIP"] == chip
        assert (sci.header["LTV1"], sci.header["LTV2"]) == (
            geometry.full_chip_offset(refs.detector, chip) if untrimmed else (0, 0)
        )
        assert_array_equal(sci.data, refs.image(keyword, chip).sci)
        assert sci.data.shape == shape
        assert np.isfinite(sci.data).all()
        if single:
            continue
        assert hdulist["ERR", version].header["NPIX2"] == shape[0]
        dq = hdulist["DQ", version]
        assert dq.data is not None or dq.header["PIXVALUE"] == 0


def test_overscan_rows_fit_every_frame(sets):
    for detector, choices in (
        ("WFC", [{"aperture": name, "mjd": mjd} for name in sim.aperture_names("WFC") for mjd in (53000.0, 58000.0)]),
        ("HRC", [{"amps": amps} for amps in HRC_AMPS]),
    ):
        table = opened(sets[detector].hdus("OSCNTAB"))[1].data
        for options in choices:
            for frame in geometry.readouts(detector, **options):
                keys = (frame.ccdamp, frame.chip, frame.n_col, frame.n_row)
                rows = [row for row in table if (row["CCDAMP"], row["CCDCHIP"], row["NX"], row["NY"]) == keys]
                assert len(rows) == 1
                row = rows[0]
                assert (row["TRIMX1"], row["TRIMX2"], row["TRIMY1"], row["TRIMY2"]) == (*frame.trim_x, *frame.trim_y)
                # Bias sections hold no light, and the first one is never empty.
                lit = np.zeros(frame.shape, bool)
                lit[frame.illuminated] = True
                assert 0 < row["BIASSECTA1"] <= row["BIASSECTA2"] <= frame.n_col
                for side in "AB":
                    first, last = row[f"BIASSECT{side}1"], row[f"BIASSECT{side}2"]
                    assert not first or not lit[:, first - 1 : last].any()
                if row["VY1"]:
                    assert not lit[row["VY1"] - 1 : row["VY2"], row["VX1"] - 1 : row["VX2"]].any()


def test_ccdtab_has_one_row_a_setting(sets):
    table = opened(sets["WFC"].hdus("CCDTAB"))[1].data
    rows = table[(table["CCDAMP"] == "ABCD") & (table["CCDGAIN"] == 2) & (table["CCDOFSTA"] == 3)]
    assert list(rows["CCDCHIP"]) == [1, 2]
    assert_allclose(rows["ATODGNA"], CONSTANTS["wfc"]["gain"]["A"], rtol=1e-6)
    values = amplifiers.ccd_values("WFC", 2.0)
    assert values.gain["A"] == rows["ATODGNA"][0]


def test_photometry_table(sets):
    hdulist = opened(sets["WFC"].hdus("IMPHTTAB"))
    assert [hdu.name for hdu in hdulist[1:]] == ["PHOTFLAM", "PHOTPLAM", "PHOTBW"]
    assert (hdulist[0].header["PARNUM"], hdulist[0].header["EXTRAP"]) == (2, True)
    for hdu in hdulist[1:]:
        assert {row["DATACOL"] for row in hdu.data} == {hdu.name, hdu.name + "1", hdu.name + "2"}
        for row in hdu.data:
            order = int(row["DATACOL"][len(hdu.name) :] or 0)
            sizes = [row["NELEM1"], row["NELEM2"]][:order]
            assert row["OBSMODE"].count("#") == order
            if order == 0:
                assert row[hdu.name] > 0
                continue
            assert len(row[f"{hdu.name}{order}"]) == np.prod(sizes)
            assert (row[f"{hdu.name}{order}"] > 0).all()
            for number, size in enumerate(sizes, 1):
                grid = row[f"PAR{number}VALUES"]
                assert len(grid) == size
                assert (np.diff(grid) > 0).all()


@pytest.mark.parametrize("generation", [2, 3])
def test_cte_table(generation):
    refs = sim.ReferenceSet("WFC", cte_generation=generation)
    hdulist = opened(refs.hdus("PCTETAB"))
    n_set = 1 if generation == 2 else 5
    assert len(hdulist) == 1 + 4 * n_set
    assert hdulist[0].header["CTE_NAME"] == ("PixelCTE 2017" if generation == 2 else "Par/Serial PixelCTE 2023")
    for number in range(n_set):
        qprof, scale, release, held = hdulist[1 + 4 * number : 5 + 4 * number]
        assert [hdu.name for hdu in (qprof, scale, release, held)] == ["QPROF", "SCLBYCOL", "RPROF", "CPROF"]
        assert {hdu.ver for hdu in (qprof, scale, release, held)} == {number + 1}
        assert (len(qprof.data), len(scale.data)) == (9999, 8192)
        assert (np.diff(qprof.data["QLEV_Q"]) >= 0).all()
        assert_array_equal(scale.data["IZ"], np.arange(8192))
        # First axis of the file: level; second: distance.
        assert release.data.shape == held.data.shape == (100, 9999)
        assert_allclose(release.data.sum(axis=0), 1, rtol=1e-5)
        assert_allclose(held.data, 1 - np.cumsum(release.data, axis=0, dtype=float), atol=2e-6)
        where = hdulist[0].header if generation == 2 else qprof.header
        assert where["CTEDATE1"] > where["CTEDATE0"]
        assert where["PCTETLEN"] == (60 if number == 0 else 40)
    traps = refs.traps("parallel", "A")
    assert traps["release"].shape == (traps["level"].size, 60)
    assert traps["level"][-1] < 999999


def test_references_follow_the_seed(tmp_path):
    first, again, other = (sim.ReferenceSet("HRC", seed=seed) for seed in (1, 1, 2))
    for keyword in first.names:
        assert files.to_bytes(first.hdus(keyword)) == files.to_bytes(again.hdus(keyword))
    assert files.to_bytes(first.hdus("BIASFILE")) != files.to_bytes(other.hdus("BIASFILE"))
    paths = first.write(tmp_path / "jref", ["CCDTAB", "SPOTTAB"])
    assert {key: path.name for key, path in paths.items()} == {
        "CCDTAB": "simhrc_ccd.fits",
        "SPOTTAB": "simhrc_csp.fits",
    }
    with pytest.raises(KeyError):
        first.hdus("PCTETAB")
    with pytest.raises(KeyError):
        first.image("CCDTAB")


# Kernels of the readout


@settings(max_examples=20, deadline=None)
@given(
    amp=st.sampled_from("ABCD"),
    n_row=st.integers(1, 6),
    n_col=st.integers(2, 12),
    seed=st.integers(0, 2**31),
    level=st.floats(500, 6000),
)
def test_bias_shift_is_undone_by_the_correction(amp, n_row, n_col, seed, level):
    rng = np.random.default_rng(seed)
    target = (level + rng.exponential(300, (n_row, n_col))).astype(np.float32)
    image = target.copy()
    readout.bias_shift(image, geometry.Region(amp, 0, n_row, 0, n_col), level)
    assert_allclose(corrected_bias_shift(image, amp, level), target, atol=2e-3)


def corrected_bias_shift(image, amp, level):
    """Pixel by pixel, as the pipeline does it, with the level of the gap given."""
    table = CONSTANTS["bias_shift"]
    kappa = table["sensitivity"][amp]
    f = 1 - np.exp(-1 / (table["time_constant"][amp] * table["frequency"]))
    q = table["dc_ratio"]
    rest = level / (1 - kappa * q)
    view = readout.amp_view(image.astype(float), amp)
    out = np.empty_like(view)
    b = rest * q
    for row in range(view.shape[0]):
        for col in range(view.shape[1] + table["gap"]):
            g = view[row, col] if col < view.shape[1] else rest
            after = g * f * q + (1 - f) * b
            if col < view.shape[1]:
                out[row, col] = g - kappa * after - table["ramp"] * (after - b)
            b = after
    return readout.amp_view(out, amp)


@settings(max_examples=30, deadline=None)
@given(n_row=st.integers(1, 4), half=st.integers(1, 8), seed=st.integers(0, 2**31))
def test_crosstalk_is_undone_by_the_correction(n_row, half, seed):
    target = np.random.default_rng(seed).exponential(1e4, (n_row, 2 * half)).astype(np.float32)
    image = target.copy()
    readout.crosstalk(image)
    n_col = 2 * half
    for col in range(n_col):
        image[:, col] += np.float32(9.1e-5) * image[:, n_col - 1 - col]
    assert_allclose(image, target, rtol=1e-6)


def test_full_wells_bleed_along_the_column():
    charge = np.zeros((200, 3), np.float32)
    charge[100, 1] = 5e5
    well = np.full_like(charge, 8e4)
    before = charge.sum()
    full = readout.full_well(charge, well)
    assert full[:, 1].sum() in (5, 6, 7)
    assert not full[:, [0, 2]].any()
    assert charge.max() <= 8e4 * readout.WELL_MARGIN * 1.000001
    assert_allclose(charge.sum(), before, rtol=1e-5)
    rows = np.flatnonzero(full[:, 1])
    assert rows.mean() == pytest.approx(100, abs=0.5)
    edge = np.zeros((5, 1), np.float32)
    edge[0] = 1e6
    assert readout.full_well(edge, np.full_like(edge, 8e4)).all()


def test_stripes_are_the_same_for_every_amplifier():
    rng = np.random.default_rng(3)
    noise = readout.stripes((2068, 2072), 2072, rng)
    assert noise.mean() == pytest.approx(0, abs=0.05)
    assert 0.5 < noise.mean(axis=1).std() < 1.1
    # A row drifts into the next one.
    assert_allclose(noise[:-1, -1] - noise[:-1, 0], (2071 / 2218) * np.diff(noise[:, 12]), atol=0.02)


def test_cosmic_rays_hit_as_often_as_stated():
    rng = np.random.default_rng(5)
    hits = cosmic_rays((2048, 2048), CONSTANTS["wfc"]["cosmic_ray_rate"], 1000.0, rng)
    assert 0.01 < (hits > 0).mean() < 0.03  # 1.5 to 3 percent of the pixels in 1000 s, ACS Instrument Handbook
    assert hits.min() == 0
    assert cosmic_rays((10, 10), 1e-6, 0.0, rng).sum() == 0


# Exposures


def test_raw_file_has_the_archive_layout(sets):
    exposure = sim.simulate("HRC", seed=1, exptime=30.0, references=sets["HRC"], rootname="jabc01d2q")
    hdulist = exposure.to_hdulist()
    hdulist.verify("exception")
    primary = hdulist[0].header
    assert [hdu.name for hdu in hdulist] == ["PRIMARY", "SCI", "ERR", "DQ"]
    assert (primary["ROOTNAME"], primary["FILENAME"], primary["DETECTOR"]) == ("jabc01d2q", "jabc01d2q_raw.fits", "HRC")
    assert (primary["EXPTIME"], primary["DARKTIME"], primary["CCDAMP"], primary["SUBARRAY"]) == (30, 30, "C", False)
    assert primary["EXPEND"] - primary["EXPSTART"] == pytest.approx(30 / 86400, abs=1e-7)
    assert (primary["DATE-OBS"], primary["TIME-OBS"]) == ("2003-12-27", "00:00:00")
    assert primary["BIASFILE"] == "jref$simhrc_bia.fits"
    assert primary.comments["CCDAMP"] == "CCD Amplifier Readout Configuration"
    sci = hdulist["SCI"]
    assert_array_equal(sci.data, exposure.raw[0])
    assert sci.data.dtype == np.uint16
    assert (sci.header["LTV1"], sci.header["LTV2"], sci.header["SDQFLAGS"], sci.header["BUNIT"]) == (
        19,
        0,
        31743,
        "COUNTS",
    )
    for name in ("ERR", "DQ"):
        assert hdulist[name].data is None
        assert [hdulist[name].header[key] for key in ("NPIX1", "NPIX2", "PIXVALUE")] == [1062, 1044, 0]


def test_wfc_full_frame_layout(sets):
    exposure = sim.simulate("WFC", seed=1, references=sets["WFC"], effects={"read_noise"})
    hdulist = exposure.to_hdulist()
    assert [(hdu.name, hdu.ver) for hdu in hdulist[1:]] == [(name, v) for v in (1, 2) for name in ("SCI", "ERR", "DQ")]
    assert [hdulist["SCI", v].header["CCDCHIP"] for v in (1, 2)] == [2, 1]
    assert [hdulist["SCI", v].header["LTV2"] for v in (1, 2)] == [0, 20]
    assert hdulist[0].header["NEXTEND"] == 6
    assert hdulist["SCI", 1].shape == (2068, 4144)
    assert hdulist[0].header["JWROTYPE"] == "CLAMP"


def test_sbc_layout(sets):
    exposure = sim.simulate("SBC", seed=1, references=sets["SBC"], exptime=200.0)
    hdulist = exposure.to_hdulist()
    assert hdulist["SCI"].shape == (1024, 1024)
    assert "CCDAMP" not in hdulist[0].header
    assert hdulist["SCI"].header["GLOBRATE"] == pytest.approx(exposure.raw[0].sum() / 200.0, rel=0.01)


def test_exposures_follow_the_seed(sets):
    def data(seed, **options):
        return files.to_bytes(sim.simulate("HRC", seed=seed, references=sets["HRC"], exptime=20.0, **options).hdus())

    assert data(4) == data(4)
    assert data(4) != data(5)
    assert data(4) == data(4, effects=sim.DEFAULT_EFFECTS["HRC"])


def test_keywords_and_files_can_be_replaced(sets, tmp_path):
    exposure = sim.simulate(
        "SBC", references=sets["SBC"], keywords={"TARGNAME": "M 33", "DARKCORR": "PERFORM", "OPUS_VER": None},
        reference_folder="/data/",
    )  # fmt: skip
    path = exposure.write(tmp_path / "new", spt=True)
    header = fits.getheader(path)
    assert (header["TARGNAME"], header["DARKCORR"], header["PFLTFILE"]) == ("M 33", "PERFORM", "/data/simsbc_pfl.fits")
    assert "OPUS_VER" not in header
    with fits.open(path.with_name(path.name.replace("_raw", "_spt"))) as support:
        assert support["UDL"].data.dtype == np.dtype(">i2")
    with pytest.raises(FileExistsError):
        exposure.write(tmp_path / "new")


@pytest.fixture(scope="module")
def small(sets):
    """Simulate a WFC subarray with given effects, bare scene by default."""

    def run(*effects, seed=3, scene=None, **options):
        chosen = {"aperture": "WFC1A-512", "mjd": 58000.0, "exptime": 300.0} | options
        return sim.simulate(
            "WFC", seed=seed, references=sets["WFC"], effects=effects,
            scene=scene or sim.Scene.flat_field(1.0), **chosen,
        )  # fmt: skip

    return run


def electrons(exposure):
    """Raw frame without its bias level, electron, trimmed."""
    frame, truth = exposure.frames[0], exposure.truth[0]
    gain = amplifiers.ccd_values(exposure.detector, float(exposure.values["CCDGAIN"])).gain
    amp = frame.ccdamp
    return exposure.raw[0][frame.illuminated] * gain[amp] - truth.level[amp]


def test_nothing_but_light(small):
    exposure = small()
    assert_allclose(electrons(exposure), 300.0, atol=0.5 * 2.02 + 1)
    assert_array_equal(exposure.truth[0].sci, np.float32(300))
    switches = {key: value for key, value in exposure.values.items() if key.endswith("CORR")}
    assert {key for key, value in switches.items() if value == "PERFORM"} == set()


@pytest.mark.parametrize(
    ("effect", "switch", "keyword"),
    [("flat", "FLATCORR", "PFLTFILE"), ("delta_flat", "FLATCORR", "DFLTFILE")],
)
def test_flats(small, sets, effect, switch, keyword):
    exposure = small(effect)
    frame = exposure.frames[0]
    flat = sets["WFC"].image(keyword, frame.chip).sci[frame.on_chip]
    assert_allclose(exposure.truth[0].charge, 300 * flat, rtol=1e-6)
    assert_allclose(electrons(exposure), 300 * flat, atol=2.1)
    assert exposure.values[switch] == "PERFORM"
    assert exposure.values[keyword] == f"jref${sets['WFC'].names[keyword]}"


def test_dark_with_overhead(small, sets):
    exposure = small("dark", scene=sim.Scene.flat_field(0.0))
    frame = exposure.frames[0]
    assert exposure.dark_time == 300.5
    assert_allclose(exposure.truth[0].charge, 300.5 * sets["WFC"].image("DARKFILE", 1).sci[frame.on_chip], rtol=1e-5)
    assert small("dark", aperture="WFC1-512").dark_time == 300.0
    assert small("dark", mjd=53000.0, aperture="WFC1-512").dark_time == 300.0


def test_flash(small, sets):
    exposure = small("flash", flash=5.0, scene=sim.Scene.flat_field(0.0))
    frame = exposure.frames[0]
    assert_allclose(exposure.truth[0].charge, 5 * sets["WFC"].image("FLSHFILE", 1).sci[frame.on_chip], rtol=1e-5)
    assert exposure.truth[0].sci.max() == 0
    assert (exposure.values["FLSHCORR"], exposure.values["FLASHDUR"], exposure.values["FLASHSTA"]) == (
        "PERFORM", 5.0, "SUCCESSFUL",
    )  # fmt: skip
    assert exposure.values["DARKTIME"] == 305.0
    assert small("dark", flash=5.0).values["FLSHCORR"] == "OMIT"


def test_shading(small, sets):
    exposure = small("shading", exptime=2.0, scene=sim.Scene.flat_field(1000.0))
    frame = exposure.frames[0]
    shade = sets["WFC"].image("SHADFILE", 1).sci[frame.on_chip]
    assert_allclose(exposure.truth[0].charge, 2000 * (1 + shade / 2), rtol=1e-6)


def test_poisson_noise(small):
    charge = small("poisson").truth[0].charge
    assert charge.mean() == pytest.approx(300, abs=0.1)
    assert charge.var() == pytest.approx(300, rel=0.01)


def test_read_noise(small):
    noise = electrons(small("read_noise")) - 300.0
    expected = np.hypot(CONSTANTS["wfc"]["read_noise"]["A"], 2.02 / np.sqrt(12))
    assert noise.std() == pytest.approx(expected, rel=0.01)


def test_cosmic_rays_leave_the_rest_alone(small):
    clean, hit = small("read_noise", "poisson"), small("read_noise", "poisson", "cosmic_rays")
    rays = hit.truth[0].cosmic_rays
    assert (rays > 0).any()
    frame = hit.frames[0]
    assert_array_equal(hit.raw[0][frame.illuminated][rays == 0], clean.raw[0][frame.illuminated][rays == 0])
    assert_allclose(hit.truth[0].charge - clean.truth[0].charge, rays, rtol=1e-3, atol=0.01)


def test_effects_have_their_own_random_numbers(small):
    noisy, both = small("read_noise"), small("read_noise", "dark", scene=sim.Scene.flat_field(1.0))
    dark = both.truth[0].charge - 300.0
    difference = electrons(both) - electrons(noisy)
    assert_allclose(difference, dark, atol=2.03)


def test_sinks(small, sets):
    exposure = small("sink")
    truth, frame = exposure.truth[0], exposure.frames[0]
    assert 100 < truth.sink.sum() < 2000
    depth = -sets["WFC"].image("SNKCFILE", 1).sci[frame.on_reference()][frame.illuminated][truth.sink]
    assert_allclose(300 - electrons(exposure)[truth.sink], depth, atol=2.5)
    assert_allclose(electrons(exposure)[~truth.sink], 300, atol=2.1)
    assert exposure.values["SINKCORR"] == "PERFORM"


def test_full_wells_and_converter(small):
    scene = sim.Scene(images={1: star_at(512 + 1536 - 256, 1024, 1e6)})
    exposure = small("full_well", scene=scene)
    assert exposure.truth[0].full.any()
    assert not exposure.truth[0].converter_full.any()
    exposure = small("full_well", scene=scene, gain=1.0)
    assert exposure.truth[0].converter_full.any()
    assert exposure.raw[0].max() == 65535


def star_at(row, col, rate):
    image = np.zeros((2048, 4096), np.float32)
    image[row, col] = rate
    return image


def test_bias_structure(small, sets):
    exposure = small("bias_structure")
    frame = exposure.frames[0]
    bias = sets["WFC"].image("BIASFILE", 1).sci[frame.on_reference()]
    plain = small()
    assert_allclose(exposure.raw[0].astype(float) - plain.raw[0], bias, atol=1.01)
    assert exposure.values["BIASCORR"] == "PERFORM"


def test_bias_level_changes_from_exposure_to_exposure(small):
    levels = {small("bias_level", seed=seed).truth[0].level["A"] for seed in range(4)}
    assert len(levels) == 4
    assert np.std(list(levels)) < 10
    assert small().truth[0].level["A"] == pytest.approx(2245.3 * 2.02, rel=1e-6)


def test_level_drifts_before_sm4(sets):
    exposure = sim.simulate(
        "HRC", seed=1, effects={"bias_level", "read_noise"}, scene=sim.Scene.flat_field(0), references=sets["HRC"]
    )
    frame = exposure.frames[0]
    data = exposure.raw[0].astype(float)
    virtual = data[frame.n_row - 20 :, 19:-19].mean(axis=0)
    slope = np.polyfit(np.arange(virtual.size), virtual, 1)[0] * amplifiers.ccd_values("HRC", 2.0).gain["C"]
    assert slope == pytest.approx(CONSTANTS["bias"]["drift"], abs=4e-4)


def test_bias_shift_and_crosstalk_need_the_dual_slope_readout(small):
    scene = sim.Scene(sky=1.0, star_density=0.0, images={1: star_at(1000, 500, 200.0)})
    options = {"scene": scene, "aperture": "WFC1A-2K"}
    shifted = small("bias_shift", **options)
    assert shifted.values["JWROTYPE"] == "DS_int"
    plain = small(**options)
    change = electrons(shifted) - electrons(plain)
    # The level rises by the sensitivity times the remembered part of the level.
    assert change.mean() == pytest.approx(0.3 * 2.9189e-3 * 4535, rel=0.1)
    for other in ({"gain": 1.0}, {"readout_type": "CLAMP"}, {"mjd": 53000.0}, {"aperture": "WFC1A-512"}):
        exposure = small("bias_shift", **(options | other))
        assert_array_equal(exposure.raw[0], small(**(options | other)).raw[0])


def test_crosstalk_in_a_full_frame(sets):
    scene = sim.Scene(sky=0.0, star_density=0.0, images={2: star_at(1000, 500, 1200.0)})
    options = {"seed": 2, "references": sets["WFC"], "scene": scene, "exptime": 50.0}
    ghost = sim.simulate("WFC", effects={"crosstalk"}, **options)
    plain = sim.simulate("WFC", effects=(), **options)
    change = ghost.raw[0].astype(int) - plain.raw[0]
    row, col = np.argwhere(change)[0]
    assert (row, col) == (1000, 4143 - (500 + 24))
    assert change[row, col] == pytest.approx(-9.1e-5 * 60000 / 2.011, abs=1)
    assert not (ghost.raw[1].astype(int) - plain.raw[1]).any()


def test_charge_transfer_loses_and_trails(small):
    scene = sim.Scene(sky=0.1, star_density=0.0, images={1: star_at(1536 + 100, 1000, 20.0)})
    exposure = small("cte", scene=scene)
    clean = small(scene=scene)
    change = electrons(exposure) - electrons(clean)
    row, col = 100, 1000
    assert change[row, col] < -5
    # Amplifier A is at the upper left: trails point down and to the right.
    assert change[row - 6 : row, col].sum() > 3
    assert change[row, col + 1 : col + 7].sum() > 3
    assert exposure.values["PCTECORR"] == "PERFORM"
    assert_array_equal(exposure.truth[0].charge, clean.truth[0].charge)
    assert_array_equal(exposure.raw[0], small("cte", scene=scene, n_threads=2).raw[0])


def test_spots_follow_the_table(sets):
    exposure = sim.simulate(
        "HRC", references=sets["HRC"], effects={"flat", "spots"}, scene=sim.Scene.flat_field(10.0), mjd=53017.0
    )
    truth = exposure.truth[0]
    flat = sets["HRC"].image("PFLTFILE").sci
    ratio = truth.charge / truth.sci / flat
    assert ratio.min() < 0.4
    assert np.median(ratio) == pytest.approx(1, abs=1e-3)
    assert sets["HRC"].spot_shift(53017.0) == (-1.25, 0.5)
    assert exposure.values["SPOTTAB"] == "jref$simhrc_csp.fits"
    assert exposure.values["OBSTYPE"] == "CORONAGRAPHIC"


def test_sbc_loses_counts_at_high_rates(sets):
    scene = sim.Scene.flat_field(0.15)
    linear = sim.simulate("SBC", references=sets["SBC"], scene=scene, effects={"flat"})
    lossy = sim.simulate("SBC", references=sets["SBC"], scene=scene, effects={"flat", "nonlinearity"})
    rate = linear.global_rate
    assert lossy.global_rate == pytest.approx(rate * np.exp(-CONSTANTS["sbc"]["tau"] * rate), rel=1e-6)
    assert lossy.global_rate < 0.99 * rate
    assert (linear.values["GLINCORR"], lossy.values["GLINCORR"]) == ("OMIT", "PERFORM")


def test_subarray_sees_the_same_stars(sets):
    scene = sim.Scene(star_density=2e-4)
    options = {"seed": 8, "references": sets["HRC"], "scene": scene, "effects": ()}
    full = sim.simulate("HRC", **options).truth[0].sci
    part = sim.simulate("HRC", subarray=(300, 400, 200, 100), **options)
    assert_allclose(part.truth[0].sci, full[400:500, 300:500], rtol=1e-5)
    assert part.frames[0].shape == (100, 200)
    assert part.values["SUBARRAY"] is True


# Associations


@pytest.mark.parametrize(
    ("kind", "n_exposure", "n_position", "types"),
    [
        ("CR-SPLIT", 2, 1, ["EXP-CRJ", "EXP-CRJ", "PROD-CRJ"]),
        ("REPEAT-OBS", 2, 1, ["EXP-RPT", "EXP-RPT", "PROD-RPT"]),
        ("CR-SPLIT", 1, 2, ["EXP-CR1", "PROD-CR1", "EXP-CR2", "PROD-CR2", "PROD-DTH"]),
        ("REPEAT-OBS", 1, 2, ["EXP-RP1", "PROD-RP1", "EXP-RP2", "PROD-RP2", "PROD-DTH"]),
        ("DITHER", 1, 2, ["EXP-DTH", "EXP-DTH", "PROD-DTH"]),
    ],
)
def test_associations(sets, tmp_path, kind, n_exposure, n_position, types):
    association = sim.simulate_association(
        kind, "SBC", n_exposure=n_exposure, n_position=n_position, references=sets["SBC"], exptime=50.0, seed=7
    )
    path = association.write(tmp_path)
    with fits.open(path) as hdulist:
        table = hdulist["ASN"].data
        assert hdulist[0].header["ASN_ID"] == association.rootname
    assert list(table["MEMTYPE"]) == types
    assert [bool(flag) for flag in table["MEMPRSNT"]] == [word.startswith("EXP") for word in types]
    starts = []
    for row in table:
        if row["MEMTYPE"].startswith("PROD"):
            continue
        header = fits.getheader(tmp_path / f"{row['MEMNAME'].lower()}_raw.fits")
        assert (header["ASN_TAB"], header["ASN_MTYP"]) == (path.name, row["MEMTYPE"])
        assert (tmp_path / f"{row['MEMNAME'].lower()}_spt.fits").exists()
        starts.append(header["EXPSTART"])
    assert starts == sorted(set(starts))
    first, last = association.members[0], association.members[-1]
    same = np.array_equal(first.truth[0].sci, last.truth[0].sci)
    assert same == (n_position == 1)
    assert not np.array_equal(first.raw[0], last.raw[0])


def test_association_requests():
    with pytest.raises(ValueError, match="kind"):
        sim.simulate_association("MOSAIC")
    with pytest.raises(ValueError, match="exposure times"):
        sim.simulate_association("CR-SPLIT", n_exposure=2, exptime=[1.0])


def test_needed_references(sets, tmp_path):
    exposure = sim.simulate("HRC", references=sets["HRC"], exptime=5.0)
    needed = {"CCDTAB", "OSCNTAB", "BPIXTAB", "IMPHTTAB", "BIASFILE", "SATUFILE", "DARKFILE", "PFLTFILE"}
    paths = exposure.write_references(tmp_path)
    assert set(paths) == needed == set(exposure.needed_references())
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in paths.values()}
    assert exposure.write_references(tmp_path) == paths
    counts = sim.simulate("SBC", references=sets["SBC"], exptime=5.0)
    assert set(counts.needed_references()) == {"BPIXTAB", "IMPHTTAB", "MLINTAB", "PFLTFILE"}


def test_threads_change_nothing(sets):
    options = {"seed": 2, "references": sets["WFC"], "effects": {"poisson", "read_noise"}, "exptime": 10.0}
    one, two = sim.simulate("WFC", **options), sim.simulate("WFC", **options, n_threads=2)
    for first, second in zip(one.raw, two.raw, strict=True):
        assert_array_equal(first, second)
