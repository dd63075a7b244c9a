"""Small trimmed exposures and the reference files of acs2d, with the same bits on every machine."""

import numpy as np

from calacs.sim.files import Column, card, constant_hdu, image_hdu, primary_hdu, table_hdu, to_hdulist, write

SHAPE = (24, 30)
MJD = [52334.0, 53919.0, 53920.0, 54976.0, 54977.0, 59214.0]
RAMP = [6274.0, 6331.4, 6400.0, 6848.0]
IMAGES = {  # level and spread
    "DARKFILE": (0.01, 0.005),
    "DRKCFILE": (0.02, 0.005),
    "FLSHFILE": (3.0, 0.5),
    "PFLTFILE": (1.0, 0.1),
    "DFLTFILE": (1.0, 0.05),
    "LFLTFILE": (1.0, 0.05),
    "CFLTFILE": (0.9, 0.4),
    "SHADFILE": (0.02, 0.01),
}
KEYWORDS = {
    "TELESCOP": "HST",
    "INSTRUME": "ACS",
    "ROOTNAME": "jtrimmedq",
    "FILENAME": "x.fits",
    "OBSTYPE": "IMAGING",
    "APERTURE": "HRC",
    "FILTER1": "F606W",
    "FILTER2": "CLEAR2L",
    "EXPTIME": 100.0,
    "EXPSTART": 53000.25,
    "EXPEND": 53000.26,
    "SUBARRAY": False,
    "DARKTIME": 102.5,
    "FLASHDUR": 2.3,
    "FLASHSTA": "SUCCESSFUL",
    "TARGNAME": "NGC104",
    "DATE-OBS": "2003-12-27",
    "BLEVCORR": "COMPLETE",
    "PCTECORR": "OMIT",
    "EXPSCORR": "PERFORM",
}
CCD_KEYWORDS = {"CCDAMP": "ABCD", "CCDGAIN": 2.0, "CCDOFSTA": 3, "CCDOFSTB": 3, "CCDOFSTC": 3, "CCDOFSTD": 3}
SWITCHES = "DQICORR GLINCORR LFLGCORR DARKCORR FLSHCORR FLATCORR SHADCORR PHOTCORR".split()
NAMES = {key: f"{key.lower()}.fits" for key in (*IMAGES, "CCDTAB", "BPIXTAB", "MLINTAB", "SPOTTAB", "IMPHTTAB")}


def numbers(seed, shape):
    """Whole numbers below 2^24 in no visible order."""
    count = int(np.prod(shape))
    x = (np.arange(count, dtype=np.uint64) + np.uint64(seed * 1000003 + 1)) * np.uint64(6364136223846793005)
    x ^= x >> np.uint64(33)
    x *= np.uint64(0xFF51AFD7ED558CCD)
    x ^= x >> np.uint64(29)
    return (x >> np.uint64(40)).astype(np.int64).reshape(shape)


def pixels(seed, shape, level, spread):
    """Values around a level, rounded so that no machine can disagree."""
    steps = numbers(seed, shape) % 4096 - 2048
    return (np.float64(level) + steps * (spread / 2048.0)).astype(np.float32)


