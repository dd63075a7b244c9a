"""The step PCTECORR: geometry, parameters in force, cards."""

import threading

import numpy as np
import pytest

from calacs import acscte, ctetab
from calacs.errors import CalacsWarning, HeaderProblem, InvalidValue, TableError
from calacs.header import Header
from calacs.overrides import Overrides
from calacs.parallel import run_reporting
from calacs.step import Job
from calacs.steps.pcte import AmpArea, Pass, Plan, amp_areas, correct_area, new_buffers, pcte, write_parameters
from ctehelpers import N_TAIL, PARALLEL, SERIAL, card, ccd_table, oscan_table, small_exposure, trap_table
from helpers import read_only, same_bits
from oracles.pcte import correct, position

NOISE = (4.0, 3.0, 5.0, 6.0)


def prepared(exposure=None, table=None, **overrides):
    """A job of acscte that has passed its preflight."""
    exposure = small_exposure() if exposure is None else exposure
    given = Overrides.of(
        {
            "ccdtab": ccd_table(),
            "oscntab": oscan_table(),
            "pctetab": trap_table() if table is None else table,
            "ampx": 30,
        }
        | overrides
    )
    return acscte.prepare(exposure, given)


def plan_of(job: Job) -> Plan:
    return job.prepared["PCTECORR"]


@pytest.mark.parametrize("amp", "ABCD")
@pytest.mark.parametrize("direction", ["parallel", "serial"])
def test_views(amp, direction):
    plane = np.arange(7 * 9, dtype=np.float32).reshape(7, 9)
    area = AmpArea(amp, 0, (2, 7), 0, 4.0)
    view = area.view(plane, direction)
    assert np.shares_memory(view, plane)
    assert view.shape == ((5, 7) if direction == "parallel" else (7, 5))
    for u, v in np.ndindex(view.shape):
        y, x = position(amp, direction, u, v, 7, 5)
        assert view[u, v] == plane[y, 2 + x]


def test_areas():
    def areas(ccdamp, chip, n_col, amp_x):
        return [(a.amp, a.cols, a.first, a.read_noise) for a in amp_areas(ccdamp, chip, n_col, amp_x, 0, NOISE)]

    assert areas("ABCD", 2, 4096, 2048) == [("C", (0, 2048), 0, 5.0), ("D", (2048, 4096), 2048, 6.0)]
    assert areas("ABCD", 1, 4096, 2048) == [("A", (0, 2048), 4096, 4.0), ("B", (2048, 4096), 6144, 3.0)]
    # A lone amplifier counts as the first of its chip.
    assert areas("B", 1, 512, 0) == [("B", (0, 512), 4096, 3.0)]
    assert areas("D", 2, 512, 2048) == [("D", (0, 512), 0, 6.0)]
    assert areas("AB", 2, 512, 0) == []
    assert areas("AB", 1, 2048, 2048) == [("A", (0, 2048), 4096, 4.0)]
    with pytest.raises(TableError, match="AMPX = 0 for CCDAMP='AB' CCDCHIP=1"):
        areas("AB", 1, 512, 0)


@pytest.mark.parametrize("simulate", [False, True])
def test_a_correction_may_work_in_memory_larger_than_the_amplifier(simulate):
    results = []
    for buffers in (None, new_buffers(17 * 23 + 5)):
        exposure = small_exposure((17, 23), (1,), "A", bright=3)
        plan = plan_of(prepared(exposure, ampx=0))
        for buffer in buffers or ():
            buffer[:] = np.nan
        (area,), imset = plan.areas, exposure.imsets[0]
        correct_area(imset, area, plan.passes("A"), simulate=simulate, report=lambda text: None, buffers=buffers)
        results.append((imset.sci, imset.err))
    assert same_bits(results[0], results[1])


@pytest.mark.parametrize("amp", "ABCD")
@pytest.mark.parametrize("simulate", [False, True])
def test_correction_of_an_amplifier(amp, simulate):
    exposure = small_exposure((17, 23), (1 if amp in "AB" else 2,), amp, bright=3)
    plan = plan_of(prepared(exposure, ampx=0))
    (area,) = plan.areas
    imset = exposure.imsets[0]
    passes = plan.passes(amp)
    assert [one.direction for one in passes] == ["serial", "parallel"]
    expected = correct(
        imset.sci,
        imset.err,
        amp,
        {"A": 4096, "B": 4096, "C": 0, "D": 0}[amp],
        [(one.direction, one.traps, one.fraction, one.model()) for one in passes],
        area.read_noise,
        simulate=simulate,
    )
    before = imset.copy()
    done = correct_area(imset, area, passes, simulate=simulate, report=lambda text: None)
    assert not same_bits(imset.sci, before.sci)
    assert same_bits(imset.sci, expected[0])
    assert same_bits(imset.err, expected[1])
    assert same_bits(imset.dq, before.dq)
    assert (done["serial"].n_iteration == 0) == simulate


