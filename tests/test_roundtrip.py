"""Simulate, calibrate, compare with the truth: one effect at a time, then all."""

import tempfile

import numpy as np
import pytest

from calacs import acsccd, acscte, sim
from calacs.sim import amplifiers
from calacs.sim.constants import CONSTANTS

pytestmark = pytest.mark.filterwarnings("ignore::calacs.errors.CalacsWarning")

# Bits that mean more than a loss of accuracy; 1024 (sink) is not among the serious ones of SDQFLAGS.
ANY = -1


@pytest.fixture(scope="module")
def sets():
    return {name: sim.ReferenceSet(name, seed=21) for name in ("WFC", "HRC", "SBC")}


@pytest.fixture(scope="module")
def jref():
    # Not tmp_path: half a gigabyte of WFC images must not outlive the run.
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("jref", f"{folder}/")
        yield folder


@pytest.fixture(scope="module")
def leveled(sets, jref):
    """Simulate and run acsccd; return simulation and result."""

    def run(detector, **options):
        exposure = sim.simulate(detector, references=sets[detector], **options)
        exposure.write_references(jref)
        return exposure, acsccd.run(exposure.to_hdulist())

    return run


@pytest.fixture(scope="module")
def calibrated(leveled, sets, jref):
    """Simulate and run acsccd and acs2d."""
    acs2d = pytest.importorskip("calacs.acs2d")

    def run(detector, **options):
        if detector == "SBC":
            exposure = sim.simulate(detector, references=sets[detector], **options)
            exposure.write_references(jref)
            return exposure, acs2d.run(exposure.to_hdulist())
        exposure, result = leveled(detector, **options)
        return exposure, acs2d.run(result)

    return run


def residuals(exposure, result, what):
    """Return, for each chip, frame, residual, ERR and mask of untroubled pixels."""
    for frame, truth, imset in zip(exposure.frames, exposure.truth, result, strict=True):
        expected = truth.sci if what == "sci" else truth.charge
        good = (imset.dq & ANY) == 0
        if what == "sci":
            good &= (truth.cosmic_rays == 0) & ~near(truth.full)
        yield frame, imset.sci - expected, imset.err, good


def near(mask):
    # The last pixel of a bled column is partly filled and not flagged.
    wide = mask.copy()
    wide[1:] |= mask[:-1]
    wide[:-1] |= mask[1:]
    return wide


def by_amplifier(frame, image):
    """Yield the amplifiers' regions and their illuminated parts of a trimmed image."""
    for region in frame.regions:
        x0, y0 = region.x0 - frame.trim_x[0], region.y0 - frame.trim_y[0]
        x1, y1 = region.x1 - frame.trim_x[0], region.y1 - frame.trim_y[0]
        yield region, image[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]


def gains(exposure):
    return amplifiers.ccd_values(exposure.detector, float(exposure.values["CCDGAIN"])).gain


FLAT = sim.Scene.flat_field(2.0)
SUBARRAY = {"aperture": "WFC1A-512", "mjd": 58000.0, "exptime": 300.0}
SHIFTED = {"aperture": "WFC2D-2K", "mjd": 58000.0, "exptime": 300.0}


# acsccd: what comes back is the collected charge


@pytest.mark.parametrize(
    ("detector", "effects", "options"),
    [
        ("HRC", (), {}),
        ("HRC", ("bias_structure",), {}),
        ("HRC", ("poisson", "cosmic_rays"), {}),
        ("HRC", ("bias_structure", "full_well"), {"scene": sim.Scene(star_flux=(1e4, 1e5))}),
        ("WFC", (), SUBARRAY),
        ("WFC", ("bias_structure",), SUBARRAY),
        ("WFC", ("sink",), SUBARRAY),
        ("WFC", ("bias_shift",), SHIFTED),
        ("WFC", (), {"subarray": (500, 600, 700, 800), "amps": "C"}),
    ],
)
def test_noiseless_effects_come_back_to_a_quantum(leveled, detector, effects, options):
    exposure, result = leveled(detector, effects=effects, **{"exptime": 300.0} | options)
    for frame, residual, _, good in residuals(exposure, result, "charge"):
        quantum = max(gains(exposure)[region.amp] for region in frame.regions)
        # Half a quantum from the frame, half from the level; the level drifts by less than half an electron.
        assert np.abs(residual[good]).max() < quantum + 0.5
        assert good.mean() > 0.9


