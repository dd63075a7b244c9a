"""FITS files as official CALACS reads and writes them; the only importer of astropy.io.fits in the pipeline.

Files are scanned here, card by card, because products must carry the input's cards verbatim and constant planes
(NAXIS = 0 with PIXVALUE) must be expanded and collapsed by the official rules.  Compressed images, rare kinds of table
columns and objects in memory go through astropy.

Notes
-----
Conventions: HSTCAL ``hstio/hstio.c`` and ``hstio/keyword.c``.
"""

from calacs.fits.images import (
    BLOCK_ROWS,
    ImageFile,
    Plane,
    as_exposure,
    as_headers,
    from_hdulist,
    open_image,
    read_exposure,
    read_headers,
)
from calacs.fits.tables import Table, read_table, read_tables
from calacs.fits.writing import (
    Create,
    check_folder,
    check_updatable,
    copy_renamed,
    may_clobber,
    new_file,
    refuse_existing,
    replacing,
    set_true,
    settle_planes,
    to_hdulist,
    update_dq,
    write_exposure,
    write_planes,
)

__all__ = [
    "BLOCK_ROWS",
    "Create",
    "ImageFile",
    "Plane",
    "Table",
    "as_exposure",
    "as_headers",
    "check_folder",
    "check_updatable",
    "copy_renamed",
    "from_hdulist",
    "may_clobber",
    "new_file",
    "open_image",
    "read_exposure",
    "read_headers",
    "read_table",
    "read_tables",
    "refuse_existing",
    "replacing",
    "set_true",
    "settle_planes",
    "to_hdulist",
    "update_dq",
    "write_exposure",
    "write_planes",
]
