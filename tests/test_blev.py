"""Classic bias level: kernel against its oracle, invariances, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from calacs._core import blev as core
from calacs.errors import KernelError
from helpers import at_once, read_only, same_bits
from oracles import blev as oracle

FLOATS = st.floats(-1e6, 1e6, width=32).map(lambda value: value + 0.0)  # one zero only: a median may pick either


def image(seed, n_row=12, n_col=30, level=4800.0, bad=0.2):
    rng = np.random.default_rng(seed)
    sci = (level + 5 * rng.standard_normal((n_row, n_col))).astype(np.float32)
    dq = np.where(rng.random(sci.shape) < bad, rng.choice([4, 64, 2048, -32768], sci.shape), 0).astype(np.int16)
    return sci, dq


@pytest.mark.parametrize("sections", [[(0, 5)], [(2, 8), (20, 29)], [(7, 7)], [(0, 28), (29, 29)], [(4, 3)], []])
@pytest.mark.parametrize("bad_bits", [-1, 0, 64, -32768])
def test_rows_match_the_oracle(sections, bad_bits):
    sci, dq = image(1)
    level, used = core.rows(sci, dq, bad_bits, 2, 9, sections)
    want_level, want_used = oracle.rows(sci, dq, bad_bits, 2, 9, sections)
    assert same_bits(level, want_level)
    assert same_bits(used, want_used)


@given(
    hnp.arrays(np.float32, (5, 9), elements=FLOATS),
    hnp.arrays(np.int16, (5, 9)),
    st.integers(-32768, 32767),
    st.tuples(st.integers(0, 8), st.integers(0, 8)),
)
def test_rows_and_columns_match_the_oracle_on_anything(sci, dq, bad_bits, section):
    assert all(
        map(same_bits, core.rows(sci, dq, bad_bits, 0, 5, [section]), oracle.rows(sci, dq, bad_bits, 0, 5, [section]))
    )
    lines = (min(section[0], 4), min(section[1], 4))
    if lines[1] >= lines[0]:
        got, want = core.columns(sci, dq, bad_bits, 1, 7, lines), oracle.columns(sci, dq, bad_bits, 1, 7, lines)
        assert all(map(same_bits, got, want))


@pytest.mark.parametrize("n", range(1, 8))
def test_the_median_of_few_pixels(n):
    sci = np.array([[5, -1, 7, 7, 0, 2, 3]], np.float32)[:, :n].copy()
    level, used = core.rows(sci, np.zeros(sci.shape, np.int16), -1, 0, 1, [(0, n - 1)])
    assert (level[0], used[0]) == (np.median(sci.astype(float)), 1)


def test_a_nan_makes_the_level_nan():
    sci, dq = image(2, bad=0)
    sci[3, 4] = np.nan
    level, used = core.rows(sci, dq, -1, 0, 12, [(0, 9)])
    assert np.isnan(level[3])
    assert used.all()
    assert not np.isnan(np.delete(level, 3)).any()


def test_all_pixels_flagged():
    sci, dq = image(3)
    dq[:] = 4
    level, used = core.rows(sci, dq, -1, 0, 12, [(0, 9)])
    assert not used.any()
    assert not level.any()
    level, used = core.columns(sci, dq, -1, 0, 30, (0, 3))
    assert not used.any()


def test_no_lines_at_all():
    sci, dq = image(3)
    level, used = core.rows(sci, dq, -1, 0, 0, [(0, 3)])
    assert (level.size, used.size) == (0, 0)
    level, used = core.columns(sci, dq, -1, 0, 0, (0, 3))
    assert (level.size, used.size) == (0, 0)
    assert core.clip(np.zeros(0), np.zeros(0, np.uint8), 4.0) == 0
    assert core.fit_line(np.zeros(0), np.zeros(0, np.uint8), 0.0, 0.0) is None


@given(
    hnp.arrays(np.float64, st.integers(1, 30), elements=st.floats(-1e4, 1e5)), st.data(), st.floats(0, 100, width=32)
)
def test_clip_matches_the_oracle(level, data, read_noise):
    used = data.draw(hnp.arrays(np.uint8, level.size, elements=st.integers(0, 1)))
    want_used, want_count = oracle.clip(level, used, read_noise)
    got = used.copy()
    assert core.clip(level, got, read_noise) == want_count
    assert same_bits(got, want_used)


@pytest.mark.parametrize(
    "level",
    [
        [4800.0] * 9 + [9000.0],
        [0.0] * 10,
        [0.4, 0.3, 0.2, 0.1, 5.0],
        [-3.0, -2.0, -5.0, 40.0],
        [3e9, 3e9, 1.0, -3e9],
        [np.nan, 1.0, 2.0],
        [7.0],
        [np.inf, 1.0, 1.0],
    ],
)
@pytest.mark.parametrize("read_noise", [0.0, 4.05, 1e10])
def test_clip_at_its_edges(level, read_noise):
    level = np.array(level)
    for used in (
        np.ones(level.size, np.uint8),
        np.eye(1, level.size, dtype=np.uint8)[0],
        np.zeros(level.size, np.uint8),
    ):
        want_used, want_count = oracle.clip(level, used, read_noise)
        got = used.copy()
        assert core.clip(level, got, read_noise) == want_count
        assert same_bits(got, want_used)


@given(hnp.arrays(np.float64, st.integers(1, 25), elements=st.floats(-1e6, 1e6)), st.data(), st.integers(0, 30))
def test_the_line_matches_the_oracle(value, data, middle):
    used = data.draw(hnp.arrays(np.uint8, value.size, elements=st.integers(0, 1)))
    assert core.fit_line(value, used, 3.0, float(middle)) == oracle.fit_line(value, used, 3.0, float(middle))


def test_the_line_through_points_of_a_line():
    t = np.arange(100.0)
    slope, intercept = core.fit_line(10.0 + 0.25 * (t - 50), np.ones(100, np.uint8), 0.0, 50.0)
    assert slope == pytest.approx(0.25, abs=1e-12)
    assert intercept == pytest.approx(10.0, abs=1e-12)


def test_one_point_makes_no_line():
    used = np.zeros(5, np.uint8)
    assert core.fit_line(np.ones(5), used, 0.0, 2.0) is None
    used[3] = 1
    assert core.fit_line(np.ones(5), used, 0.0, 2.0) is None


@pytest.mark.parametrize(
    ("rows", "cols"), [((0, 12), (0, 30)), ((3, 7), (10, 11)), ((5, 5), (0, 30)), ((0, 12), (4, 4))]
)
def test_subtract_matches_the_oracle(rows, cols):
    sci, _ = image(4)
    got = sci.copy()
    core.subtract(got, rows, cols, (0.01, 4801.3), 6.0, 1e-3, 4.5)
    assert same_bits(got, oracle.subtract(sci, rows, cols, (0.01, 4801.3), 6.0, 1e-3, 4.5))


@given(st.integers(0, 5), st.integers(0, 99))
def test_levels_move_with_the_rows(shift, seed):
    """Row-shift invariance: the level of a line does not depend on where the line stands."""
    sci, dq = image(seed)
    level, used = core.rows(sci, dq, -1, 0, 12, [(0, 9)])
    moved = core.rows(np.roll(sci, shift, 0), np.roll(dq, shift, 0), -1, 0, 12, [(0, 9)])
    assert same_bits(moved[0], np.roll(level, shift))
    assert same_bits(moved[1], np.roll(used, shift))


@given(st.integers(0, 99))
def test_the_order_of_overscan_pixels_does_not_matter(seed):
    sci, dq = image(seed)
    order = np.random.default_rng(seed).permutation(10)
    shuffled, flags = sci.copy(), dq.copy()
    shuffled[:, :10], flags[:, :10] = sci[:, order], dq[:, order]
    assert all(map(same_bits, core.rows(sci, dq, -1, 0, 12, [(0, 9)]), core.rows(shuffled, flags, -1, 0, 12, [(0, 9)])))


def test_inputs_are_not_written_to():
    sci, dq = read_only(*image(5))
    core.rows(sci, dq, -1, 0, 12, [(0, 9)])
    core.columns(sci, dq, -1, 0, 30, (0, 3))
    level, used = read_only(np.arange(9.0), np.ones(9, np.uint8))
    core.fit_line(level, used, 0.0, 4.0)
    core.clip(level, used.copy(), 4.0)
    with pytest.raises(ValueError, match="read-only"):
        core.subtract(sci, (0, 1), (0, 1), (0.0, 0.0), 0.0, 0.0, 0.0)


@pytest.mark.parametrize("spoil", [lambda a: a[:, ::2], lambda a: a.astype(a.dtype.newbyteorder())])
def test_strided_and_swapped_arrays_are_refused(spoil):
    sci, dq = image(6)
    with pytest.raises(ValueError, match="contiguous|endian"):
        core.rows(spoil(sci), spoil(dq), -1, 0, 2, [(0, 3)])
    with pytest.raises(ValueError, match="contiguous|endian"):
        core.subtract(spoil(sci), (0, 1), (0, 1), (0.0, 0.0), 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda s, d: core.rows(s, d, -1, -1, 3, [(0, 3)]),
        lambda s, d: core.rows(s, d, -1, 0, 13, [(0, 3)]),
        lambda s, d: core.rows(s, d, -1, 0, 3, [(-1, 3)]),
        lambda s, d: core.rows(s, d, -1, 0, 3, [(0, 30)]),
        lambda s, d: core.columns(s, d, -1, -1, 3, (0, 3)),
        lambda s, d: core.columns(s, d, -1, 28, 3, (0, 3)),
        lambda s, d: core.columns(s, d, -1, 0, 3, (0, 12)),
        lambda s, d: core.columns(s, d, -1, 0, 3, (-1, 3)),
        lambda s, d: core.subtract(s, (0, 13), (0, 3), (0.0, 0.0), 0.0, 0.0, 0.0),
        lambda s, d: core.subtract(s, (0, 3), (3, 0), (0.0, 0.0), 0.0, 0.0, 0.0),
    ],
)
def test_ranges_outside_the_image_are_refused(call):
    sci, dq = image(7)
    before = sci.copy()
    with pytest.raises(KernelError, match="size or range") as caught:
        call(sci, dq)
    assert caught.value.code == -2
    assert same_bits(sci, before)


@pytest.mark.parametrize(
    "call",
    [
        lambda s, d: core.rows(s, d[:5], -1, 0, 3, [(0, 3)]),
        lambda s, d: core.columns(s, d[:, :5].copy(), -1, 0, 3, (0, 3)),
        lambda s, d: core.rows(s, d, -1, 0, 3, [(0, 3)] * 3),
        lambda s, d: core.clip(np.zeros(3), np.zeros(4, np.uint8), 1.0),
        lambda s, d: core.fit_line(np.zeros(3), np.zeros(4, np.uint8), 1.0, 1.0),
    ],
)
def test_arrays_that_do_not_fit_are_refused(call):
    with pytest.raises(ValueError, match="\\d"):
        call(*image(8))


@pytest.mark.parametrize("n_thread", [1, 2, 7])
def test_many_calls_at_once_agree(n_thread):
    sci, dq = image(9, 200, 60)
    want = core.rows(sci, dq, -1, 0, 200, [(0, 23)])
    for got in at_once(n_thread, lambda: core.rows(sci, dq, -1, 0, 200, [(0, 23)])):
        assert all(map(same_bits, got, want))
