"""Charge-transfer efficiency: kernels of each instruction set against the oracle, threads, physics, bad input."""

import functools
import signal
import subprocess
import sys
import threading
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calacs import cte
from calacs._core import cte as core
from calacs.errors import InvalidValue, SizeMismatch, TableError
from helpers import at_once, read_only, same_bits
from oracles import cte as oracle

ISAS = cte.available_isas()
isas = pytest.mark.parametrize("isa", ISAS)


def make_model(n_level=24, n_tail=20, top=2000.0, capture=1.0, **options):
    """Levels rising as a square, trails that fall as a power law."""
    charge = np.rint(top * (np.arange(n_level) / n_level) ** 2)
    age = np.arange(1, n_tail + 1)
    power = 0.6 + 0.4 * np.linspace(0, 1, n_level)[:, None]
    release = age**-power - (age + 1.0) ** -power
    held = (age + 1.0) ** -power
    return cte.TrapModel(
        charge, np.full(n_level, capture), release, held, **{"n_transfer": 3, "n_iteration": 3} | options
    )


def make_scene(seed, n_col, n_row, sky=20.0, noise=4.0, n_star=6, peak=3000.0):
    """Sky with stars and hot pixels, read noise included, float32 (n_col, n_row)."""
    random = np.random.default_rng(seed)
    scene = random.poisson(sky, (n_col, n_row)).astype(float)
    for _ in range(n_star):
        u, v = random.integers(0, n_col), random.integers(0, n_row)
        scene[u, v] += random.exponential(peak)
        scene[max(u - 1, 0) : u + 2, max(v - 1, 0) : v + 2] += random.exponential(peak / 20)
    return (scene + random.normal(0, noise, scene.shape)).astype(np.float32)


def make_traps(seed, n_col, n_row, *, falling=0, scale=1.0):
    """Trap density that rises along the rows, but for `falling` drops a column."""
    random = np.random.default_rng(seed)
    index = np.arange(n_col)
    traps = cte.trap_map((n_col, n_row), index, random.uniform(0.9, 1.1, (n_col, 4)), fraction=scale).density
    for column in traps if falling else ():
        for row in random.integers(0, n_row, falling):
            column[row:] *= np.float32(random.uniform(0.3, 0.99))
    return traps


# smoothing


@isas
@pytest.mark.parametrize(
    ("shape", "sky", "noise"),
    [
        ((7, 60), 20.0, 4.0),
        ((5, 131), 0.5, 4.3),
        ((9, 33), 200.0, 5.0),
        ((4, 300), 0.0, 3.9),
        ((3, 3), 5.0, 4.0),
        ((4, 2048), 1.0, 4.2),
        ((1100, 16), 20.0, 4.2),
    ],
)
def test_smoothing_matches_the_oracle(isa, shape, sky, noise):
    image = make_scene(1, *shape, sky=sky, noise=noise)
    got = cte.smooth(image, noise, isa=isa)
    want, n_iteration, rms = oracle.smooth(image, noise)
    assert same_bits(got.image, want)
    assert got.n_iteration == n_iteration
    assert got.rms == pytest.approx(rms, rel=1e-8)


@isas
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 2), (2, 17), (17, 2)])
def test_narrow_images_are_smoothed_as_far_as_they_go(isa, shape):
    image = make_scene(2, *shape)
    assert same_bits(cte.smooth(image, 4.0, isa=isa).image, oracle.smooth(image, 4.0)[0])


@isas
@pytest.mark.parametrize("image", ["flat", "zero", "huge", "tiny", "mixed", "bright", "bright and faint"])
def test_smoothing_of_images_beyond_the_common_range(isa, image):
    random = np.random.default_rng(3)
    values = {
        "flat": np.full((6, 40), 17.25),
        "zero": np.zeros((6, 40)),
        "huge": random.normal(0, 1e20, (6, 40)),
        "tiny": random.normal(0, 1e-20, (6, 40)),
        "mixed": random.choice([0.0, -0.0, 1e-30, 0.1, -0.1, 20.0, 8e4, 1e12], (6, 40)),
        "bright": make_scene(33, 6, 200, sky=100.0, noise=3.0, n_star=40, peak=8e4),
        "bright and faint": make_scene(34, 6, 200, n_star=40, peak=8e4) * random.choice([1.0, 1e-7], (6, 200)),
    }[image].astype(np.float32)
    assert same_bits(cte.smooth(values, 4.2, isa=isa).image, oracle.smooth(values, 4.2)[0])


@isas
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_pixel_that_is_no_number_spreads_as_in_the_definition(isa, bad):
    image = make_scene(4, 8, 70)
    image[3, 20] = bad
    got, want = cte.smooth(image, 4.0, isa=isa).image, oracle.smooth(image, 4.0)[0]
    assert np.array_equal(got, want, equal_nan=True)