def flags(seed, shape, bits=(1, 4, 16, 64, 256, 512), *, every=8):
    """Every eighth pixel or so has one of the bits."""
    x = numbers(seed, shape)
    return np.where(x % every == 0, np.array(bits)[x // every % len(bits)], 0).astype(np.int16)


def _cards(values):
    return [card(key, value) for key, value in values.items() if value is not None]


def image_set(seed, shape, extver, chip, level, spread, *, sci=None, err=None, dq=None):
    """HDUs of one image set; `err` and `dq` are constants if given."""
    cards = _cards({"CCDCHIP": chip} | (sci or {}))
    made = [image_hdu(pixels(seed, shape, level, spread), cards, "SCI", extver)]
    for name, value, random in (
        ("ERR", err, pixels(seed + 1, shape, 5.0, 2.0)),
        ("DQ", dq, flags(seed + 2, shape)),
    ):
        made.append(
            image_hdu(random, (), name, extver) if value is None else constant_hdu(value, shape, (), name, extver)
        )
    return made


def image(
    keyword, shape=SHAPE, chips=(1,), *, level=None, spread=None, primary=None, sci=None, err=None, dq=None, seed=0
):
    """HDUs of a reference image."""
    level, spread = IMAGES[keyword][0] if level is None else level, IMAGES[keyword][1] if spread is None else spread
    values = {"NEXTEND": 3 * len(chips), "PEDIGREE": "INFLIGHT 01/01/2003", "DESCRIP": f"small {keyword}"}
    hdus = [primary_hdu(_cards(values | (primary or {})))]
    first = 100 * (1 + list(IMAGES).index(keyword)) + seed
    for extver, chip in enumerate(chips, 1):
        hdus += image_set(first + 10 * extver, shape, extver, chip, level, spread, sci=sci, err=err, dq=dq)
    return hdus


def table(columns, primary=None, name=""):
    """HDUs of a table: columns are (name, form, values)."""
    values = {"PEDIGREE": "GROUND", "DESCRIP": "small table"} | (primary or {})
    return [primary_hdu(_cards(values)), table_hdu([Column(*column) for column in columns], (), name)]


def ccdtab(*rows, primary=None, pedigree=None):
    """HDUs of a CCDTAB; rows give what differs from a plain one."""
    whole = dict.fromkeys("BINAXIS1 BINAXIS2".split(), 1) | dict.fromkeys((f"CCDOFST{a}" for a in "ABCD"), 3)
    whole |= {"CCDCHIP": 1, "CCDGAIN": 2, "AMPX": 15, "AMPY": 12, "ATODSAT": 110}
    real = {"SATURATE": 80000.0, "OVRHFLS": 3.0, "OVRHUFLS": 1.0}
    for number, amp in enumerate("ABCD"):
        real |= {f"CCDBIAS{amp}": 2000.0, f"ATODGN{amp}": 2.0 + number / 8, f"READNSE{amp}": 4.25 + number / 4}
    found = [{"CCDAMP": "ABCD"} | whole | real | row for row in rows or ({},)]
    columns = [("CCDAMP", "4A", [row["CCDAMP"] for row in found])]
    columns += [(name, "J", [row[name] for row in found]) for name in whole]
    columns += [(name, "E", [row[name] for row in found]) for name in real]
    if pedigree:
        columns += [("PEDIGREE", "20A", pedigree), ("DESCRIP", "20A", [f"row {i}" for i in range(len(found))])]
    return table(columns, primary)


def bpixtab(*rows, primary=None):
    """HDUs of a BPIXTAB: rows of CCDAMP, CCDCHIP, CCDGAIN, PIX1, PIX2, LENGTH, AXIS, VALUE."""
    rows = rows or (("ANY", -1, -999, 4, 3, 5, 1, 16), ("N/A", -1, -1, 8, 2, 40, 2, 32), ("ANY", 7, -1, 1, 1, 9, 1, 4))
    names = "CCDAMP CCDCHIP CCDGAIN PIX1 PIX2 LENGTH AXIS VALUE".split()
    forms = ["4A", *["J"] * 7]
    return table([(*pair, [row[i] for row in rows]) for i, pair in enumerate(zip(names, forms, strict=True))], primary)


def mlintab(detector="SBC", limits=(200000.0, 1.1), tau=1e-7, expand=1.5, *, primary=None, pedigree="GROUND"):
    """HDUs of an MLINTAB."""
    columns = [
        ("DETECTOR", "8A", ["NONE", detector]),
        ("GLOBAL_LIMIT", "D", [1.0, limits[0]]),
        ("LOCAL_LIMIT", "D", [1.0, limits[1]]),
        ("TAU", "D", [1.0, tau]),
        ("EXPAND", "E", [1.0, expand]),
        ("PEDIGREE", "20A", ["GROUND", pedigree]),
        ("DESCRIP", "20A", ["other", "this"]),
    ]
    return table(columns, primary)


def spottab(*rows, primary=None):
    """HDUs of a SPOTTAB: rows of DATE, SHIFTX, SHIFTY."""
    rows = rows or (("01/01/02", 9.0, 9.0), ("26/12/03", 1.25, 2.5), ("01/01/05", 8.0, 8.0))
    return table(
        [
            (*pair, [row[i] for row in rows])
            for i, pair in enumerate((("DATE", "8A"), ("SHIFTX", "E"), ("SHIFTY", "E")))
        ],
        primary,
    )


def imphttab(*rows, primary=None, drop=(), names=("PHOTFLAM", "PHOTPLAM", "PHOTBW"), detector="hrc"):
    """HDUs of an IMPHTTAB: rows of OBSMODE, parameter names, their grids; results are made up."""
    rows = rows or (
        (f"acs,{detector},f606w,MJD#", ["MJD#"], [MJD]),
        (f"acs,{detector},fr656n#,MJD#", ["FR656N#", "MJD#"], [RAMP, MJD]),
        (f"acs,{detector},pol_uv,f606w,MJD#", ["MJD#"], [MJD]),
        (f"acs,{detector},f555w,mjd#", [], []),
        (f"acs,{detector},coron,f606w,MJD#", ["MJD#"], [MJD]),
        (f"acs,{detector},,f115lp,mjd#".replace(",,", ","), ["MJD#"], [MJD]),
    )
    values = {"NEXTEND": 3, "PARNUM": 2, "PHOTZPT": -21.1, "EXTRAP": True, "PEDIGREE": "INFLIGHT", "DESCRIP": "small"}
    hdus = [primary_hdu(_cards(values | (primary or {})))]
    for number, name in enumerate(names):
        scale = (1e-19, 6000.0, 700.0)[number % 3]
        columns = [
            ("OBSMODE", "40A", [row[0] for row in rows]),
            ("DATACOL", "12A", [name + (str(len(row[1])) if row[1] else "") for row in rows]),
            (name, "D", [scale * 1.5] * len(rows)),
        ]
        for place in (1, 2):
            results = [
                scale * (1 + numbers(50 + 7 * number + i, int(np.prod([len(axis) for axis in row[2]]))) % 1000 / 1024)
                if len(row[1]) == place
                else [0.0]
                for i, row in enumerate(rows)
            ]
            columns += [
                (f"{name}{place}", "PD", results),
                (f"PAR{place}NAMES", "8A", [row[1][place - 1] if len(row[1]) >= place else "" for row in rows]),
                (f"PAR{place}VALUES", "PD", [row[2][place - 1] if len(row[1]) >= place else [0.0] for row in rows]),
                (f"NELEM{place}", "I", [len(row[2][place - 1]) if len(row[1]) >= place else 1 for row in rows]),
            ]
        hdus += table([column for column in columns if column[0] not in drop], name=name)[1:]
    return hdus


TABLES = {"CCDTAB": ccdtab, "BPIXTAB": bpixtab, "MLINTAB": mlintab, "SPOTTAB": spottab, "IMPHTTAB": imphttab}


def science(
    detector="HRC",
    shape=SHAPE,
    chips=(1,),
    *,
    keywords=None,
    sci=None,
    level=100.0,
    spread=60.0,
    err=None,
    dq=None,
    seed=0,
):
    """HDUs of an exposure; all switches are OMIT, all reference names are those of `NAMES`."""
    values = KEYWORDS | {"NEXTEND": 3 * len(chips), "DETECTOR": detector} | dict.fromkeys(SWITCHES, "OMIT")
    values |= {} if detector == "SBC" else CCD_KEYWORDS
    values |= NAMES | dict.fromkeys(("DFLTFILE", "LFLTFILE", "CFLTFILE", "SPOTTAB"), "N/A")
    values |= {key.replace("_", "-"): value for key, value in (keywords or {}).items()}
    hdus = [primary_hdu(_cards(values))]
    plain = {"BUNIT": "COUNTS", "GLOBRATE": 3000.0} if detector == "SBC" else {"BUNIT": "ELECTRONS"}
    for extver, chip in enumerate(chips, 1):
        hdus += image_set(
            seed + 10 * extver, shape, extver, chip, level, spread, sci=plain | (sci or {}), err=err, dq=dq
        )
    return hdus


def references(*, used, chips=(1,), detector="HRC", **options):
    """HDUs of reference files by keyword; `options` holds arguments of the makers by keyword, or HDUs."""
    found = {}
    for key in used:
        given = options.get(key, {})
        if isinstance(given, list):
            found[key] = given
        elif key in IMAGES:
            found[key] = image(key, **{"chips": (1,) if key == "CFLTFILE" else chips} | given)
        elif key == "IMPHTTAB":
            found[key] = imphttab(**{"detector": "wfc1" if detector == "WFC" else detector.lower()} | given)
        elif key == "CCDTAB":
            rows = given.get("rows", [{"CCDCHIP": chip} for chip in sorted(chips)])
            found[key] = ccdtab(*rows, **{name: value for name, value in given.items() if name != "rows"})
        else:
            rows = given.get("rows", ())
            found[key] = TABLES[key](*rows, **{name: value for name, value in given.items() if name != "rows"})
    return found


def write_all(folder, name, exposure, refs):
    """Write an exposure and its reference files; the path of the exposure."""
    for key, hdus in refs.items():
        write(folder / NAMES[key], hdus, overwrite=True)
    return write(folder / name, exposure, overwrite=True)


def in_memory(exposure, refs):
    """An exposure and its reference files as `astropy.io.fits.HDUList` objects."""
    return to_hdulist(exposure), {key.lower(): to_hdulist(hdus) for key, hdus in refs.items()}
