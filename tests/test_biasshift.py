"""Bias shift: kernel against its oracle, symmetry of the amplifiers, bad input."""

import numpy as np
import pytest

from calacs._core import biasshift as core
from calacs.errors import KernelError
from calacs.steps.biasshift import SQUARE_ROWS, SUBARRAYS, correct_bias_shift, is_supported_subarray
from helpers import at_once, same_bits
from oracles import biasshift as oracle
from oracles.views import view


def image(seed, n_row=2070, n_col=52):
    rng = np.random.default_rng(seed)
    sci = 4700 + 4 * rng.standard_normal((n_row, n_col), np.float32)
    sci[rng.integers(0, n_row, 60), rng.integers(0, n_col, 60)] += np.float32(60000)
    return sci


@pytest.mark.parametrize("amp", range(4))
@pytest.mark.parametrize("n_amp_col", [26, 52])
def test_the_kernel_matches_the_oracle(amp, n_amp_col):
    sci = image(amp)
    want, before, after = oracle.correct(sci, n_amp_col, amp)
    assert core.correct(sci, n_amp_col, amp) == [(before, after)]
    assert same_bits(sci, want)


@pytest.mark.parametrize("n_row", [2067, 2068])
def test_the_smallest_images(n_row):
    sci = image(5, n_row, 23)
    want, before, after = oracle.correct(sci, 23, 2)
    assert core.correct(sci, 23, 2) == [(before, after)]
    assert same_bits(sci, want)


@pytest.mark.parametrize("amp", [0, 1, 3])
def test_amplifiers_differ_by_reflection_and_constants_only(amp):
    """The image seen from its amplifier gives the same result wherever the amplifier stands."""
    sci = image(6)
    flipped = np.ascontiguousarray(view(sci, amp))
    levels = core.correct(sci, sci.shape[1], amp)
    want, before, after = oracle.correct(view(flipped, amp).copy(), sci.shape[1], amp)
    assert levels == [(before, after)]
    assert same_bits(sci, want)


@pytest.mark.parametrize("amps", [(0, 1), (1, 0), (2, 3)])
def test_two_amplifiers_at_once(amps):
    sci = image(11)
    single = sci.copy()
    levels = [core.correct(single, 26, amp)[0] for amp in amps]
    assert core.correct(sci, 26, *amps) == levels
    assert same_bits(sci, single)


@pytest.mark.parametrize("amps", [(), (0, 1, 2)])
def test_wrong_number_of_amplifiers(amps):
    with pytest.raises(ValueError, match="1 or 2"):
        core.correct(image(12, 2067, 46), 23, *amps)


def test_the_other_half_is_left_alone():
    sci = image(7)
    before = sci.copy()
    core.correct(sci, 26, 3)
    assert same_bits(sci[:, :26].copy(), before[:, :26].copy())
    assert not np.array_equal(sci[:, 26:], before[:, 26:])


def test_a_level_frame_becomes_flat():
    sci = np.full((2068, 60), 4700, np.float32)
    ((before, after),) = core.correct(sci, 60, 2)
    assert before == 4700.0
    assert after == pytest.approx(4700 * (1 - 0.3 * 12.432145e-3), rel=1e-6)
    assert np.abs(sci).max() < 1e-3


def test_a_nan_spoils_what_is_read_after_it():
    sci = image(8)
    sci[2060, 15] = np.nan
    ((before, after),) = core.correct(sci, 52, 2)
    assert np.isnan(before)
    assert np.isnan(after)


@pytest.mark.parametrize(
    ("shape", "n_amp_col", "amp", "code"),
    [
        ((2066, 52), 52, 0, -2),
        ((2067, 52), 22, 0, -2),
        ((2067, 52), 53, 0, -2),
        ((2067, 52), 52, 4, -3),
        ((2067, 52), 52, -1, -3),
        ((1, 1), 1, 0, -2),
    ],
)
def test_what_does_not_fit_is_refused(shape, n_amp_col, amp, code):
    sci = np.ones(shape, np.float32)
    with pytest.raises(KernelError) as caught:
        core.correct(sci, n_amp_col, amp)
    assert caught.value.code == code
    assert (sci == 1).all()


def test_empty_strided_swapped_and_read_only_arrays_are_refused():
    sci = image(9, 2067, 46)
    locked = sci.copy()
    locked.setflags(write=False)
    for bad in (np.zeros((0, 30), np.float32), sci[:, ::2], sci.astype(">f4"), locked):
        with pytest.raises(ValueError, match="."):
            core.correct(bad, 23, 0)


@pytest.mark.parametrize("n_thread", [1, 2, 7])
def test_many_calls_at_once_agree(n_thread):
    sci = image(10)

    def call():
        copy = sci.copy()
        return core.correct(copy, 26, 1), copy

    want = call()
    for got in at_once(n_thread, call):
        assert got[0] == want[0]
        assert same_bits(got[1], want[1])


def test_the_step_takes_letters():
    sci, other = image(11), image(11)
    assert correct_bias_shift(sci, "B", subarray=False) == core.correct(other, 26, 1)
    assert same_bits(sci, other)
    assert SQUARE_ROWS == 2067


def test_the_supported_subarrays():
    """The list S of the description of acsccd."""
    polarizers = {f"WFC{c}-POL{a}{b}" for c in "12" for a in ("0", "60", "120") for b in ("UV", "V")}
    quadrants = {"WFC1-IRAMPQ", "WFC1-MRAMPQ", "WFC2-MRAMPQ", "WFC2-ORAMPQ"}
    assert polarizers | quadrants | {"WFC1A-2K", "WFC1B-2K", "WFC2C-2K", "WFC2D-2K"} == SUBARRAYS
    assert is_supported_subarray("WFC1A-2K")
    assert not is_supported_subarray("WFC1A-1K")
    assert not is_supported_subarray("wfc1a-2k")