def test_model_cuts_the_profiles():
    plan = plan_of(prepared())
    model = plan.parallel.model()
    assert model.n_tail == PARALLEL["PCTETLEN"] < N_TAIL
    assert same_bits(model.release, plan.table.parallel.release[: model.n_tail].T.copy())
    assert same_bits(model.held, plan.table.parallel.held[: model.n_tail].T.copy())
    assert (model.n_transfer, model.n_iteration) == (PARALLEL["PCTENPAR"], PARALLEL["PCTENFOR"])


def numbers(one: Pass):
    return one.n_tail, one.n_iteration, one.n_transfer


OWN = tuple(PARALLEL[key] for key in ("PCTETLEN", "PCTENFOR", "PCTENPAR"))
OWN_SERIAL = tuple(SERIAL[key] for key in ("PCTETLEN", "PCTENFOR", "PCTENPAR"))


@pytest.mark.parametrize(
    ("keywords", "parallel", "serial"),
    [
        ({}, OWN, OWN_SERIAL),
        ({"PCTETLEN": 8, "PCTENFOR": 6, "PCTENPAR": 2}, (8, 6, 2), (8, 6, 2)),
        # Keywords that stand in for values pass those of the parallel direction on.
        ({"PCTETLEN": 0, "PCTENFOR": 1, "PCTENPAR": -1}, OWN, OWN),
        ({"PCTENFOR": 0}, OWN, (OWN_SERIAL[0], OWN[1], OWN_SERIAL[2])),
    ],
)
def test_header_overrides(keywords, parallel, serial):
    plan = plan_of(prepared(small_exposure(keywords=keywords)))
    assert numbers(plan.parallel) == parallel
    assert list(plan.serial) == ["C", "D", "A", "B"]
    assert all(numbers(one) == serial for one in plan.serial.values())


def test_a_parameter_of_1_is_not_passed_on():
    keywords = {"PCTENFOR": 0}
    table = trap_table(parallel={"PCTENFOR": 1})
    plan = plan_of(prepared(small_exposure(keywords=keywords), table))
    assert plan.parallel.n_iteration == 1
    assert [one.n_iteration for one in plan.serial.values()] == [SERIAL["PCTENFOR"]] * 4


def test_the_caller_has_the_last_word():
    exposure = small_exposure(keywords={"PCTENFOR": 6, "FIXROCR": 1})
    job = prepared(exposure, pctenfor=1, fixrocr=0, pctetrsh=-7.5, pctetlen=5, pctenpar=2, ctedate1=58000.0)
    plan = plan_of(job)
    for one in (plan.parallel, *plan.serial.values()):
        assert numbers(one) == (5, 1, 2)
        assert (one.fix_cosmic_rays, one.oversubtraction, one.traps.date1) == (False, -7.5, 58000.0)
    assert plan.parallel.fraction == (57000.0 - 52334.86) / (58000.0 - 52334.86)


@pytest.mark.parametrize("value", [0, 1])
def test_fixrocr_of_the_header(value):
    plan = plan_of(prepared(small_exposure(keywords={"FIXROCR": value})))
    assert plan.parallel.fix_cosmic_rays == bool(value)
    assert plan.serial["A"].fix_cosmic_rays == bool(value)


