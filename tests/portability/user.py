"""What a type checker knows about the installed package in a user's script: `mypy --strict user.py`."""

from pathlib import Path
from typing import assert_type

import numpy as np
from numpy.typing import NDArray

from calacs import CalacsError, Exposure, ImSet, acs2d, acsccd, acsrej, calacs, sim
from calacs.calacs import Products


def in_memory(path: Path) -> NDArray[np.float32]:
    products = calacs.run(path, n_threads=2, darkcorr="OMIT", readnsea=4.1)
    assert_type(products, Products)
    assert_type(products["flt"], Exposure)
    assert_type(products["flt"].imsets[0], ImSet)
    assert_type(products["flt"].imsets[0].dq, NDArray[np.int16])
    assert_type([record.name for record in products["flt"].records], list[str])
    return products["flt"].imsets[0].sci


def step_by_step(path: Path) -> Exposure:
    return acsrej.combine([acs2d.run(acsccd.run(path)), sim.simulate("HRC", seed=1).to_hdulist()])


def in_files(path: Path) -> list[Path]:
    try:
        return calacs.calacs(path, quiet=True)
    except CalacsError as error:
        print(error)
        return []


print(calacs.undefined)  # type: ignore[attr-defined]  # names that do not exist are found