@isas
def test_a_dark_frame_smooths_for_all_iterations(isa):
    image = make_scene(5, 16, 90, sky=0.05, noise=1.0, n_star=2)
    got = cte.smooth(image, 4.0, isa=isa)
    assert got.n_iteration == oracle.smooth(image, 4.0)[1] == cte.MAX_SMOOTHING
    assert same_bits(got.image, oracle.smooth(image, 4.0)[0])


def test_the_image_is_not_smoothed_below_a_tenth_of_an_electron_of_noise():
    image = make_scene(6, 5, 30)
    got = cte.smooth(image, 0.09)
    assert same_bits(got.image, image)
    assert got.image is not image
    assert got.n_iteration == 0


@isas
@pytest.mark.parametrize("noise", [1e-3, 0.1, 1e6, 1e60, 1e100])
def test_smoothing_with_any_read_noise(isa, noise):
    image = make_scene(32, 5, 70, noise=min(noise, 100.0))
    got = cte.smooth(image, noise, isa=isa)
    want = (image, 0, 0.0) if noise < cte.MIN_READ_NOISE else oracle.smooth(image, noise)
    assert same_bits(got.image, want[0])
    assert got.n_iteration == want[1]
    assert got.rms == pytest.approx(want[2], rel=1e-6)


@pytest.mark.parametrize("noise", [4.0, 200.0])
def test_smoothing_ends_at_the_official_iteration_at_the_very_threshold(noise):
    image = make_scene(33, 10, 50, noise=noise, n_star=0)
    few = many = 0.75 * noise
    n_iteration = oracle.smooth(image, few)[1]
    assert n_iteration < 90
    while oracle.smooth(image, many)[1] == n_iteration:
        many *= 1.005
    while few < (middle := (few + many) / 2) < many:
        few, many = (middle, many) if oracle.smooth(image, middle)[1] == n_iteration else (few, middle)
    for value in (few, many):
        want = oracle.smooth(image, value)
        for isa in ISAS:
            for n_threads in (1, 3):
                got = cte.smooth(image, value, isa=isa, n_threads=n_threads)
                assert got.n_iteration == want[1]
                assert same_bits(got.image, want[0])


@isas
@pytest.mark.parametrize("n_threads", [2, 3, 7])
def test_smoothing_does_not_depend_on_threads(isa, n_threads):
    image = make_scene(7, 50, 64)
    one = cte.smooth(image, 4.0, isa=isa)
    many = cte.smooth(image, 4.0, n_threads=n_threads, isa=isa)
    assert same_bits(one.image, many.image)
    assert (one.n_iteration, one.rms) == (many.n_iteration, many.rms)


@pytest.mark.parametrize(
    ("history", "guess"),
    [
        ([1.0, 2.0], 8),  # too few steps to tell
        ([4.0, 3.0, 2.0, 1.0], 8),  # no rise
        ([0.0, 1.0, 1.5, 1.75], 2),  # halves: 1.875, 1.9375
        ([0.0, 1.0, 1.9, 2.7], 1),
        ([0.0, 0.1, 0.15, 0.175], 8),  # ends below the goal
    ],
)
def test_the_iterations_that_remain_are_foreseen(history, guess):
    assert cte._remaining(history, 1.9, 8) == guess


def test_the_sum_of_squares_follows_the_official_order():
    image = make_scene(8, 30, 64)
    smoothed = cte.smooth(image, 4.0)
    assert cte._core.smooth_rms(image, smoothed.image)[1] > 0
    total, n = cte._core.smooth_rms(image, smoothed.image)
    assert np.sqrt(total / n) == oracle.smooth(image, 4.0)[2]


# trap map


@pytest.mark.parametrize("start", [0, 1])
def test_the_trap_map_matches_the_oracle(start):
    random = np.random.default_rng(9)
    index, nodes = np.arange(start, start + 12), random.uniform(0.5, 1.5, (12, 4))
    got = cte.trap_map((10, 2100), index, nodes, first=2, fraction=1.3)
    density, covered = oracle.trap_map((10, 2100), index, nodes, 2, 1.3)
    assert same_bits(got.density, density)
    assert same_bits(got.covered, covered)
    assert covered.all() == (start == 0 or not covered[-1] or bool(covered.all()))


def test_columns_without_an_entry_have_no_traps():
    got = cte.trap_map((4, 8), [1, 2], np.ones((2, 4)))
    assert got.covered.tolist() == [False, True, True, False]
    assert not got.density[0].any()
    assert got.density[1].all()


# readout and its inverse

