"""Statistics of good pixels: wrapper of csrc/stat.c."""
from libc.stdint cimport int16_t

from calacs._core.common cimport cal_stat_add, cal_stat_image, same_float_shape, same_shape


def good(const float[:, ::1] sci, const float[:, ::1] err, const int16_t[:, ::1] dq, int16_t bad_bits):
    """Count and (sum, min, max) of SCI, ERR and SCI/ERR over good pixels.

    Returns
    -------
    n_good, n_no_error : int
        Good pixels, and pixels left out for their error alone.
    sci, err, snr : tuple of float
    """
    cdef cal_stat_image stat
    same_float_shape(sci, err)
    same_shape(sci, dq)
    stat.n_good = stat.n_no_error = 0
    stat.sci.sum = stat.sci.min = stat.sci.max = 0.0
    stat.err = stat.snr = stat.sci
    if sci.size:
        with nogil:
            cal_stat_add(&sci[0, 0], &err[0, 0], &dq[0, 0], sci.shape[0] * sci.shape[1], bad_bits, &stat)
    return (stat.n_good, stat.n_no_error, (stat.sci.sum, stat.sci.min, stat.sci.max),
            (stat.err.sum, stat.err.min, stat.err.max), (stat.snr.sum, stat.snr.min, stat.snr.max))
