"""The demonstration."""

import numpy as np
import pytest

from calacs import demo, fits, sim
from calacs.demo import compare, run_demo
from calacs.errors import OutputExists
from pipeline import FRAMES, products

pytestmark = pytest.mark.filterwarnings("ignore::calacs.errors.CalacsWarning")


@pytest.fixture
def tiny(monkeypatch, jref):
    monkeypatch.setenv("jref", str(jref))
    chosen = (
        ("HRC", {"detector": "HRC", **FRAMES["HRC"], "subarray": (0, 0, 300, 200)}),
        ("SBC", {"detector": "SBC", **FRAMES["SBC"]}),
    )
    monkeypatch.setattr(demo, "EXPOSURES", chosen)
    monkeypatch.setattr(sim, "ReferenceSet", _kept(sim.ReferenceSet))


def _kept(make):
    made = {}
    return lambda detector, seed=0: made.setdefault((detector, seed), make(detector, seed=seed))


def test_every_product_is_shown_and_agrees(tiny, tmp_path, monkeypatch):
    said = []
    folder = tmp_path / "new" / "demo"
    assert run_demo(folder, n_threads=2, seed=5, say=said.append) == 0
    names = ["jhsim005q_flt.fits", "jssim006q_flt.fits"]
    assert products(folder) == sorted([*names, "jref"])
    text = "\n".join(said)
    assert all(name in text for name in names)
    assert "The products are as they should be." in text
    assert {path.name for path in (folder / "jref").iterdir()} >= {"simhrc_ccd.fits", "simsbc_lin.fits"}
    with pytest.raises(OutputExists, match="holds a demonstration already"):
        run_demo(folder, say=said.append)


def test_a_wrong_product_is_told(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "EXPOSURES", demo.EXPOSURES[:1])
    monkeypatch.setattr(demo, "compare", lambda *_: (5.0, 1.0, 10))
    said = []
    assert run_demo(tmp_path, say=said.append) == 1
    assert "NOT as they should be" in "\n".join(said)


def test_comparison(observed, tmp_path):
    made = observed._make(sim.simulate, "HRC", seed=1)
    exposure = fits.as_exposure(made.to_hdulist())
    for imset, truth in zip(exposure, made.truth, strict=True):
        noise = np.random.default_rng(0).normal(0, 1, truth.sci.shape)
        imset.sci, imset.err = (truth.sci + 3 * noise + 2).astype(np.float32), np.full(truth.sci.shape, 3, np.float32)
        imset.dq = (truth.cosmic_rays > 0).astype(np.int16)
        imset.sci[imset.dq > 0] = 1e6
    error, scatter, n_pixel = compare(exposure, made.truth)
    assert abs(error - 2) < 0.2
    assert 0.95 < scatter < 1.05
    assert n_pixel == sum(int((truth.cosmic_rays == 0).sum()) for truth in made.truth)