CASES = {
    "60 rows": {"shape": (9, 60)},
    "sky 0.5": {"shape": (5, 130), "sky": 0.5},
    "sky 200": {"shape": (5, 130), "sky": 200.0},
    "trail 5": {"shape": (5, 150), "n_tail": 5},
    "trail 100": {"shape": (5, 300), "n_tail": 100},
    "trail beyond the column": {"shape": (4, 40), "n_tail": 60},
    "falling": {"shape": (6, 200), "falling": 4},
    "falling often": {"shape": (4, 130), "falling": 60},
    "top of the table": {"shape": (5, 130), "top": 300.0, "n_star": 30},
    "many levels": {"shape": (3, 140), "n_level": 70, "top": 60.0},
    "deep traps": {"shape": (6, 160), "capture": 60.0, "sky": 1.0, "n_star": 20},
    "one level": {"shape": (4, 70), "n_level": 1},
    "one row": {"shape": (4, 1)},
    "unequal captures": {"shape": (4, 130), "capture": None},
    "unequal captures, falling": {"shape": (4, 200), "capture": None, "falling": 4, "sky": 100.0},
    "unequal captures, sparse": {"shape": (4, 200), "capture": None, "sky": 0.5, "n_star": 3, "n_tail": 70},
    "negative density": {"shape": (4, 130), "scale": -1.0},
    "dense density": {"shape": (4, 130), "scale": 40.0},
    "all at once": {
        "shape": (3, 200),
        "falling": 3,
        "n_tail": 100,
        "n_level": 12,
        "capture": 60.0,
        "sky": 0.5,
        "n_star": 20,
        "top": 300.0,
    },
}


def make_case(name):
    """(image, traps, model)."""
    case = {"n_level": 24, "n_tail": 20, "top": 2000.0, "capture": 1.0, "falling": 0, "scale": 5.0} | CASES[name]
    shape = case.pop("shape")
    falling, scale = case.pop("falling"), case.pop("scale")
    options = {key: case.pop(key) for key in ("n_level", "n_tail", "top", "capture")}
    if options["capture"] is None:
        options["capture"] = np.linspace(0.5, 1.5, options["n_level"])
    return make_scene(10, *shape, **case), make_traps(11, *shape, falling=falling, scale=scale), make_model(**options)


@functools.cache
def wanted(what, name):
    """What the oracle makes of a case."""
    image, traps, model = make_case(name)
    return oracle.forward(image, traps, model) if what == "forward" else oracle.inverse(image, traps, model, 4.0)


@isas
@pytest.mark.parametrize("name", CASES)
def test_the_readout_matches_the_oracle(isa, name):
    image, traps, model = make_case(name)
    assert same_bits(cte.forward(image, traps, model, isa=isa), wanted("forward", name))


@isas
@pytest.mark.parametrize("name", CASES)
def test_the_inverse_matches_the_oracle(isa, name):
    image, traps, model = make_case(name)
    got = cte.inverse(image, traps, model, 4.0, isa=isa)
    want, n_run = wanted("inverse", name)
    assert same_bits(got.image, want)
    assert got.n_run.tolist() == n_run.tolist()


def test_columns_with_many_readout_cosmic_rays():
    image, traps, model = make_case("deep traps")
    for column in image:
        column[15::23] += 400.0
    want, n_run = oracle.inverse(image, traps, model, 4.0)
    assert n_run.max() == 5
    without = replace(model, fix_cosmic_rays=False)
    plain = oracle.inverse(image, traps, without, 4.0)[0]
    for isa in ISAS:
        got = cte.inverse(image, traps, model, 4.0, isa=isa)
        assert same_bits(got.image, want)
        assert got.n_run.tolist() == n_run.tolist()
        assert same_bits(cte.inverse(image, traps, without, 4.0, isa=isa).image, plain)


def test_a_whole_column():
    image = make_scene(12, 2, 2048, n_star=25)
    traps, model = make_traps(13, 2, 2048), make_model(n_level=8, n_tail=60, n_transfer=2, n_iteration=2)
    want = oracle.inverse(image, traps, model, 4.0)[0]
    for isa in ISAS:
        assert same_bits(cte.inverse(image, traps, model, 4.0, isa=isa).image, want)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -0.0, 3e38])
def test_odd_pixels_go_through_the_definition(bad):
    image, traps, model = make_scene(14, 5, 130), make_traps(15, 5, 130, scale=5.0), make_model(n_level=10)
    image[2, 64] = bad
    with np.errstate(over="ignore"):
        restored, read = oracle.inverse(image, traps, model, 4.0)[0], oracle.forward(image, traps, model)
    for isa in ISAS:
        assert np.array_equal(cte.inverse(image, traps, model, 4.0, isa=isa).image, restored, equal_nan=True)
        assert np.array_equal(cte.forward(image, traps, model, isa=isa), read, equal_nan=True)


def test_pixels_exactly_at_a_level_capture():
    model = make_model()
    image = np.random.default_rng(16).choice(model.charge, (6, 200)).astype(np.float32)
    traps = make_traps(17, 6, 200, scale=5.0)
    want = oracle.forward(image, traps, model)
    for isa in ISAS:
        assert same_bits(cte.forward(image, traps, model, isa=isa), want)


