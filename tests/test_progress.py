"""The progress line: seen on terminals only."""

import io
import re

import pytest

from calacs.progress import ProgressLine


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_sees_one_line_rewritten():
    stream = Terminal()
    with ProgressLine(2, stream) as progress:
        progress.label = "x_raw.fits"
        progress("acsccd: DQICORR")
        progress.done()
        progress("acs2d: " + "long " * 40)
    shown = stream.getvalue().split("\r\x1b[K")
    assert shown[0] == ""
    assert re.fullmatch(r"\[1/2\] +\d+\.\d s  x_raw\.fits  acsccd: DQICORR", shown[1])
    assert shown[2].startswith("[2/2]")
    assert len(shown[2]) == 119
    assert shown[3:] == [""]
    assert "\n" not in stream.getvalue()


def test_without_total_there_is_no_count():
    stream = Terminal()
    ProgressLine(stream=stream)("text")
    assert "[" not in stream.getvalue().removeprefix("\r\x1b[K")


@pytest.mark.parametrize("stream", [io.StringIO(), object()])
def test_files_and_pipes_see_nothing(stream):
    with ProgressLine(1, stream) as progress:
        progress("text")
        progress.done()
        progress.clear()
    assert not isinstance(stream, io.StringIO) or stream.getvalue() == ""


def test_the_line_is_wiped_after_a_failure():
    stream = Terminal()

    def work():
        with ProgressLine(1, stream) as progress:
            progress("text")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_standard_error_is_the_default(capsys):
    with ProgressLine(1) as progress:
        progress("text")
    assert capsys.readouterr() == ("", "")
