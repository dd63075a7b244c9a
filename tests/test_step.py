"""The step convention: switches, records, HISTORY, checks beforehand."""

import logging

import numpy as np
import pytest

from calacs.errors import CalacsWarning, HeaderProblem, RowNotFound
from calacs.exposure import Exposure, ImSet
from calacs.header import Header
from calacs.refs import Problems, References
from calacs.step import Job, Result, State, execute, prepare_steps, read_switch, step


def job(**switches):
    plane = np.zeros((1, 1), np.float32)
    headers = {name: Header() for name in ("SCI", "ERR", "DQ")}
    primary = Header(where="x_raw.fits")
    for switch, value in switches.items():
        primary.set(switch, value)
    exposure = Exposure(primary, (ImSet(1, plane, plane, plane.astype(np.int16), headers),))
    states = {switch: read_switch(primary, switch) for switch in switches}
    return Job("task", exposure, None, References(primary), states)


@pytest.mark.parametrize(
    ("value", "state"),
    [
        ("PERFORM", State.PERFORM),
        ("perform", State.PERFORM),
        ("PERFORM ", State.PERFORM),
        ("OMIT", State.OMIT),
        ("COMPLETE", State.OMIT),
        ("skipped", State.OMIT),
    ],
)
def test_switches(value, state):
    header = Header()
    header.set("DARKCORR", value)
    assert read_switch(header, "DARKCORR") is state


def test_a_switch_that_is_absent():
    assert read_switch(Header(), "DARKCORR") is State.OMIT


@pytest.mark.parametrize(
    "card", ["DARKCORR= 'YES     '", "DARKCORR= '        '", "DARKCORR=", "DARKCORR= T", "DARKCORR= 1"]
)
def test_a_switch_that_is_wrong(card):
    with pytest.raises(HeaderProblem, match=r"x_raw\.fits: DARKCORR"):
        read_switch(Header([card], where="x_raw.fits"), "DARKCORR")


def test_a_step_that_is_performed(caplog):
    @step("DARKCORR")
    def dark(job):
        """Subtract."""
        job.warn("something odd")
        return Result(values={"mean": 1.5})

    made = job(DARKCORR="PERFORM")
    with caplog.at_level(logging.INFO, "calacs"), pytest.warns(CalacsWarning, match="something odd"):
        record = dark.run(made)
    assert (record.task, record.name, record.status) == ("task", "DARKCORR", "complete")
    assert record.values == {"mean": 1.5}
    assert record.notes == ("something odd",)
    assert record.seconds >= 0
    assert made.exposure.records == [record]
    assert made.exposure.primary.get("DARKCORR") == "COMPLETE"
    assert made.exposure.primary.history == ("DARKCORR complete ...",)
    assert "DARKCORR COMPLETE" in caplog.text
    assert dark.__doc__ == "Subtract."
    assert repr(dark) == "<Step DARKCORR>"


def test_a_step_that_is_omitted():
    @step("DARKCORR")
    def dark(job):
        raise AssertionError

    made = job(DARKCORR="OMIT")
    assert dark.run(made).status == "omitted"
    assert made.exposure.primary.get("DARKCORR") == "OMIT"
    assert made.exposure.primary.history == ()


def test_a_step_with_a_dummy_file():
    ran = []

    @step("DARKCORR", with_dummy=True)
    def dark(job):
        ran.append(True)

    @step("FLATCORR")
    def flat(job):
        raise AssertionError

    made = job(DARKCORR="PERFORM", FLATCORR="PERFORM")
    made.states.update(DARKCORR=State.DUMMY, FLATCORR=State.DUMMY)
    assert [dark.run(made).status, flat.run(made).status] == ["skipped", "skipped"]
    assert ran == [True]
    assert made.exposure.primary.get("FLATCORR") == "SKIPPED"
    assert made.exposure.primary.history[1] == "FLATCORR skipped due to dummy reference file ..."


def test_a_step_may_find_that_it_has_nothing_to_do():
    @step("DARKCORR")
    def dark(job):
        return Result(state=State.IGNORED)

    made = job(DARKCORR="PERFORM")
    assert dark.run(made).status == "skipped"
    assert made.exposure.primary.history == ("DARKCORR not performed ...",)


def test_a_step_without_a_switch():
    @step("noise", switch=False)
    def noise(job):
        return Result(history=["Done."])

    made = job()
    assert noise.run(made).status == "complete"
    assert "NOISE" not in made.exposure.primary
    assert made.exposure.primary.history == ("Done.",)


def test_what_the_preflight_found_is_handed_over():
    @step("DARKCORR")
    def dark(job, found):
        return Result(values={"found": found})

    @dark.preflight
    def find(job):
        return 7

    made = job(DARKCORR="PERFORM")
    prepare_steps(made, [dark], Problems())
    told = []
    execute(made, [dark], told.append)
    assert made.exposure.records[0].values == {"found": 7}
    assert told == ["task: DARKCORR"]


def test_the_preflight_of_every_step_is_run_before_the_first_step():
    def failing(name):
        @step(name)
        def one(job, found):
            raise AssertionError

        @one.preflight
        def find(job):
            raise RowNotFound(f"{name}: no row")

        return one

    made = job(DARKCORR="PERFORM", FLATCORR="PERFORM", SHADCORR="OMIT")
    problems = Problems()
    prepare_steps(made, [failing("DARKCORR"), failing("FLATCORR"), failing("SHADCORR")], problems)
    assert [str(problem) for problem in problems.found] == ["DARKCORR: no row", "FLATCORR: no row"]
    assert made.exposure.records == []


def test_missing_references_are_found_beforehand():
    @step("BIASCORR", refs=("BIASFILE",))
    def bias(job):
        raise AssertionError

    @bias.preflight
    def find(job):
        raise AssertionError("the file is looked for first")

    problems = Problems()
    prepare_steps(job(BIASCORR="PERFORM"), [bias], problems)
    assert [str(problem)[:34] for problem in problems.found] == ["BIASFILE: the header names no file"]
    prepare_steps(job(BIASCORR="OMIT"), [bias], problems)
    assert len(problems.found) == 1