@pytest.mark.parametrize("seed", range(12))
def test_random_problems_match_the_oracle(seed):
    random = np.random.default_rng([34, seed])
    shape = int(random.integers(1, 5)), int(random.integers(1, 150))
    image = make_scene(seed, *shape, sky=10 ** random.uniform(-1, 2.5), n_star=int(random.integers(0, 20)))
    traps = make_traps(seed, *shape, falling=int(random.integers(0, 6)), scale=random.uniform(0.1, 40))
    model = make_model(
        n_level=int(random.integers(1, 20)),
        n_tail=int(random.integers(1, 110)),
        top=10 ** random.uniform(1, 4),
        capture=random.uniform(0.1, 60),
        n_transfer=int(random.integers(1, 4)),
        n_iteration=int(random.integers(0, 4)),
        oversubtraction=random.uniform(-12, 0),
    )
    if seed % 2:
        model = replace(model, capture=model.capture * random.choice([0.0, 0.5, 1.0, 1.7], model.n_level))
    read, (restored, n_run) = oracle.forward(image, traps, model), oracle.inverse(image, traps, model, 4.0)
    for isa in ISAS:
        got = cte.inverse(image, traps, model, 4.0, isa=isa)
        assert same_bits(got.image, restored)
        assert got.n_run.tolist() == n_run.tolist()
        assert same_bits(cte.forward(image, traps, model, isa=isa), read)


@pytest.mark.parametrize("capture", [1e-310, 1e155, 1e300])
def test_captures_whose_squares_leave_the_range_go_through_the_definition(capture):
    image, traps = make_scene(35, 4, 100), make_traps(36, 4, 100, scale=5.0)
    model = make_model(n_level=6, n_tail=8, capture=capture, top=300.0)
    with np.errstate(over="ignore"):
        restored, read = oracle.inverse(image, traps, model, 4.0)[0], oracle.forward(image, traps, model)
    for isa in ISAS:
        assert np.array_equal(cte.inverse(image, traps, model, 4.0, isa=isa).image, restored, equal_nan=True)
        assert np.array_equal(cte.forward(image, traps, model, isa=isa), read, equal_nan=True)


@pytest.mark.parametrize("n_star", [1, 2, 5, 20])
@pytest.mark.parametrize("n_tail", [3, 60, 100])
def test_the_same_few_rows_capture_in_many_levels(n_star, n_tail):
    image = make_scene([37, n_star], 1, 200, sky=5.0, noise=1.0, n_star=n_star, peak=2e4)
    traps, model = make_traps(38, 1, 200, falling=1), make_model(100, n_tail, 3e4, n_transfer=2, n_iteration=2)
    read, restored = oracle.forward(image, traps, model), cte.inverse(image, traps, model, 4.0, isa="scalar").image
    for isa in ISAS:
        assert same_bits(cte.forward(image, traps, model, isa=isa), read)
        assert same_bits(cte.inverse(image, traps, model, 4.0, isa=isa).image, restored)


@pytest.mark.parametrize("seed", range(25))
def test_instruction_sets_agree_on_random_problems(seed):
    random = np.random.default_rng(seed)
    shape = int(random.integers(1, 6)), int(random.integers(1, 400))
    image = make_scene(
        seed, *shape, sky=10 ** random.uniform(-1, 2.5), noise=random.uniform(0.5, 6), peak=10 ** random.uniform(1, 5)
    )
    traps = make_traps(seed, *shape, falling=int(random.integers(0, 4)), scale=random.uniform(0.1, 40))
    model = make_model(
        n_level=int(random.integers(1, 60)),
        n_tail=int(random.integers(1, 110)),
        top=10 ** random.uniform(1, 4.5),
        capture=random.uniform(0.1, 5),
        n_transfer=int(random.integers(1, 8)),
        n_iteration=int(random.integers(0, 6)),
    )
    if seed % 3 == 0:
        model = replace(model, capture=model.capture * random.uniform(0, 2, model.n_level))
    smooth, restored, read = (
        [run(isa) for isa in ISAS]
        for run in (
            lambda isa: cte.smooth(image, 4.0, isa=isa).image,
            lambda isa: cte.inverse(image, traps, model, 4.0, isa=isa).image,
            lambda isa: cte.forward(image, traps, model, isa=isa),
        )
    )
    for results in (smooth, restored, read):
        assert all(same_bits(results[0], result) for result in results[1:])


def test_a_column_alone_is_a_column_among_others():
    image, traps, model = make_case("falling")
    together = cte.inverse(image, traps, model, 4.0)
    for u in range(len(image)):
        alone = cte.inverse(image[u : u + 1], traps[u : u + 1], model, 4.0)
        assert same_bits(alone.image[0], together.image[u])
        assert same_bits(cte.forward(image[u : u + 1], traps[u : u + 1], model)[0], cte.forward(image, traps, model)[u])