@pytest.mark.parametrize("gain", [1.0, 2.0, 4.0])
def test_gains(leveled, gain):
    exposure, result = leveled("HRC", effects=(), gain=gain, exptime=100.0)
    for _, residual, _, good in residuals(exposure, result, "charge"):
        assert np.abs(residual[good]).max() < gain * 1.12 + 0.01


@pytest.mark.parametrize("amps", ["A", "B", "C", "D", "AB", "CD", "AD", "BC", "AC", "BD", "ABCD"])
def test_hrc_levels_of_every_amplifier(leveled, amps):
    exposure, result = leveled("HRC", amps=amps, effects=("bias_level", "read_noise", "bias_structure"), scene=FLAT)
    truth = exposure.truth[0]
    frame, residual, _, good = next(residuals(exposure, result, "charge"))
    for region, part in by_amplifier(frame, np.where(good, residual, np.nan)):
        # The pipeline measures every amplifier in the lower rows: an upper one gets the level of that below it.
        below = [item for item in frame.regions if item.x0 == region.x0 and item.y1 == region.y0]
        offset = truth.level[region.amp] - truth.level[below[0].amp] if below else 0.0
        assert np.nanmean(part) == pytest.approx(offset, abs=0.5)


def test_bias_shift_and_crosstalk_and_stripes(leveled):
    effects = ("bias_shift", "crosstalk", "stripes", "read_noise", "bias_level", "bias_structure", "full_well")
    scene = sim.Scene(sky=0.1, star_flux=(100.0, 1000.0))
    exposure, result = leveled("WFC", effects=effects, scene=scene, exptime=60.0)
    for frame, residual, err, good in residuals(exposure, result, "charge"):
        for region, part in by_amplifier(frame, np.where(good, residual, np.nan)):
            noise = np.hypot(
                amplifiers.ccd_values("WFC", 2.0).read_noise[region.amp], gains(exposure)[region.amp] / np.sqrt(12)
            )
            assert abs(np.nanmean(part)) < 0.15
            # Rows: what is left of the stripes is the noise of their measurement in 4 x 24 prescan pixels.
            rows = np.nanmean(part, axis=1)
            assert np.nanstd(rows) < 0.55
            assert np.nanstd(part) == pytest.approx(noise, rel=0.03)
        assert err[good].min() > 3.7


def test_before_sm4(leveled):
    exposure, result = leveled("WFC", mjd=53000.0, effects=("read_noise", "bias_level"), scene=FLAT, exptime=100.0)
    for frame, residual, _, good in residuals(exposure, result, "charge"):
        image = np.where(good, residual, np.nan)
        for _, part in by_amplifier(frame, image):
            assert abs(np.nanmean(part)) < 0.25
            assert abs(np.polyfit(np.arange(2048), np.nanmean(part, axis=0), 1)[0]) < 2e-4
        assert abs(np.polyfit(np.arange(2048), np.nanmean(image, axis=1), 1)[0]) < 2e-4


def test_full_wells_are_flagged(leveled):
    scene = sim.Scene(star_flux=(1e3, 1e5))
    exposure, result = leveled("HRC", scene=scene, exptime=300.0, gain=4.0)
    truth, imset = exposure.truth[0], next(iter(result))
    flagged = (imset.dq & 256) != 0
    assert truth.full.sum() > 20
    assert not truth.converter_full.any()
    assert flagged[truth.full].mean() > 0.99
    assert not (flagged & ~near(truth.full)).any()


