"""Messages: what is shown, what goes to trailers, what the user's own log gets."""

import logging
import sys
import threading

import pytest

from calacs.errors import CalacsError, NothingToDo
from calacs.log import banner, log, stamp, trailer


def test_messages_go_to_the_trailer_and_to_the_terminal(tmp_path, capsys):
    with trailer(tmp_path / "x.tra", time_stamps=True):
        log.info("plain")
        log.warning("doubt")
        log.error("bad")
        log.debug("detail")
        stamp("done")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["plain", "Warning    doubt", "ERROR:    bad"]
    assert lines[3][13:] == "-I--------------- done ".ljust(67, "-")
    assert (tmp_path / "x.tra").read_text().splitlines() == lines
    with trailer(tmp_path / "x.tra", quiet=True, verbose=True):
        log.debug("detail")
        stamp("not shown")
    assert (tmp_path / "x.tra").read_text().splitlines() == [*lines, "detail"]
    assert capsys.readouterr() == ("", "")


def test_a_trailer_is_written_while_the_task_runs(tmp_path):
    with trailer(tmp_path / "x.tra", quiet=True):
        log.info("first")
        assert (tmp_path / "x.tra").read_text() == "first\n"


def test_trailers_nest(tmp_path, capsys):
    with trailer(None):
        log.info("begin")
        with trailer(tmp_path / "a.tra"):
            log.info("in a")
        log.info("between")
        with trailer(tmp_path / "b.tra"):
            log.info("in b")
        log.info("end")
    assert (tmp_path / "a.tra").read_text() == "begin\nin a\n"
    assert (tmp_path / "b.tra").read_text() == "between\nin b\nend\n"
    assert capsys.readouterr().out == "begin\nin a\nbetween\nin b\nend\n"
    with trailer(None, quiet=True):
        log.info("nowhere")


def test_a_trailer_can_be_revised(tmp_path, capsys):
    path = tmp_path / "x.tra"
    path.write_text("kept\nCALBEG*** ACSCCD\nlost\n")
    for path in (tmp_path / "x.tra", tmp_path / "y.tra", tmp_path / "y.tra"):
        with trailer(path, revise=True), banner("acs2d"):
            log.info("work")
    shown = capsys.readouterr().out
    assert [shown.count(f"{text} trailer file") for text in ("Revising existing", "Creating new")] == [2, 1]
    assert (tmp_path / "x.tra").read_text().startswith("kept\n\nCALBEG*** ACS2D")
    for name in "xy":
        text = (tmp_path / f"{name}.tra").read_text()
        assert text.count("CALBEG") == text.count("work") == 1
        assert "lost" not in text


@pytest.mark.parametrize("path", ["folder", "none/x.tra"])
def test_a_trailer_that_cannot_be_written(tmp_path, capsys, path):
    (tmp_path / "folder").mkdir()
    with trailer(tmp_path / path):
        log.info("one")
        log.info("two")
    output = capsys.readouterr()
    assert output.out == "one\ntwo\n"
    assert output.err.count("cannot be written") == 1


def test_a_terminal_that_cannot_show(tmp_path, monkeypatch):
    class Broken:
        def write(self, _):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Broken())
    with trailer(tmp_path / "x.tra"):
        log.info("one")
        log.info("two")
    assert (tmp_path / "x.tra").read_text() == "one\ntwo\n"


@pytest.mark.parametrize(
    ("task", "error", "text"),
    [
        ("acsccd", CalacsError("why"), "ERROR:    why\nERROR:    Error processing x.\n"),
        ("calacs", CalacsError("why"), "ERROR:    why\nERROR:    CALACS processing NOT completed for x\n"),
        ("calacs", NothingToDo("why"), "ERROR:    why\nCALACS did NOT process x\n"),
    ],
)
def test_failures(tmp_path, task, error, text):
    with pytest.raises(CalacsError), trailer(tmp_path / "x.tra", quiet=True), banner(task, ("Input", "x")):
        raise error
    assert (tmp_path / "x.tra").read_text().endswith(text)


def test_an_error_is_told_once(capsys):
    with pytest.raises(CalacsError), trailer(None), banner("calacs", ("Input", "x")), banner("acsccd", ("Input", "y")):
        raise CalacsError("why")
    assert capsys.readouterr().out.count("why") == 1


def test_the_log_of_the_user(tmp_path, caplog, capsys):
    """A trailer wants all messages; the user's handlers get those of the level that was chosen, and none twice."""
    handlers = list(log.handlers)
    with trailer(tmp_path / "x.tra", quiet=True):
        log.info("one")
        log.warning("two")
    assert [record.message for record in caplog.records] == ["two"]
    caplog.clear()
    with caplog.at_level(logging.INFO, "calacs"), trailer(None, quiet=True), trailer(tmp_path / "x.tra", quiet=True):
        log.info("three")
    assert [record.message for record in caplog.records] == ["three"]
    assert log.level == logging.NOTSET
    assert log.propagate
    assert log.handlers == handlers
    assert capsys.readouterr() == ("", "")


def test_runs_at_once_keep_their_messages_apart(tmp_path):
    barrier, handlers = threading.Barrier(2), list(log.handlers)

    def run(name):
        with trailer(tmp_path / f"{name}.tra", quiet=True, verbose=name == "a"):
            for i in range(50):
                barrier.wait(timeout=30)
                log.info("%s %d", name, i)

    threads = [threading.Thread(target=run, args=name) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in "ab":
        assert (tmp_path / f"{name}.tra").read_text().splitlines() == [f"{name} {i}" for i in range(50)]
    assert log.handlers == handlers