@isas
@pytest.mark.parametrize("n_threads", [2, 3, 7])
def test_results_do_not_depend_on_threads(isa, n_threads, monkeypatch):
    image, traps, model = make_scene(18, 70, 90), make_traps(19, 70, 90, falling=1, scale=5.0), make_model()
    model = replace(model, capture=np.linspace(0.5, 1.5, 24)) if n_threads == 3 else model
    one, read = cte.inverse(image, traps, model, 4.0, isa=isa), cte.forward(image, traps, model, isa=isa)
    monkeypatch.setattr(cte, "_TASK", 3000)  # tasks of a few columns
    many = cte.inverse(image, traps, model, 4.0, n_threads=n_threads, isa=isa)
    assert same_bits(one.image, many.image)
    assert same_bits(one.n_run, many.n_run)
    assert same_bits(read, cte.forward(image, traps, model, n_threads=n_threads, isa=isa))


def test_slow_columns_are_taken_a_few_at_a_time(monkeypatch):
    image, traps, model = make_case("falling")
    want = cte.inverse(image, traps, model, 4.0).image
    monkeypatch.setattr(cte, "_SPELL", 0.0)
    calls = []
    got = cte.inverse(image, traps, model, 4.0, progress=lambda *call: calls.append(call))
    assert calls == [("inverse", done, len(image)) for done in range(1, len(image) + 1)]
    assert same_bits(got.image, want)


def test_no_threads_stand_for_all_processors():
    image = make_scene(37, 9, 40)
    assert same_bits(cte.smooth(image, 4.0, n_threads=0).image, cte.smooth(image, 4.0).image)


def test_calls_at_once_do_not_meet():
    image, traps, model = make_case("falling")
    results = at_once(4, lambda: cte.inverse(image, traps, model, 4.0, n_threads=2).image)
    assert all(same_bits(results[0], result) for result in results[1:])


def test_inputs_may_be_read_only_and_stay():
    image, traps, model = make_case("60 rows")
    frozen = read_only(image, traps)
    cte.inverse(*frozen, model, 4.0)
    cte.forward(*frozen, model)
    cte.smooth(frozen[0], 4.0)
    assert same_bits(frozen[0], image)
    assert same_bits(frozen[1], traps)


@pytest.mark.parametrize("convert", [lambda a: a.astype(">f4"), lambda a: a.astype("f8"), lambda a: a.T.copy().T])
def test_other_layouts_are_converted(convert):
    image, traps, model = make_case("60 rows")
    assert same_bits(cte.forward(convert(image), convert(traps), model), cte.forward(image, traps, model))
    assert same_bits(cte.smooth(convert(image), 4.0).image, cte.smooth(image, 4.0).image)


def test_results_go_into_arrays_that_are_given():
    image, traps, model = make_case("60 rows")
    out, work = np.full_like(image, np.nan), (np.full_like(image, np.nan), np.full_like(image, np.nan))
    assert cte.forward(image, traps, model, out=out) is out
    assert same_bits(out, cte.forward(image, traps, model))
    assert cte.inverse(image, traps, model, 4.0, out=out).image is out
    assert same_bits(out, cte.inverse(image, traps, model, 4.0).image)
    for noise in (4.0, 0.05):
        smoothed = cte.smooth(image, noise, work=work).image
        assert any(smoothed is array for array in work)
        assert same_bits(smoothed, cte.smooth(image, noise).image)
    nodes = np.ones((2, 4))
    assert cte.trap_map(image.shape, [0, 2], nodes, out=out).density is out
    assert same_bits(out, cte.trap_map(image.shape, [0, 2], nodes).density)


@pytest.mark.parametrize(
    ("out", "error", "text"),
    [
        (lambda image: image.astype(float), SizeMismatch, "float64"),
        (lambda image: image[:, :-1].copy(), SizeMismatch, "give a writable C-contiguous float32 array"),
        (lambda image: np.asfortranarray(image), SizeMismatch, "C-contiguous"),
        (lambda image: read_only(image.copy())[0], SizeMismatch, "writable"),
        (lambda image: image.tolist(), SizeMismatch, "list"),
        (lambda image: image, InvalidValue, "shares memory"),
    ],
)
def test_arrays_unfit_for_a_result_are_refused(out, error, text):
    image, traps, model = make_case("60 rows")
    for call in (
        lambda out: cte.forward(image, traps, model, out=out),
        lambda out: cte.inverse(image, traps, model, 4.0, out=out),
        lambda out: cte.smooth(image, 4.0, work=(np.empty_like(image), out)),
    ):
        with pytest.raises(error, match=text):
            call(out(image))
    array = np.empty_like(image)
    with pytest.raises(InvalidValue, match=r"work\[1\] shares memory"):
        cte.smooth(image, 4.0, work=(array, array))
    with pytest.raises(InvalidValue, match="out shares memory"):
        cte.forward(array.view(">f4"), traps, model, out=array)
    with pytest.raises(SizeMismatch, match="work has 3 arrays"):
        cte.smooth(image, 4.0, work=(array, array, array))


