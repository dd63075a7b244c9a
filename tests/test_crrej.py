"""Cosmic-ray rejection: kernels and array functions against their oracle, properties, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from calacs._core import crrej as core
from calacs.dq import DQ
from calacs.errors import InvalidValue, SizeMismatch
from calacs.steps.crrej import (
    Arrays,
    Parameters,
    Shading,
    combine_images,
    effective_times,
    make_shading,
    measure_sky,
    parse_sigmas,
    total_sky,
)
from helpers import at_once, read_only, same_bits
from oracles import crrej as oracle

FLAGS = np.array([1, 2, 3, 4, 5, 8, 9, 10, 16, 20, 24, 32, 64, 256, 4096, 8192, 8200, -32768, -1], np.int16)


def images(seed, n=3, shape=(12, 19), *, bad=0.1, rays=6, level=200.0, times=None, odd=False):
    """[(sci, err, dq, time)] of one scene with noise, cosmic rays and flags of all kinds."""
    rng = np.random.default_rng(seed)
    scene = rng.gamma(1.0, level, shape)
    made = []
    for k in range(n):
        time = 100.0 if times is None else times[k]
        sci = (scene * max(time, 1.0) / 100 + 10 + rng.normal(0, 1, shape) * np.sqrt(scene + 25)).astype(np.float32)
        for _ in range(rays):
            y, x = rng.integers(shape[0]), rng.integers(shape[1])
            sci[y : y + 2, x : x + 3] += np.float32(rng.gamma(1.0, 1500.0)) * rng.random(
                sci[y : y + 2, x : x + 3].shape
            )
        err = np.sqrt(np.abs(sci) + 25).astype(np.float32)
        dq = np.where(rng.random(shape) < bad, rng.choice(FLAGS, shape), 0).astype(np.int16)
        if odd:
            sci[rng.random(shape) < 0.05] = rng.choice([np.nan, np.inf, -np.inf])
            err[rng.random(shape) < 0.05] = rng.choice([0.0, np.nan])
        made.append((sci, err, dq, time))
    return made


def arrays(made):
    return [Arrays(sci, err, dq) for sci, err, dq, _ in made]


def combine(made, parameters, **options):
    return combine_images(arrays(made), [image[3] for image in made], parameters, **options)


def judge(made, p, *, calibration=False, shading=None):
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        times = effective_times([image[3] for image in made])
        made = [(*image[:3], float(time)) for image, time in zip(made, times, strict=True)]
        skies = oracle.sky(made, p.badinpdq) if p.skysub == "mode" else np.zeros(len(made), np.float32)
        guess = (oracle.median if p.median else oracle.minimum)(made, skies, p.badinpdq)
        pair = None if shading is None else (shading.average, shading.threshold)
        sci, err, dq, rejected = oracle.combine(
            made, skies, guess, p.crsigmas, p.crradius, p.crthresh, p.scalense, p.badinpdq, calibration, pair
        )
    return skies, sci, err, dq, rejected


def equal(first, second):
    return first.dtype == second.dtype and np.array_equal(first, second, equal_nan=True)


def check(made, p, **options):
    skies, sci, err, dq, rejected = judge(made, p, **options)
    got = combine(made, p, keep_hits=True, **options)
    assert equal(got.sky, skies)
    assert equal(got.dq, dq)
    assert equal(got.sci, sci)
    assert equal(got.err, err)
    assert got.n_rejected == tuple(int(hits.sum()) for hits in rejected)
    for bits, hits in zip(got.hits, rejected, strict=True):
        assert np.array_equal(np.unpackbits(bits, axis=1)[:, : dq.shape[1]].astype(bool), hits)


@pytest.mark.parametrize("initgues", ["minimum", "median"])
@pytest.mark.parametrize("skysub", ["mode", "none"])
@pytest.mark.parametrize("badinpdq", [39, 0, 4, -1])
@pytest.mark.parametrize("calibration", [False, True])
def test_matches_the_oracle(initgues, skysub, badinpdq, calibration):
    for n in (2, 3, 4):
        p = Parameters((5.0, 4.0, 3.0), initgues=initgues, skysub=skysub, badinpdq=badinpdq)
        check(images(n + badinpdq, n, bad=0.3), p, calibration=calibration)


@pytest.mark.parametrize("radius", [0.0, 0.5, 1.0, 1.5, 2.1, 2.9, 4.0, 30.0])
@pytest.mark.parametrize("thresh", [-1.0, 0.0, 0.5555, 2.0])
def test_neighbors_match_the_oracle(radius, thresh):
    check(images(3, 3, (9, 26), bad=0.2, rays=12), Parameters((4.0, 3.5), radius, thresh))


@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(1, 9), st.integers(1, 40), st.sampled_from([1, 2, 3]))
def test_any_shape_and_oddity_matches_the_oracle(seed, n, n_row, n_col, n_iteration):
    rng = np.random.default_rng(seed)
    times = rng.choice([0.0, 33.3, 100.0, 500.0], n)
    if np.count_nonzero(times) == 1:
        times[:] = 100.0
    p = Parameters(
        tuple(rng.choice([6.5, 5.0, 4.0, 1.5], n_iteration).tolist()),
        float(rng.choice([0.0, 1.0, 2.1, 3.0])),
        float(rng.choice([0.0, 0.5, 1.0])),
        float(rng.choice([0.0, 30.0])),
        str(rng.choice(["min", "med"])),
        str(rng.choice(["mode", "none"])),
        int(rng.choice([39, 0, 8192, -32768])),
    )
    made = images(seed, n, (n_row, n_col), bad=0.2, times=times, odd=True)
    check(made, p, calibration=bool(rng.integers(2)))


@pytest.mark.parametrize("level", [0.5, 30.0, 3000.0, 40000.0])
def test_sky_matches_the_oracle(level):
    made = images(5, 2, (40, 50), level=level)
    got = measure_sky(arrays(made), Parameters((4.0,)))
    assert equal(got, oracle.sky(made, 39))


def test_sky_of_flagged_images():
    sci, err, dq, _ = images(6, 2)[0]
    flagged = np.full_like(dq, 16)
    # Bit 16 is not bad, so that there is a range; but the histogram takes pixels without any flag.
    got = measure_sky([Arrays(sci, err, flagged)] * 2, Parameters((4.0,)))
    assert got[0] == np.trunc(sci.min()) + 0.5
    bad = np.full_like(dq, 1)
    nothing = measure_sky([Arrays(sci, err, bad), Arrays(sci, err, np.zeros_like(dq))], Parameters((4.0,)))
    assert (nothing == np.float32(-2147483648.0)).all()
    assert total_sky(nothing) == 0.0


@pytest.mark.parametrize("block_rows", [1, 2, 3, 5, 7, 100])
@pytest.mark.parametrize("n_threads", [1, 2, 7])
@pytest.mark.parametrize("radius", [0.0, 2.1, 6.0])
def test_tiles_and_threads_change_nothing(block_rows, n_threads, radius):
    made = images(7, 4, (23, 31), times=[100.0, 50.0, 0.0, 100.0])
    p = Parameters((5.0, 4.0, 3.0), radius, initgues="median")
    want = combine(made, p, keep_hits=True)
    got = combine(made, p, keep_hits=True, n_threads=n_threads, block_rows=block_rows)
    assert all(same_bits(getattr(got, name), getattr(want, name)) for name in ("sci", "err", "dq", "sky"))
    assert got.n_rejected == want.n_rejected
    assert all(map(same_bits, got.hits, want.hits))


def test_calls_at_once():
    made = images(8)
    want = combine(made, Parameters((5.0, 4.0)))
    for got in at_once(3, lambda: combine(made, Parameters((5.0, 4.0)), n_threads=2)):
        assert same_bits(got.sci, want.sci)


def test_inputs_stay_as_they_are():
    made = [(*read_only(*image[:3]), image[3]) for image in images(9)]
    before = [[plane.copy() for plane in image[:3]] for image in made]
    combine(made, Parameters((5.0, 4.0)), keep_hits=True)
    assert all(
        same_bits(a, b) for image, old in zip(made, before, strict=True) for a, b in zip(image, old, strict=False)
    )


@pytest.mark.parametrize("ratio", [(1, 1), (2, 1), (2, 2), (3, 4)])
def test_shading_matches_the_oracle(ratio):
    rng = np.random.default_rng(10)
    shape = 12, 18
    reference = rng.normal(0, 1, (12 // ratio[1] + 3, 18 // ratio[0] + 2)).astype(np.float32)
    shading = make_shading(reference, (1, 1), ratio, shape, 3)
    check(images(11, 3, shape), Parameters((5.0, 4.0)), shading=shading)
    if ratio == (1, 1):
        assert same_bits(shading.average, np.ascontiguousarray(reference[1:13, 1:19]))


def test_shading_must_cover_the_image():
    with pytest.raises(SizeMismatch, match="SHADFILE.*do not cover"):
        make_shading(np.zeros((4, 4), np.float32), (0, 0), (1, 1), (5, 4), 3)


# ---- properties


def clean(seed, n, shape=(30, 40), rate=2.0, time=100.0):
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        sci = (rng.poisson(rate * time, shape) + rng.normal(0, 4, shape)).astype(np.float32)
        made.append((sci, np.sqrt(np.maximum(sci, 0) + 16).astype(np.float32), np.zeros(shape, np.int16), time))
    return made


@given(st.integers(0, 10**6), st.integers(3, 5), st.sampled_from(["minimum", "median"]))
def test_a_clean_exposure_rejects_no_more_of_the_others(seed, n, initgues):
    made = clean(seed, n)
    rays = np.random.default_rng(seed).choice(made[0][0].size, (n, 5), replace=False)  # no pixel is hit twice
    for (sci, *_), hit in zip(made, rays, strict=True):
        sci.ravel()[hit] += 3000
    p = Parameters((8.0, 7.0), 0.0, scalense=0.0, initgues=initgues)
    quiet = (np.full_like(made[0][0], 200.0), np.full_like(made[0][1], np.sqrt(216.0)), *made[0][2:])
    before, after = (combine(stack, p, keep_hits=True) for stack in (made, [*made, quiet]))
    for old, new, hit in zip(before.hits, after.hits, rays, strict=False):
        assert not np.any(new & ~old)
        assert np.unpackbits(new, axis=1)[:, : made[0][0].shape[1]].ravel()[hit].all()
    assert after.n_rejected[n] == 0


@given(st.integers(0, 10**6), st.permutations(range(5)), st.sampled_from(["minimum", "median"]), st.booleans())
def test_permutation_changes_nothing_but_roundings(seed, order, initgues, first_stays):
    """The range of the sky is that of the first exposure; and flagged pixels count in the minimum as their order wants."""
    if first_stays:
        order.remove(0)
        order.insert(0, 0)
    bad = 0.1 if initgues == "median" else 0.0
    made = images(seed, 5, bad=bad, times=[50.0, 100.0, 100.0, 200.0, 400.0])
    p = Parameters((5.0, 4.0), initgues=initgues, skysub="mode" if first_stays else "none")
    want, got = (combine([made[i] for i in one], p, keep_hits=True) for one in (range(5), order))
    assert [got.n_rejected[order.index(i)] for i in range(5)] == list(want.n_rejected)
    assert all(same_bits(want.hits[i], got.hits[order.index(i)]) for i in range(5))
    assert same_bits(want.dq, got.dq)
    assert np.allclose(want.sci, got.sci, rtol=1e-5, atol=1e-2)
    assert np.allclose(want.err, got.err, rtol=1e-5)


@given(st.lists(st.floats(0.5, 2000.0, width=32), min_size=2, max_size=6), st.integers(-4, 8))
def test_scaling_exposure_times_scales_the_sum(times, power):
    """Exposures of any lengths of one scene; then all of them longer by a power of 2, which leaves roundings alone."""
    rate = np.random.default_rng(21).gamma(1.0, 5.0, (9, 14)).astype(np.float32)
    made = [
        (rate * np.float32(t), np.sqrt(rate * np.float32(t) + 25), np.zeros(rate.shape, np.int16), t) for t in times
    ]
    p = Parameters((5.0, 4.0), skysub="none")
    got = combine(made, p)
    assert np.allclose(got.sci, rate * sum(times), rtol=1e-5)
    factor = 2.0**power
    longer = combine(
        [(sci * np.float32(factor), err * np.float32(factor), dq, t * factor) for sci, err, dq, t in made], p
    )
    assert same_bits(longer.sci, got.sci * np.float32(factor))
    assert same_bits(longer.err, got.err * np.float32(factor))


@pytest.mark.parametrize("factor", [0.25, 2.0, 8.0])
def test_scaling_the_times_scales_nothing_but_rates(factor):
    """Powers of 2 leave all roundings alone: rates change, sums do not."""
    made = images(13, 3)
    p = Parameters((5.0, 4.0), skysub="none")
    want = combine(made, p)
    got = combine([(*image[:3], image[3] * factor) for image in made], p)
    assert same_bits(want.sci, got.sci)
    assert same_bits(want.err, got.err)
    assert same_bits(want.dq, got.dq)


def test_scaling_the_signal_scales_the_sum():
    made = images(14, 3, bad=0)
    p = Parameters((5.0, 4.0), skysub="none")
    want = combine(made, p)
    got = combine([(image[0] * 4, image[1] * 4, image[2], image[3]) for image in made], p)
    assert same_bits(want.sci * 4, got.sci)
    assert same_bits(want.err * 4, got.err)


def test_equal_exposures_add_up():
    sci, err, dq, _ = clean(1, 1)[0]
    got = combine([(sci, err, dq, 128.0)] * 2, Parameters((5.0,), skysub="none"))
    assert same_bits(got.sci, sci * 2)
    assert np.allclose(got.err, err * np.sqrt(2), rtol=1e-6)
    assert not got.dq.any()
    assert got.n_rejected == (0, 0)


@pytest.mark.parametrize("energy", [3.0, 6.5, 9.0, 14.0])
def test_injected_cosmic_rays_are_found_at_the_rate_of_the_noise_model(energy):
    """Of rays of a given energy, in sigma, as many are found as Gaussian noise lifts above the limit."""
    n, shape, limit = 6, (200, 200), 6.0
    rng = np.random.default_rng(15)
    sigma, level = 20.0, 400.0
    made = []
    for _ in range(n):
        sci = (level + sigma * rng.standard_normal(shape)).astype(np.float32)
        made.append((sci, np.full(shape, sigma, np.float32), np.zeros(shape, np.int16), 100.0))
    hit = rng.random(shape) < 0.02
    made[2][0][hit] += np.float32(energy * sigma)
    p = Parameters((limit,), 0.0, scalense=0.0, initgues="median", skysub="none")
    found = np.unpackbits(combine(made, p, keep_hits=True).hits[2], axis=1).astype(bool)[:, : shape[1]]
    # What a ray must exceed is the median of all six exposures, its own among them.
    pixels = rng.standard_normal((20000, n))
    pixels[:, 2] += energy
    expected = float((pixels[:, 2] - np.median(pixels, axis=1) > limit).mean())
    assert found[hit].mean() == pytest.approx(expected, abs=0.06)
    assert found[~hit].mean() < 1e-3


def test_a_pixel_rejected_everywhere_holds_the_sky():
    made = clean(2, 3)
    for sci, err, *_ in made:
        sci[4, 5], err[4, 5] = 5000.0, 5.0
    made[0][2][4, 5] = 1  # bad in the first exposure: the minimum guess is 0 there
    got = combine(made, Parameters((5.0,), 0.0, scalense=0.0))
    assert got.sci[4, 5] == total_sky(got.sky)
    assert got.err[4, 5] == 0
    assert got.dq[4, 5] == 1
    for sci, *_ in made:
        sci[4, 5] = 0
    made[0][2][4, 5] = 0
    with_flag = [(sci, err, np.where(sci == 0, 8, dq).astype(np.int16), time) for sci, err, dq, time in made]
    assert combine(with_flag, Parameters((5.0,), 0.0)).dq[4, 5] == DQ.COSMIC_RAY | 8


def test_bias_frames_count_a_second_each():
    made = [(*image[:3], 0.0) for image in images(16, 3)]
    check(made, Parameters((5.0, 4.0)), calibration=True)
    assert effective_times([0.0, 0.0]).tolist() == [1.0, 1.0]
    assert effective_times([0.0, 5.0]).tolist() == [0.0, 5.0]


# ---- bad input


@pytest.mark.parametrize(
    ("text", "sigmas"),
    [
        ("6.5,5.5,4.5", (6.5, 5.5, 4.5)),
        ("  4", (4.0,)),
        ("5 4;3/2,1", (5.0, 4.0, 3.0, 2.0, 1.0)),
        ("5,  4, ", (5.0, 4.0)),
        ("-3e0,.5", (-3.0, 0.5)),
        ("", ()),
    ],
)
def test_lists_of_limits(text, sigmas):
    assert parse_sigmas(text) == sigmas


@pytest.mark.parametrize("text", ["a", "5,,4", "+4", "5;x", ",5", "5 ,4"])
def test_bad_lists_of_limits(text):
    with pytest.raises(InvalidValue, match="is not a number"):
        parse_sigmas(text)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"crsigmas": ()}, "no rejection limit"),
        ({"crsigmas": (5.0,) * 21}, "at most 20"),
        ({"crradius": -1.0}, "CRRADIUS = -1"),
        ({"crradius": float("nan")}, "CRRADIUS = nan"),
        ({"skysub": "mean"}, "SKYSUB = 'mean'"),
        ({"badinpdq": 40000}, "BADINPDQ = 40000"),
    ],
)
def test_bad_parameters(changes, text):
    with pytest.raises(InvalidValue, match=text):
        Parameters(**({"crsigmas": (5.0,)} | changes))


def test_bad_lists_of_images():
    made = images(17, 3)
    p = Parameters((5.0,))
    with pytest.raises(InvalidValue, match="1 exposures"):
        combine(made[:1], p)
    with pytest.raises(InvalidValue, match="none may be negative"):
        combine_images(arrays(made), [1.0, -1.0, 1.0], p)
    with pytest.raises(InvalidValue, match="two or more must be above 0"):
        combine_images(arrays(made), [0.0, 1.0, 0.0], p)
    other = images(17, 1, (12, 18))
    with pytest.raises(SizeMismatch, match=r"\(12, 19\) and \(12, 18\)"):
        combine([*made, *other], p)


def test_kernels_refuse_arrays_that_do_not_belong_together():
    f, s = (np.zeros((4, 5), kind) for kind in (np.float32, np.int16))
    rule = (25.0, 0.3, 0.3, 4.41, 3, 39)
    with pytest.raises(ValueError, match="shape"):
        core.scan(f, f[:3], 1.0, 0.0, rule, f, None, 2, s, None)
    with pytest.raises(ValueError, match="shape"):
        core.scan(f, f, 1.0, 0.0, rule, f, f[:2], 2, s, None)
    with pytest.raises(ValueError, match="size or range"):
        core.scan(f, f, 1.0, 0.0, rule, f, None, 5, s, None)
    with pytest.raises(ValueError, match="size or range"):
        core.scan(f, f, 1.0, 0.0, (*rule[:4], -1, 39), f, None, 2, s, None)
    with pytest.raises(ValueError, match="hit"):
        core.merge(s, s, 8192, s.copy(), s.copy(), np.zeros((4, 2), np.uint8))
    with pytest.raises(ValueError, match="result"):
        core.guess([], False, 0, f)
    with pytest.raises(ValueError, match="count"):
        core.mode(np.zeros(5, np.int32), (0.0, 1.0, 5))


@given(hnp.arrays(np.float32, (3, 7), elements=st.floats(-1e6, 1e6, width=32)), st.integers(1, 30))
def test_median_of_equal_images_is_the_image(rate, n):
    guess = np.empty_like(rate)
    core.guess([(rate, np.zeros((3, 7), np.int16), 1.0, 0.0)] * n, True, 39, guess)
    assert np.array_equal(guess, rate)


def test_shading_of_zero_changes_nothing():
    made = images(18, 3)
    zero = np.zeros(made[0][0].shape, np.float32)
    p = Parameters((5.0, 4.0))
    assert same_bits(combine(made, p).sci, combine(made, p, shading=Shading(zero, zero)).sci)
