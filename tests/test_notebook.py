"""What a notebook shows, progress, and the report on the system."""

import io
from html.parser import HTMLParser

import numpy as np
import pytest

from calacs import cli, sim
from calacs.calacs import run
from calacs.cte import available_isas
from calacs.header import Header
from calacs.html import table
from calacs.progress import ProgressLine
from calacs.step import StepRecord
from calacs.system import describe_system, system


class Page(HTMLParser):
    """The text of a page, whose tags must match."""

    def __init__(self, html):
        super().__init__()
        self.open, self.text = [], ""
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += f"{data} "


@pytest.fixture(scope="module")
def flt(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebook")
    exposure = sim.simulate("HRC", seed=1, exptime=20.0)
    exposure.write_references(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("jref", f"{folder}/")
        return run(exposure.write(folder), progress=ProgressLine())["flt"]


def test_an_exposure_in_a_notebook(flt):
    text = Page(flt._repr_html_()).text
    for word in ("HRC", "ELECTRONS", "BLEVCORR", "complete", "1024 x 1024"):
        assert word in text, word
    assert "rows x columns" in Page(flt.imsets[0]._repr_html_()).text


def test_an_exposure_that_cannot_say_much(flt):
    bare = flt.copy()
    bare.primary = Header([])
    bare.records.clear()
    bare.imsets[0].dq[:] = -1
    bare.imsets[0].sci[:] = np.nan
    assert "steps" not in Page(bare._repr_html_()).text


def test_text_is_escaped():
    record = StepRecord("t", "<script>", "done", 0.0, {"A": "a&b"}, {"level": {"A": 1.5}, "n": np.arange(3)}, ("<b>",))
    html = record._repr_html_()
    assert "<script>" not in html
    assert "level A 1.5; n 0, 1, 2" in Page(html).text
    assert Page(table(("a",), [("<i>",)])).text.split() == ["a", "<i>"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Notebook(io.StringIO):
    __module__ = "ipykernel.iostream"


@pytest.mark.parametrize("stream", [Terminal(), Notebook()], ids=["terminal", "notebook"])
def test_progress_is_one_line(stream):
    with ProgressLine(2, stream) as progress:
        progress("first")
        progress.done()
        progress("second" + 200 * "x")
    text = stream.getvalue()
    assert "[1/2]" in text
    assert "[2/2]" in text
    assert "\n" not in text
    assert ("\x1b" in text) == isinstance(stream, Terminal)


def test_progress_is_silent_in_a_pipe():
    stream = io.StringIO()
    with ProgressLine(1, stream) as progress:
        progress("first")
    assert stream.getvalue() == ""


def test_the_system(capsys):
    facts = system()
    assert facts["isa"] == available_isas()[-1]
    assert facts["compiler"].split()[0] in ("gcc", "clang", "MSVC")
    assert cli.main(["info", "--system"]) == 0
    assert capsys.readouterr().out == describe_system() + "\n"
    assert cli.main(["info"]) == 2
    assert "--system" in capsys.readouterr().err