def test_empty_images_are_returned_empty():
    model = make_model()
    for shape in ((0, 5), (5, 0), (0, 0)):
        image = np.zeros(shape, np.float32)
        assert cte.forward(image, image, model).shape == shape
        assert cte.inverse(image, image, model, 4.0).image.shape == shape
        assert cte.smooth(image, 4.0).image.shape == shape


# recombination


@pytest.mark.parametrize("view", [lambda a: a, lambda a: a[::-1], lambda a: a[:, ::-1], lambda a: a[::-1, ::-1]])
@pytest.mark.parametrize("turn", [False, True])
def test_corrections_go_into_views_of_any_orientation(view, turn):
    shape = (40, 60)
    image, traps, model = make_scene(20, *shape), make_traps(21, *shape, scale=5.0), make_model()
    plane, error = (np.zeros((60, 80) if turn else (40, 120), np.float32) for _ in range(2))
    sci, err = ((p[:, 20:60].T if turn else p[:, 30:90]) for p in (plane, error))
    sci, err = view(sci), view(err)
    sci[:], err[:] = image, 3.0
    done = cte.correct(sci, err, traps, model, 4.0)
    smoothed = cte.smooth(image, 4.0)
    restored = cte.inverse(smoothed.image, traps, model, 4.0)
    want_sci, want_err = oracle.combine(restored.image, smoothed.image, image, np.full(shape, 3.0, np.float32))
    assert same_bits(sci, want_sci)
    assert same_bits(err, want_err)
    assert done.n_iteration == smoothed.n_iteration
    assert np.count_nonzero(plane) <= 40 * 60


@pytest.mark.parametrize("shape", [(3, 4500), (200, 70), (70, 200)])
@pytest.mark.parametrize("step", [(1, 1), (1, -1), (-1, 1), (-1, -1), (2, 3), (-3, 2)])
@pytest.mark.parametrize("turn", [False, True])
def test_corrections_of_any_size_are_put_down_in_any_direction(shape, step, turn):
    random = np.random.default_rng(39)
    view = (slice(None, None, step[0]), slice(None, None, step[1]))
    planes = random.uniform(1, 50, (2, 2, abs(step[0]) * shape[0], abs(step[1]) * shape[1])).astype(np.float32)
    if turn:
        planes = planes.swapaxes(2, 3).copy().swapaxes(2, 3)
    (sci, err), (restored, smoothed) = planes[0], np.ascontiguousarray(planes[1, :, : shape[0], : shape[1]])
    delta = restored - smoothed
    want = [plane.copy() for plane in (sci, err)]
    want[0][view] += delta
    want[1][view] = np.sqrt((err[view] * err[view]).astype(float) + (0.1 * np.abs(delta.astype(float))) ** 2)
    cte.combine(restored, smoothed, sci[view], err[view])
    assert same_bits(sci, want[0])
    assert same_bits(err, want[1])
    gathered = np.empty(shape, np.float32)
    core.gather(sci[view], gathered)
    assert same_bits(gathered, sci[view])


def test_a_simulation_in_place_is_the_readout():
    image, traps, model = make_case("60 rows")
    sci, err = image.copy(), np.full_like(image, 2.0)
    cte.correct(sci, err, traps, model, 4.0, simulate=True)
    read = oracle.forward(image, traps, model)
    assert same_bits(sci, image + (read - image))
    assert (err >= 2.0).all()


# physics


@pytest.mark.parametrize("falling", [0, 3])
@pytest.mark.parametrize(("n_tail", "sky", "scale"), [(20, 20.0, 1.0), (5, 0.5, 10.0), (100, 200.0, 3.0)])
def test_charge_is_never_created(falling, n_tail, sky, scale):
    image, model = make_scene(22, 20, 400, noise=0.0, sky=sky), make_model(n_tail=n_tail)
    traps = make_traps(23, 20, 400, falling=falling, scale=scale)
    image = np.maximum(image, 0)
    read = cte.forward(image, traps, model).astype(float)
    assert (read.sum(axis=1) <= image.astype(float).sum(axis=1) + 1e-3).all()
    ends = np.cumsum(read - image, axis=1)
    assert (ends <= 1e-3).all(), "charge moved toward the register"