@pytest.mark.parametrize(
    ("keywords", "overrides", "error", "words"),
    [
        ({"FIXROCR": 2}, {}, InvalidValue, "FIXROCR = 2 is invalid"),
        ({"PCTENFOR": "three"}, {}, HeaderProblem, "PCTENFOR"),
        ({"PCTENFOR": 2.5}, {}, HeaderProblem, "PCTENFOR"),
        ({"PCTENSMD": 1}, {}, Exception, "PCTENSMD = 1: only the noise model 0 exists"),
        ({"PCTETLEN": 20}, {}, InvalidValue, r"profiles end after 12 pixels, PCTETLEN = 20"),
        ({}, {"pctetlen": 13}, InvalidValue, "profiles end after 12 pixels"),
        ({}, {"pctenfor": 0}, InvalidValue, "pctenfor=0 is invalid; give a whole number, 1 or more"),
        ({}, {"pctenpar": 2.5}, InvalidValue, "pctenpar=2.5"),
        ({}, {"fixrocr": 3}, InvalidValue, "fixrocr=3 is invalid; give 0 or 1"),
        ({}, {"pctensmd": 1}, InvalidValue, "pctensmd=1 is invalid; give 0"),
        ({}, {"ctedate0": 1.0, "ctedate1": 1.0}, InvalidValue, "the dates must differ"),
    ],
)
def test_wrong_parameters(keywords, overrides, error, words):
    with pytest.raises(error, match=words):
        prepared(small_exposure(keywords=keywords), **overrides)


def test_a_keyword_without_value():
    exposure = small_exposure()
    exposure.primary = Header([*exposure.primary.cards, "PCTENPAR=                      / empty"], "exposure")
    with pytest.raises(HeaderProblem, match="PCTENPAR has no value; give a whole number or remove"):
        prepared(exposure)


def test_the_noise_model_of_the_table_can_be_overridden():
    table = trap_table(primary={"PCTENSMD": 2})
    with pytest.raises(Exception, match="PCTENSMD = 2"):
        prepared(table=table)
    prepared(small_exposure(keywords={"PCTENSMD": 0}), table)
    prepared(table=table, pctensmd=0)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_wrong_read_noise(value):
    with pytest.raises(TableError, match="READNSED = .*the CTE correction needs it: .* or by readnsed="):
        prepared(readnsed=value)


@pytest.mark.parametrize(("expstart", "is_done"), [(54961.9999, False), (54962.0, True)])
def test_serial_only_after_sm4(expstart, is_done):
    plan = plan_of(prepared(small_exposure(keywords={"EXPSTART": expstart})))
    assert bool(plan.serial) == is_done
    assert [one.direction for one in plan.passes("C")] == ["serial"] * is_done + ["parallel"]


def test_generation_2_has_no_serial_pass():
    assert not plan_of(prepared(table=trap_table(2))).serial


def test_preflight_touches_no_pixel():
    exposure = small_exposure()
    for imset in exposure:
        imset.sci, imset.err = (np.broadcast_to(np.float32(0), imset.shape) for _ in range(2))
        imset.dq = np.broadcast_to(np.int16(0), imset.shape)
    prepared(exposure)


def test_columns_without_entry_are_counted():
    job = prepared(table=trap_table(first=1))
    with pytest.warns(
        CalacsWarning, match=r"1 of 40 columns of amplifier C \(serial\), 1 of 30 .* C \(parallel\); they get"
    ):
        pcte.run(job)


def test_columns_without_entry_stay_as_they_are():
    before = small_exposure((20, 30), (2,), "C", bright=3)
    exposure = before.copy()
    table = trap_table(2)
    table[2].data["IZ"][10:] = 9000
    job = prepared(exposure, table, ampx=0)
    with pytest.warns(CalacsWarning, match=r"20 of 30 columns of amplifier C \(parallel\)"):
        pcte.run(job)
    assert not same_bits(exposure.imsets[0].sci[:, :10], before.imsets[0].sci[:, :10])
    assert same_bits(exposure.imsets[0].sci[:, 10:], before.imsets[0].sci[:, 10:])
    assert same_bits(exposure.imsets[0].err[:, 10:], before.imsets[0].err[:, 10:])


def test_read_noise_of_the_header_has_no_effect():
    job = prepared(small_exposure(keywords={"PCTERNOI": 4.5}))
    with pytest.warns(CalacsWarning, match=r"PCTERNOI = 4.5 in the header has no effect"):
        pcte.run(job)


def some_plan(generation):
    exposure = small_exposure((10, 10), (1,), "AB")
    return plan_of(prepared(exposure, trap_table(generation), ampx=5))


