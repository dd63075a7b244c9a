"""Reference files that several exposures share."""

from __future__ import annotations

import gzip
import os
import shutil
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from astropy.io import fits as astropy_fits

from calacs import ReferenceCache, calacs, fits, refcache, sim
from calacs.fits import images, tables, units

SHAPE = 32, 64
PLANE = 32 * 64 * 4


def write_image(path, value=1.0):
    hdus = [astropy_fits.PrimaryHDU()]
    hdus[0].header["NEXTEND"] = 3
    for name, kind in (("SCI", "f4"), ("ERR", "f4"), ("DQ", "i2")):
        hdus.append(astropy_fits.ImageHDU(np.full(SHAPE, value, kind), name=name, ver=1))
    astropy_fits.HDUList(hdus).writeto(path, overwrite=True)
    return path


@pytest.fixture
def paths(tmp_path):
    return [write_image(tmp_path / f"{i}.fits", i) for i in range(3)]


def plane(cache, path, name="SCI"):
    return cache.open(path, fits.open_image).plane(name, 1)


def test_a_file_is_opened_once(paths, monkeypatch):
    cache = ReferenceCache()
    first = cache.open(paths[0], fits.open_image)
    monkeypatch.chdir(paths[0].parent)
    assert cache.open(paths[0].relative_to(paths[0].parent), fits.open_image) is first
    assert cache.open(paths[1], fits.open_image) is not first


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be replaced there")
def test_a_replaced_file_is_noticed(paths):
    cache = ReferenceCache(limit=10 * PLANE)
    old = plane(cache, paths[0])
    assert cache.pixels(old)[0, 0] == 0.0
    paths[0].unlink()
    write_image(paths[0], 7.0)
    new = plane(cache, paths[0])
    assert cache.pixels(new)[0, 0] == 7.0
    assert cache.n_byte == PLANE
    assert old.read()[0, 0] == 0.0, "who uses the old file still reads it"


def test_a_file_of_the_same_size_that_changed_is_noticed(paths):
    cache = ReferenceCache()
    old = cache.open(paths[0], fits.open_image)
    os.utime(paths[0], ns=(1, 1))
    assert cache.open(paths[0], fits.open_image) is not old


def test_files_that_were_not_used_go_first(paths, monkeypatch):
    monkeypatch.setattr(refcache, "MAX_FILES", 2)
    cache = ReferenceCache()
    first, _, _ = (cache.open(paths[i], fits.open_image) for i in (0, 1, 0))
    cache.open(paths[2], fits.open_image)
    assert cache.open(paths[0], fits.open_image) is first


def test_pixels_are_kept_and_cannot_be_changed(paths):
    cache = ReferenceCache(limit=10 * PLANE)
    pixels = cache.pixels(plane(cache, paths[1]))
    assert cache.pixels(plane(cache, paths[1])) is pixels
    with pytest.raises(ValueError, match="read-only"):
        pixels[0, 0] = 2.0
    cache.clear()
    assert cache.n_byte == 0


def test_no_pixels_are_kept_by_default(paths):
    cache = ReferenceCache()
    assert cache.pixels(plane(cache, paths[0])) is None


def test_pixels_beyond_the_limit_are_not_kept(paths):
    cache = ReferenceCache(limit=2 * PLANE)
    planes = [plane(cache, path) for path in paths]
    for _ in range(3):
        kept = [cache.pixels(one) is not None for one in planes]
        assert kept == [True, True, False], "the same planes each time, or none would ever be found"
    assert cache.n_byte == 2 * PLANE


def test_the_oldest_pixels_go_first(paths):
    cache = ReferenceCache(limit=2 * PLANE)
    planes = [plane(cache, path) for path in paths]
    for one in planes:
        cache.pixels(one)
    cache.pixels(planes[1])
    assert cache.pixels(planes[2]) is not None
    assert cache.n_byte == 2 * PLANE
    assert [id(one) in cache._decoded for one in planes] == [False, True, True]


def test_threads_decode_a_plane_once(paths, monkeypatch):
    cache = ReferenceCache(limit=10 * PLANE)
    planes = [plane(cache, path) for path in paths]
    n_read = []
    read = images.Plane.read
    monkeypatch.setattr(images.Plane, "read", lambda self, *how: n_read.append(1) or read(self, *how))
    with ThreadPoolExecutor(7) as pool:
        found = list(pool.map(lambda i: cache.pixels(planes[i % 3])[0, 0], range(300)))
    assert found == [float(i % 3) for i in range(300)]
    assert len(n_read) == 3