def test_the_end_of_the_converter_is_flagged(leveled):
    exposure, result = leveled("HRC", scene=sim.Scene(star_flux=(1e3, 1e5)), exptime=300.0)
    truth, imset = exposure.truth[0], next(iter(result))
    assert truth.converter_full.sum() > 20
    assert ((imset.dq & 2048) != 0)[truth.converter_full].all()


def test_sinks_are_flagged(leveled):
    exposure, result = leveled("WFC", **SUBARRAY)
    truth, imset = exposure.truth[0], next(iter(result))
    assert ((imset.dq & 1024) != 0)[truth.sink].all()


def test_dark_time(leveled):
    exposure, result = leveled("WFC", **SUBARRAY, effects=("dark", "flash"), flash=3.0)
    assert result.primary["DARKTIME"] == pytest.approx(exposure.dark_time, rel=1e-6)


# acscte: the lost charge comes back


@pytest.mark.parametrize(
    "options", [SUBARRAY, {**SUBARRAY, "aperture": "WFC2D-512"}, {"aperture": "WFC2-512", "mjd": 53600.0}]
)
def test_charge_transfer_is_undone(leveled, options):
    scene = sim.Scene(star_flux=(10.0, 100.0), star_density=1e-4)
    exposure, result = leveled("WFC", effects=("cte",), scene=scene, **{"exptime": 400.0} | options)
    corrected = acscte.run(result)
    rms = []
    for image in (result, corrected):
        _, residual, _, good = next(residuals(exposure, image, "charge"))
        rms.append(np.sqrt(np.mean(residual[good & (exposure.truth[0].charge > 300)] ** 2)))
    # Gains of two electrons a number leave 0.6 electron of rounding.
    assert rms[1] < 0.7
    assert rms[1] < rms[0] - 0.05


@pytest.mark.parametrize("amp", "ABCD")
@pytest.mark.parametrize(
    ("direction", "n_line", "peak"), [("parallel", 120, 200.0), ("parallel", 120, 1000.0), ("serial", 480, 3000.0)]
)
def test_deferred_charge_behind_warm_pixels_is_removed(sets, jref, amp, direction, n_line, peak):
    """All of what the traps of the table moved behind warm pixels, but for less than 5 percent either way."""
    n_col, n_row = (n_line, 2048) if direction == "parallel" else (2048, n_line)
    x = 0 if amp in "AC" else 4096 - n_col
    y = 0 if amp in "CD" else 2048 - n_row

    def from_register(plane):
        """Lines along the transfer, the row next to the register first."""
        plane = plane[::-1] if amp in "AB" else plane
        plane = plane[:, ::-1] if amp in "BD" else plane
        return plane if direction == "parallel" else plane.T

    # Far from the register, so far from each other that no trail reaches the next one.
    rows, cols = np.meshgrid(np.arange(1000, 1900, 90), np.arange(4, n_line - 3, 6), indexing="ij")
    rows = rows + cols * 37 % 90
    rate = np.zeros((2048, 4096))
    from_register(rate[y : y + n_row, x : x + n_col])[rows, cols] = peak / 400.0
    scene = sim.Scene(
        sky=peak / 200.0 / 400.0 + 0.01, gradient=0.0, star_density=0.0, images={1 if amp in "AB" else 2: rate}
    )

    def expose(*effects):
        # Read noise spreads the rounding to whole numbers; it is the same in both exposures.
        exposure = sim.simulate(
            "WFC", seed=3, references=sets["WFC"], effects=("read_noise", *effects), scene=scene, amps=amp,
            subarray=(x, y, n_col, n_row), mjd=58000.0, exptime=400.0,
        )  # fmt: skip
        exposure.write_references(jref)
        return acsccd.run(exposure.to_hdulist())

    def measure(exposure):
        """Mean charge that the warm pixels lack, and charge behind them beyond that of a neighboring line."""
        change = from_register(exposure.imsets[0].sci.astype(float) - collected.imsets[0].sci)
        behind = sum(change[rows + k, cols] - change[rows + k, cols - 3] for k in range(1, 61))
        return -change[rows, cols].mean(), behind.mean()

    collected, read = expose(), expose("cte")
    lost, deferred = measure(read)
    still_lost, left = measure(acscte.run(read))
    assert lost > 3.0
    assert deferred > 2.0
    assert abs(left) < 0.05 * deferred
    assert abs(still_lost) < 0.05 * lost