def test_a_restored_image_reads_out_as_the_given_one():
    scene = make_scene(24, 30, 300, sky=30.0, noise=0.0, n_star=15, peak=2000.0)
    traps, model = make_traps(25, 30, 300), make_model(top=3000.0, n_iteration=8, fix_cosmic_rays=False)
    read = cte.forward(scene, traps, model)
    restored = cte.inverse(read, traps, model, 0.2).image
    # A packet may end on the other side of a level: within what one level captures in one sub-step.
    bound = model.capture.max() / model.n_transfer * traps.max()
    assert np.abs(read - scene).max() > 5 * bound
    assert np.abs(cte.forward(restored, traps, model) - read).max() < bound
    lost, left = np.abs(read - scene).sum(), np.abs(restored - scene).sum()
    assert left < 0.05 * lost


def test_no_traps_do_nothing():
    image, model = make_scene(26, 5, 80), make_model()
    traps = np.zeros_like(image)
    assert same_bits(cte.forward(image, traps, model), image + np.float32(0))
    assert same_bits(cte.inverse(image, traps, model, 4.0).image, image)


# progress and cancelling


def test_progress_is_told_in_the_calling_thread():
    image, traps, model = make_scene(27, 100, 40), make_traps(28, 100, 40), make_model()
    calls = []

    def progress(stage, done, total):
        calls.append((stage, done, total, threading.current_thread() is threading.main_thread()))

    cte.smooth(image, 4.0, progress=progress)
    cte.inverse(image, traps, model, 4.0, n_threads=3, progress=progress)
    assert {stage for stage, *_ in calls} == {"smooth", "inverse"}
    assert all(main for *_, main in calls)
    assert calls[-1][:3] == ("inverse", 100, 100)
    dones = [done for stage, done, *_ in calls if stage == "inverse"]
    assert dones == sorted(dones)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_an_exception_from_progress_ends_the_call(n_threads):
    image, traps, model = make_scene(29, 200, 600), make_traps(30, 200, 600), make_model()

    class Enough(Exception):
        pass

    def progress(stage, done, total):
        raise Enough

    for call in (cte.inverse, cte.forward):
        noise = (4.0,) if call is cte.inverse else ()
        with pytest.raises(Enough):
            call(image, traps, model, *noise, n_threads=n_threads, progress=progress)
    with pytest.raises(Enough):
        cte.smooth(image, 4.0, n_threads=n_threads, progress=progress)
    sci, err = image.copy(), np.ones_like(image)
    with pytest.raises(Enough):
        cte.correct(sci, err, traps, model, 4.0, n_threads=n_threads, progress=progress)
    assert same_bits(sci, image)
    assert (err == 1).all()


