"""The tree of exceptions and its official status numbers."""

import pytest

from calacs import errors

STATUS = {
    "FileNotReadable": 114,
    "ReferenceMissing": 115,
    "NothingToDo": 116,
    "KeywordMissing": 117,
    "HeaderProblem": 119,
    "SizeMismatch": 120,
    "StepNotDone": 130,
    "TableError": 141,
    "RowNotFound": 141,
    "ColumnNotFound": 142,
    "NoGoodData": 151,
    "ChipNotFound": 152,
    "ReferenceCoarser": 171,
    "WriteFailed": 1020,
    "OutputExists": 1021,
    "InvalidValue": 1111,
}


@pytest.mark.parametrize(("name", "status"), STATUS.items())
def test_status_numbers(name, status):
    error = getattr(errors, name)("x.fits: what is wrong; what to do")
    assert error.status == status
    assert isinstance(error, errors.CalacsError)
    assert str(error) == "x.fits: what is wrong; what to do"


def test_everything_public_is_an_exception_of_the_tree():
    assert sorted(errors.__all__) == errors.__all__
    for name in errors.__all__:
        kind = getattr(errors, name)
        assert kind.__doc__
        assert issubclass(kind, (errors.CalacsError, errors.CalacsWarning))
    defined = {
        name for name, thing in vars(errors).items() if isinstance(thing, type) and thing.__module__ == errors.__name__
    }
    assert defined == set(errors.__all__)


def test_a_kernel_error_is_a_value_error():
    error = errors.KernelError(-2, "a size does not fit")
    assert isinstance(error, ValueError)
    assert error.code == -2
    assert "a size does not fit (code -2)" in str(error)


def test_several_problems():
    problems = [errors.ReferenceMissing("BIASFILE x: gone"), errors.RowNotFound("CCDTAB y: no row")]
    error = errors.PreflightFailed("x_raw.fits", problems)
    assert error.problems == tuple(problems)
    assert error.status == 115
    assert str(error).splitlines() == [
        "x_raw.fits: 2 problems were found, nothing was calibrated:",
        "  1. BIASFILE x: gone",
        "  2. CCDTAB y: no row",
    ]