# The whole chain: what comes back is the light


@pytest.mark.parametrize(
    ("detector", "effects", "options"),
    [
        ("HRC", ("flat",), {}),
        ("HRC", ("dark",), {}),
        ("HRC", ("flat", "delta_flat"), {}),
        ("HRC", ("shading",), {"exptime": 5.0}),
        ("WFC", ("flat",), SUBARRAY),
        ("WFC", ("dark",), SUBARRAY),
        ("WFC", ("flash",), {**SUBARRAY, "flash": 4.0}),
        ("SBC", ("flat",), {}),
        ("SBC", ("nonlinearity",), {"scene": sim.Scene.flat_field(0.15)}),
    ],
)
def test_noiseless_light_comes_back_to_a_quantum(calibrated, detector, effects, options):
    exposure, result = calibrated(detector, effects=effects, **{"exptime": 300.0, "scene": FLAT} | options)
    for _, residual, _, good in residuals(exposure, result, "sci"):
        quantum = max(gains(exposure).values()) if detector != "SBC" else 0.5
        # Division by a dead pixel's flat makes quanta larger; such pixels are flagged.
        assert np.abs(residual[good]).max() < 1.1 * quantum + 0.5


@pytest.mark.parametrize(
    ("detector", "options"),
    [
        ("HRC", {}),
        ("HRC", {"amps": "B", "effects": sim.DEFAULT_EFFECTS["HRC"] | {"delta_flat", "shading"}}),
        ("HRC", {"subarray": (200, 300, 400, 500)}),
        ("WFC", {}),
        ("WFC", {"mjd": 53000.0}),
        ("WFC", {"readout_type": "CLAMP"}),
        ("WFC", {**SUBARRAY, "flash": 3.0}),
        ("WFC", {"aperture": "WFC1-1K", "mjd": 54000.0}),
        ("WFC", {"aperture": "WFC1B-2K", "mjd": 58000.0}),
        ("SBC", {"scene": sim.Scene.flat_field(0.15), "exptime": 2000.0}),
    ],
)
def test_all_effects_together(calibrated, detector, options):
    exposure, result = calibrated(detector, **{"exptime": 400.0, "scene": FLAT, "seed": 5} | options)
    for _, residual, err, good in residuals(exposure, result, "sci"):
        pull = (residual / err)[good]
        assert good.mean() > 0.85
        # ERR is made from the noisy data, so that low pixels get small errors: a bias of -1/2 over the error.
        bias = -0.5 / np.median(err[good])
        assert pull.mean() == pytest.approx(bias, abs=0.03)
        # The counts of the SBC are corrected for losses before their errors are made.
        scatter = np.exp(0.5 * CONSTANTS["sbc"]["tau"] * exposure.global_rate)
        assert pull.std() == pytest.approx(scatter, abs=0.01)
        # Beyond five sigma there is next to nothing.
        assert (np.abs(pull) > 5.5).mean() < 2e-6


def test_photometry_is_that_of_the_table(calibrated, sets):
    _, result = calibrated("HRC", effects=("flat",), exptime=10.0, filters=("F555W", "CLEAR2S"))
    header = next(iter(result)).header["SCI"]
    assert header["PHOTPLAM"] == pytest.approx(5356.0, rel=1e-4)
    assert header["PHOTFLAM"] == pytest.approx(3.02e-19, rel=0.02)