INTERRUPTED = """
import signal, sys, time
sys.path.insert(0, {folder!r})
from test_cte import cte, make_model, make_scene, make_traps
image, traps = make_scene(31, 2000, 600), make_traps(32, 2000, 600, scale=5.0)
model = make_model(n_level=200, n_transfer=20, n_iteration=20, capture={capture})
def interrupt(*_):
    global spent
    spent = time.process_time()
    raise KeyboardInterrupt
signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, 0.5)
try:
    cte.inverse(image, traps, model, 4.0, n_threads={n_threads})
except KeyboardInterrupt:
    print(time.process_time() - spent)
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
@pytest.mark.parametrize("capture", [1.0, -0.001], ids=["vectors", "plain"])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_ctrl_c_ends_a_long_call_within_a_second(n_threads, capture):
    # In a process of its own: the signal may come at any place, also where pytest would swallow it.
    code = INTERRUPTED.format(folder=str(Path(__file__).parent), n_threads=n_threads, capture=capture)
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.stdout, finished.stderr
    # Processor time, not to depend on what else the machine does.
    assert float(finished.stdout) < 1.0 * n_threads


# bad input


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"charge": [0.0, 5.0, 3.0]}, TableError, r"charge\[2\] = 3 is below charge\[1\] = 5; sort"),
        ({"charge": [0.0, np.nan, 3.0]}, TableError, r"charge\[1\] is nan; every entry must be finite"),
        ({"charge": []}, TableError, "charge has shape"),
        ({"capture": [1.0, 1.0]}, TableError, "capture has 2 levels, charge 3"),
        ({"release": np.zeros((3, 0))}, TableError, "release has shape"),
        ({"release": np.zeros(3)}, TableError, "release has shape"),
        ({"held": np.zeros((3, 9))}, TableError, "release has shape"),
        ({"held": np.full((3, 4), np.inf)}, TableError, r"held\[0, 0\] is inf"),
        ({"n_transfer": 0}, InvalidValue, "PCTENPAR"),
        ({"n_transfer": 2.5}, InvalidValue, r"n_transfer \(PCTENPAR\) is 2.5; give a whole number"),
        ({"n_iteration": 1.5}, InvalidValue, "PCTENFOR"),
        ({"oversubtraction": np.nan}, InvalidValue, "PCTETRSH"),
    ],
)
def test_bad_models_are_refused(change, error, text):
    good = {"charge": [0.0, 1.0, 2.0], "capture": np.ones(3), "release": np.zeros((3, 4)), "held": np.zeros((3, 4))}
    with pytest.raises(error, match=text):
        cte.TrapModel(**good | change)


def test_models_are_frozen():
    model = make_model()
    with pytest.raises(AttributeError):
        model.n_transfer = 2
    with pytest.raises(ValueError, match="read-only"):
        model.charge[0] = 1.0
    assert (model.n_level, model.n_tail) == (24, 20)


def test_bad_arguments_are_refused():
    image, traps, model = make_case("60 rows")
    for noise in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InvalidValue, match="read_noise"):
            cte.inverse(image, traps, model, noise)
    for noise in (-1.0, np.nan):
        with pytest.raises(InvalidValue, match="read_noise"):
            cte.smooth(image, noise)
    with pytest.raises(InvalidValue, match="read_noise=1e-170"):
        cte.inverse(image, traps, model, 1e-170)
    with pytest.raises(InvalidValue, match="n_threads=-1"):
        cte.forward(image, traps, model, n_threads=-1)
    with pytest.raises(InvalidValue, match="choose 'auto' or one of scalar"):
        cte.smooth(image, 4.0, isa="mmx")
    with pytest.raises(SizeMismatch, match="2-D"):
        cte.smooth(image[0], 4.0)
    with pytest.raises(SizeMismatch, match="one density a pixel"):
        cte.forward(image, traps[1:], model)
    with pytest.raises(SizeMismatch, match="strides"):
        cte.combine(image, image, image.copy(), np.ones(image.shape[::-1], np.float32).T)
    with pytest.raises(SizeMismatch, match="float32"):
        cte.combine(image, image, image.copy(), np.ones(image.shape))
    with pytest.raises(SizeMismatch, match="restored"):
        cte.combine(image[1:], image, image.copy(), image.copy())
    with pytest.raises(SizeMismatch, match="n_entry"):
        cte.trap_map((3, 4), [0, 1], np.ones((2, 3)))
    for index in (2**32, 1.5, np.nan):
        with pytest.raises(TableError, match=r"index\[1\] is .*; column numbers are whole"):
            cte.trap_map((3, 4), np.array([0, index]), np.ones((2, 4)))
    with pytest.raises(InvalidValue, match="CTEDATE"):
        cte.trap_map((3, 4), [0], np.ones((1, 4)), fraction=np.inf)
    with pytest.raises(TableError, match=r"nodes\[0\]"):
        cte.trap_map((3, 4), [0], np.full((1, 4), np.nan))


def packed(image):
    """A view whose elements do not lie at multiples of their size."""
    record = np.zeros(image.shape, [("value", "f4"), ("flag", "i2")])
    record["value"] = image
    return record["value"]


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (lambda sci, err, traps: (sci.tolist(), err, traps), SizeMismatch, "sci is list"),
        (lambda sci, err, traps: (sci.astype("f8"), err, traps), SizeMismatch, "sci is float64"),
        (lambda sci, err, traps: (sci, err.astype(">f4"), traps), SizeMismatch, "err is >f4"),
        (lambda sci, err, traps: (sci, err[1:], traps), SizeMismatch, "they must agree"),
        (lambda sci, err, traps: (sci, err.T.copy().T, traps), SizeMismatch, "views made alike"),
        (lambda sci, err, traps: (sci, sci, traps), InvalidValue, "sci and err share memory"),
        (lambda sci, err, traps: (*read_only(sci), err, traps), InvalidValue, "sci is read-only"),
        (lambda sci, err, traps: (sci, *read_only(err), traps), InvalidValue, "err is read-only"),
        (lambda sci, err, traps: (packed(sci), packed(err), traps), SizeMismatch, "no multiples of 4 bytes"),
        (lambda sci, err, traps: (sci, err, traps[1:]), SizeMismatch, "one density a pixel"),
    ],
)
def test_planes_that_cannot_be_corrected_are_refused_before_any_work(change, error, text):
    image, traps, model = make_case("60 rows")

    def progress(*call):
        pytest.fail("work has begun")

    with pytest.raises(error, match=text):
        cte.correct(*change(image.copy(), np.ones_like(image), traps), model, 4.0, progress=progress)


def test_numbers_beyond_single_precision_are_not_finite():
    with pytest.raises(TableError, match=r"release\[0, 0\] is inf"):
        cte.TrapModel([0.0], [1.0], [[1e39]], [[0.0]])
    assert np.isinf(cte.forward([[1e39, 1.0]], np.zeros((1, 2)), make_model())[0, 0])


def test_no_warnings_leave_the_kernels():
    image, traps, model = make_case("60 rows")
    image[1, 3] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cte.correct(image, np.ones_like(image), traps, model, 4.0)