HISTORY_3 = [
    "CTE_NAME Par/Serial PixelCTE 2023 CTE algorithm name",
    "CTE_VER 1.2 CTE algorithm version",
    "CORRTYPE parallel CTE correction type",
    "FIXROCR            1 fix readout cosmic rays",
    "PCTETRSH  -1.000000000000E+01 CTE over subtraction threshold",
    "PCTEFRAC   8.678296909763E-01 CTE scaling factor",
    "CTEDATE0   5.233486000000E+04 Date of instrument installation",
    "CTEDATE1   5.771050000000E+04 Date of CTE model pinning",
    "PCTETLEN           10 max length of CTE trail",
    "PCTENFOR            3 Number of iter in forward model",
    "PCTENPAR            4 Number of iter in parallel transfer",
    *(
        line
        for amp in "AB"
        for line in (
            f"CORRTYPE serial - Amp {amp} CTE correction type",
            "CTEDATE0   5.233500000000E+04 Date of instrument installation",
            "CTEDATE1   5.771150000000E+04 Date of CTE model pinning",
            "PCTETLEN            6 max length of CTE trail",
            "PCTENFOR            2 Number of iter in forward model",
            "PCTENPAR            3 Number of iter in parallel transfer",
        )
    ),
]
HISTORY_2 = [
    "CTE_NAME PixelCTE 2017 CTE algorithm name",
    "CTE_VER 1.2 CTE algorithm version",
    *(next(line for line in HISTORY_3 if line.startswith(key)) for key in (
        "CTEDATE0 PCTETRSH CTEDATE1 PCTEFRAC PCTETLEN PCTENFOR PCTENPAR FIXROCR".split()
    )),
]  # fmt: skip


@pytest.mark.parametrize(("generation", "lines"), [(3, HISTORY_3), (2, HISTORY_2)])
def test_parameters_become_history(generation, lines):
    header = Header(["KEY     =                    1"])
    write_parameters(header, some_plan(generation), "jref$x_cte.fits")
    assert [text.strip() for text in header.history] == lines
    assert header.get("PCTETAB") == "jref$x_cte.fits"
    assert header.comment("PCTETAB") == "CTE Correction Table"


def test_parameters_go_into_keywords_that_exist():
    keys = {
        "CORRTYPE": "none",
        "PCTEFRAC": 0.0,
        "PCTETRSH": 0,
        "PCTENFOR": 0,
        "FIXROCR": 0,
        "CTE_NAME": "",
        "CTE_VER": "",
    }
    header = Header([card(key, value) for key, value in keys.items()])
    write_parameters(header, some_plan(3), "t")
    assert header.get("CORRTYPE") == "serial - Amp B"
    assert header.get("PCTENFOR") == SERIAL["PCTENFOR"]
    assert header.get("FIXROCR") == 1
    assert header.get("PCTETRSH") == -10.0
    assert {text.split()[0] for text in header.history} == {"CTEDATE0", "CTEDATE1", "PCTETLEN", "PCTENPAR"}


def test_read_only_table(tmp_path):
    table = ctetab.read(trap_table())
    (plane,) = read_only(np.ones((4, 5), np.float32))
    assert AmpArea("A", 0, (0, 5), 0, 4.0).view(plane, "serial").shape == (4, 5)
    assert not table.parallel.release.flags.writeable


class TestRunReporting:
    @pytest.mark.parametrize(
        ("n_threads", "at_once", "shares"), [(1, 2, 1), (2, 2, 1), (3, 2, 3), (4, 2, 2), (6, 3, 2)]
    )
    def test_results_in_order_and_threads_divided(self, n_threads, at_once, shares):
        tasks = [lambda n, report, i=i: (report(f"task {i}"), (i, n))[1] for i in range(5)]
        texts = []
        assert run_reporting(tasks, n_threads, at_once, texts.append) == [(i, shares) for i in range(5)]
        assert sorted(text for text in texts if text) == [f"task {i}" for i in range(5)]

    def test_nothing_to_do(self):
        assert run_reporting([], 4, 2, print) == []

    @pytest.mark.parametrize("n_threads", [1, 2])
    @pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
    def test_an_interrupt_ends_all_tasks(self, n_threads, error):
        going_on = threading.Event()
        ended = []

        def endless(_, report):
            try:
                while True:
                    report("on" if not going_on.wait(0.001) else None)
            finally:
                ended.append(True)

        def report(text):
            if text is not None:
                going_on.set()
                raise error

        with pytest.raises(error):
            run_reporting([endless] * 4, n_threads, 2, report)
        assert 1 <= len(ended) <= n_threads

    def test_a_failing_task_ends_the_others(self):
        def failing(_, report):
            raise OSError("no")

        def endless(_, report):
            while True:
                report(None)

        with pytest.raises(OSError, match="no"):
            run_reporting([endless, failing], 2, 2, lambda text: None)