def test_negative_limit():
    with pytest.raises(ValueError, match="limit = -1"):
        ReferenceCache(limit=-1)


@pytest.fixture
def hrc(tmp_path, monkeypatch):
    monkeypatch.setenv("jref", f"{tmp_path}/")
    exposure = sim.simulate("HRC", seed=3, exptime=100.0)
    exposure.write_references(tmp_path)
    return exposure.write(tmp_path)


def pixels_of(products):
    return [imset.plane(name).tobytes() for imset in products["flt"] for name in ("SCI", "ERR", "DQ")]


@pytest.mark.parametrize("n_threads", [1, 3])
def test_results_do_not_depend_on_the_limit(hrc, n_threads):
    expected = pixels_of(calacs.run(hrc))
    for limit in (0, 3 * 2**20, 2**30):
        cache = ReferenceCache(limit)
        for _ in range(3):
            assert pixels_of(calacs.run(hrc, cache=cache, n_threads=n_threads)) == expected
        assert cache.n_byte <= limit
        assert (cache.n_byte > 0) is (limit > 0)


def test_parameters_of_one_run_do_not_stay_for_the_next(hrc):
    cache = ReferenceCache()
    first = calacs.run(hrc, cache=cache, readnsec=30.0)["flt"].primary["READNSEC"]
    assert first == 30.0
    assert calacs.run(hrc, cache=cache)["flt"].primary["READNSEC"] != 30.0


@pytest.mark.parametrize("how", ["gzip", "tiles"])
def test_a_compressed_file_is_unpacked_once_into_a_temporary_file(hrc, monkeypatch, how):
    expected = pixels_of(calacs.run(hrc))
    flat = fits.read_headers(hrc).primary.get_str("PFLTFILE")[5:]
    path = hrc.with_name(flat)
    if how == "gzip":
        packed = path.with_name(f"{flat}.gz")
        with open(path, "rb") as source, gzip.open(packed, "wb", 1) as target:
            shutil.copyfileobj(source, target)
    else:
        packed = path.with_name(f"tiles_{flat}")
        with astropy_fits.open(path) as hdus:
            made = [hdus[0]]
            for hdu in hdus[1:]:
                compressed = hdu.data is not None
                kind = {"compression_type": "GZIP_1", "quantize_level": 0.0}
                made.append(astropy_fits.CompImageHDU(hdu.data, hdu.header, **kind) if compressed else hdu)
            astropy_fits.HDUList(made).writeto(packed)
    monkeypatch.setattr(units, "HELD_BYTES", 1000)
    monkeypatch.setattr(images, "STORED_BYTES", 1000)
    n_unpacked = []
    for module in (units, images):
        stored = module.stored
        monkeypatch.setattr(module, "stored", lambda *what, stored=stored: n_unpacked.append(1) or stored(*what))
    cache = ReferenceCache()
    for _ in range(2):
        assert pixels_of(calacs.run(hrc, cache=cache, pfltfile=packed)) == expected
        assert n_unpacked, "it is unpacked by the first run"
        if len(n_unpacked) > 3:
            pytest.fail("unpacked again")


@pytest.mark.filterwarnings("ignore::calacs.errors.CalacsWarning")
@pytest.mark.parametrize("limit", [0, 2**30])
def test_the_exposures_of_an_association_share_their_files(limit, observed, tmp_path, monkeypatch):
    table = observed.association(tmp_path, "CR-SPLIT", "HRC")
    expected = calacs.run(table)
    n_opened = []
    for module in (images, tables):
        opener = module.open_bytes
        monkeypatch.setattr(
            module, "open_bytes", lambda path, opener=opener: n_opened.append(path.name) or opener(path)
        )
    cache = ReferenceCache(limit)
    for _ in range(2):
        made = calacs.run(table, cache=cache, n_threads=2)
        for name, product in expected.items():
            for imset, want in zip(made[name], product, strict=True):
                assert all(
                    imset.plane(plane).tobytes() == want.plane(plane).tobytes() for plane in ("SCI", "ERR", "DQ")
                )
    references = {name: n for name, n in Counter(n_opened).items() if not name.endswith(("_raw.fits", "_asn.fits"))}
    photometry = next(name for name in references if name.endswith("_imp.fits"))
    assert references.pop(photometry) == 2  # its first extension, and all of them
    assert set(references.values()) == {1}
    assert len(references) > 5
