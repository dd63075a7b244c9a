"""File names: variables, suffixes, FILENAME."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calacs.names import (
    acs2d_output,
    expand,
    filename_keyword,
    is_blank,
    undefined_variable,
    with_own_suffix,
    with_suffix,
)


@pytest.mark.parametrize("name", ["", "  ", "N/A", "n/a", "N/a  "])
def test_blank_names(name):
    assert is_blank(name)


@pytest.mark.parametrize("name", ["x.fits", "NA", "none", "jref$"])
def test_names_that_are_not_blank(name):
    assert not is_blank(name)


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("x.fits", "x.fits"),
        ("jref$x.fits", "/data/jref/x.fits"),
        ("$jref/x.fits", "/data/jref/x.fits"),
        ("noslash$x.fits", "/data/jrefx.fits"),
        ("other$x.fits", "/data/jref/deep/x.fits"),
        ("undefinedvar$x.fits", "x.fits"),
        ("/abs/x.fits", "/abs/x.fits"),
    ],
)
def test_variables(name, want, monkeypatch):
    monkeypatch.setenv("jref", "/data/jref/")
    monkeypatch.setenv("noslash", "/data/jref")
    monkeypatch.setenv("other", "jref$deep/")
    monkeypatch.delenv("undefinedvar", raising=False)
    assert expand(name) == want


def test_a_folder_without_a_slash_works_where_it_exists(tmp_path, monkeypatch):
    monkeypatch.setenv("jref", str(tmp_path))
    assert expand("jref$x.fits") == str(tmp_path / "x.fits")
    assert expand("jref$/x.fits") == str(tmp_path / "x.fits")
    monkeypatch.setenv("jref", f"{tmp_path}{os.sep}")
    assert expand("jref$x.fits") == str(tmp_path / "x.fits")


def test_a_circle_ends(monkeypatch):
    monkeypatch.setenv("aa", "bb$")
    monkeypatch.setenv("bb", "aa$")
    assert "x.fits" in expand("aa$x.fits")


@pytest.mark.parametrize(
    ("name", "want"),
    [("nope$x.fits", "nope"), ("$nope/x.fits", "nope"), ("jref$x.fits", None), ("x.fits", None), ("a/b$c", None)],
)
def test_the_variable_that_is_not_set(name, want, monkeypatch):
    monkeypatch.setenv("jref", "/data/")
    monkeypatch.delenv("nope", raising=False)
    assert undefined_variable(name) == want


@pytest.mark.parametrize(
    ("name", "old", "new", "want"),
    [
        ("foo_raw.fits", "_raw", "_blv_tmp", "foo_blv_tmp.fits"),
        ("foo.fits", "_raw", "_blv_tmp", "foo_blv_tmp.fits"),
        ("foo_flt.fits", "_raw", "_raw", "foo_flt_raw.fits"),
        ("foo_raw", "_raw", "_blv_tmp", "foo_blv_tmp.fits"),
        ("foo_raw.fit", "_raw", "_flt", "foo_flt.fit"),
        ("a.b/foo_raw.fits", "_raw", "_flt", "a.b/foo_flt.fits"),
        ("a.b/foo_raw", "_raw", "_flt", "a.b/foo_flt.fits"),
        ("foo_raw_raw.fits", "_raw", "_flt", "foo_raw_flt.fits"),
        (".hidden", "_raw", "_flt", ".hidden_flt.fits"),
        ("foo_raw.fits.gz", "_raw", "_flt", "foo_flt.fits"),
        ("foo_raw.fits.GZ", "_raw", "_flt", "foo_flt.fits"),
    ],
)
def test_suffixes(name, old, new, want):
    assert with_suffix(name, old, new) == Path(want)


@pytest.mark.parametrize(
    ("name", "suffix", "want"),
    [
        ("x_raw.fits", "_raw", "x_raw.fits"),
        ("x.fits", "_raw", "x_raw.fits"),
        ("x_raw", "_raw", "x_raw.fits"),
        ("x_raw.fits.gz", "_raw", "x_raw.fits.gz"),
        ("x_blv_tmp", "", "x_blv_tmp.fits"),
    ],
)
def test_the_file_that_a_task_reads(name, suffix, want):
    assert with_own_suffix(name, suffix) == Path(want)


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("x_raw.fits", "x_flt.fits"),
        ("x_blv_tmp.fits", "x_flt.fits"),
        ("x_blc_tmp.fits", "x_flc.fits"),
        ("x_crj_tmp.fits", "x_crj.fits"),
        ("x_crc_tmp.fits", "x_crc.fits"),
        ("x.fits", "x_flt.fits"),
    ],
)
def test_products_of_acs2d(name, want):
    assert acs2d_output(name) == Path(want)


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("x_flt.fits", "x_flt.fits"),
        ("out/x_flt.fits", "x_flt.fits"),
        ("j-x_flt.fits", "x_flt.fits"),
        ("d-e_blv_tmp.fits", "e_blv_tmp.fits"),
        ("a b.fits", "b.fits"),
        ("x-", "x-"),
    ],
)
def test_the_filename_keyword(name, want):
    assert filename_keyword(name) == want


@given(st.text("abz09_.", min_size=2, max_size=12), st.text("abz-/ $", max_size=5))
def test_filename_keeps_what_follows_the_last_odd_character(base, folder):
    assert filename_keyword(f"{folder}-{base}") == base
