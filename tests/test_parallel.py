import pytest

from calacs import acsccd, sim
from calacs.parallel import available_cpus, resolve_threads, run_parallel, split_rows


def test_zero_threads_are_all_processors():
    assert resolve_threads(0) == available_cpus() >= 1
    assert resolve_threads(3) == 3


def test_negative_numbers_are_refused():
    with pytest.raises(ValueError, match="n_threads = -1 is invalid; give 1 or more, or 0 for all processors"):
        resolve_threads(-1)


def test_a_task_refuses_a_negative_number(tmp_path, monkeypatch):
    monkeypatch.setenv("jref", f"{tmp_path}/")
    exposure = sim.simulate("HRC", seed=1, exptime=10.0)
    exposure.write_references(tmp_path)
    with pytest.raises(ValueError, match="n_threads"):
        acsccd.run(exposure.write(tmp_path), n_threads=-2)


@pytest.mark.parametrize("n_threads", [1, 2, 7])
def test_results_come_in_the_order_of_the_calls(n_threads):
    assert run_parallel([lambda i=i: i * i for i in range(20)], n_threads) == [i * i for i in range(20)]


def test_the_first_failure_in_the_order_of_the_calls_is_raised():
    def fail(text):
        raise RuntimeError(text)

    with pytest.raises(RuntimeError, match="second"):
        run_parallel([lambda: 1, lambda: fail("second"), lambda: fail("third")], 3)


@pytest.mark.parametrize(("n_row", "n_block"), [(10, 3), (3, 10), (0, 2), (64, 1)])
def test_rows_are_divided_whole(n_row, n_block):
    blocks = split_rows(n_row, n_block)
    assert [row for block in blocks for row in range(*_ends(block))] == list(range(n_row))


def _ends(block):
    return (block.start, block.stop) if isinstance(block, slice) else tuple(block)
