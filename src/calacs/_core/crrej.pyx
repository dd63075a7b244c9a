"""Rejection of cosmic rays: wrappers of csrc/crrej.c and csrc/crrej_sky.c.

Images are C-contiguous blocks of whole rows; an empty block is refused.  `rule` is (sigma2, scale, spread2, radius2, width,
bad_bits) of `cal_crrej_rule`.
"""
import numpy as np

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int16_t, int32_t
from libc.stdlib cimport free, malloc

from calacs._core.common cimport (
    cal_crrej_accumulate, cal_crrej_average, cal_crrej_bins, cal_crrej_bins_of, cal_crrej_finish, cal_crrej_histogram,
    cal_crrej_image, cal_crrej_median, cal_crrej_merge, cal_crrej_minimum, cal_crrej_mode, cal_crrej_range,
    cal_crrej_range_add, cal_crrej_rule, cal_crrej_scan, check, same_float_shape, same_shape)


cdef int fits(bint condition, str names) except -1:
    """Raise ValueError unless the arrays have the shapes that belong together."""
    if not condition:
        raise ValueError(f"{names}: the shapes of the arrays do not belong together, or are empty")
    return 0


cdef cal_crrej_image image_of(const float[:, ::1] sci, const float[:, ::1] err, float time, float sky) except *:
    """C form of one exposure."""
    cdef cal_crrej_image image
    fits(sci.size > 0, "sci")
    same_float_shape(sci, err)
    image.sci, image.err, image.dq, image.time, image.sky = &sci[0, 0], &err[0, 0], NULL, time, sky
    return image


cdef const float *shade_of(const float[:, ::1] shade, ptrdiff_t n_row, ptrdiff_t n_col) except? NULL:
    """C form of an optional image."""
    if shade is None:
        return NULL
    fits(shade.shape[0] >= n_row and shade.shape[1] == n_col, "shade")
    return &shade[0, 0]


def add_to_range(const float[:, ::1] sci, const int16_t[:, ::1] dq, int16_t bad_bits, range):
    """Extend (lowest, sum, count) by the good pixels."""
    cdef cal_crrej_range c_range
    c_range.lowest, c_range.sum, c_range.count = range
    same_shape(sci, dq)
    if sci.size:
        with nogil:
            cal_crrej_range_add(&sci[0, 0], &dq[0, 0], sci.shape[0] * sci.shape[1], bad_bits, &c_range)
    return c_range.lowest, c_range.sum, c_range.count


def bins_of(range):
    """(low, width, n_bin) for the pixels of a range."""
    cdef cal_crrej_range c_range
    cdef cal_crrej_bins bins
    c_range.lowest, c_range.sum, c_range.count = range
    check(cal_crrej_bins_of(&c_range, &bins))
    return bins.low, bins.width, bins.n_bin


def add_to_histogram(const float[:, ::1] sci, const int16_t[:, ::1] dq, bins, int32_t[::1] count):
    """Count the pixels without flags, in place; the last element counts all others."""
    cdef cal_crrej_bins c_bins
    cdef int status
    c_bins.low, c_bins.width, c_bins.n_bin = bins
    same_shape(sci, dq)
    fits(count.shape[0] == c_bins.n_bin + 1, "count")
    if sci.size:
        with nogil:
            status = cal_crrej_histogram(&sci[0, 0], &dq[0, 0], sci.shape[0] * sci.shape[1], &c_bins, &count[0])
        check(status)


def mode(const int32_t[::1] count, bins):
    """Peak of a histogram."""
    cdef cal_crrej_bins c_bins
    cdef float value = 0.0
    c_bins.low, c_bins.width, c_bins.n_bin = bins
    fits(count.shape[0] == c_bins.n_bin + 1, "count")
    check(cal_crrej_mode(&count[0], &c_bins, &value))
    return value


def guess(images, bint median, int16_t bad_bits, float[:, ::1] result):
    """First guess from [(sci, dq, time, sky), ...]: their median or minimum, into `result`."""
    cdef ptrdiff_t n_image = len(images), n = result.shape[0] * result.shape[1], k
    cdef cal_crrej_image *image
    cdef const float[:, ::1] sci
    cdef const int16_t[:, ::1] dq
    cdef int status
    fits(n > 0 and n_image > 0, "result")
    image = <cal_crrej_image *>malloc(n_image * sizeof(cal_crrej_image))
    if image == NULL:
        raise MemoryError("no memory for the list of images")
    try:
        for k in range(n_image):
            sci, dq, image[k].time, image[k].sky = images[k]
            same_float_shape(result, sci)
            same_shape(sci, dq)
            image[k].sci, image[k].err, image[k].dq = &sci[0, 0], NULL, &dq[0, 0]
        with nogil:
            if median:
                status = cal_crrej_median(image, n_image, n, bad_bits, &result[0, 0])
            else:
                status = cal_crrej_minimum(image, n_image, n, bad_bits, &result[0, 0])
        check(status)
    finally:
        free(image)


def scan(const float[:, ::1] sci, const float[:, ::1] err, float time, float sky, rule, const float[:, ::1] guess,
         const float[:, ::1] shade, ptrdiff_t n_scan, int16_t[:, ::1] mask, int16_t[:, ::1] raw):
    """Search the first `n_scan` rows for cosmic rays; `mask` is changed, `raw` (may be None) filled."""
    cdef cal_crrej_image image = image_of(sci, err, time, sky)
    cdef cal_crrej_rule c_rule
    cdef ptrdiff_t n_row = sci.shape[0], n_col = sci.shape[1]
    cdef const float *c_shade = shade_of(shade, n_row, n_col)
    cdef int16_t *c_raw = NULL
    cdef int status
    c_rule.sigma2, c_rule.scale, c_rule.spread2, c_rule.radius2, c_rule.width, c_rule.bad_bits = rule
    same_float_shape(sci, guess)
    same_shape(sci, mask)
    if raw is not None:
        fits(raw.shape[0] >= n_scan and raw.shape[1] == n_col and raw.size > 0, "raw")
        c_raw = &raw[0, 0]
    with nogil:
        status = cal_crrej_scan(&image, &c_rule, &guess[0, 0], c_shade, n_row, n_scan, n_col, &mask[0, 0], c_raw)
    check(status)


def accumulate(const float[:, ::1] sci, const float[:, ::1] err, float time, float sky, const int16_t[:, ::1] mask,
               int16_t left_out, float[:, ::1] sum, float[:, ::1] time_sum, float[:, ::1] square):
    """Add the pixels that are not left out to the sums, in place; `square` may be None."""
    cdef cal_crrej_image image = image_of(sci, err, time, sky)
    cdef float *c_square = NULL
    same_shape(sci, mask)
    same_float_shape(sci, sum)
    same_float_shape(sci, time_sum)
    if square is not None:
        same_float_shape(sci, square)
        c_square = &square[0, 0]
    with nogil:
        cal_crrej_accumulate(&image, &mask[0, 0], left_out, sci.shape[0] * sci.shape[1], &sum[0, 0], &time_sum[0, 0],
                             c_square)


def merge(const int16_t[:, ::1] mask, const int16_t[:, ::1] raw, int16_t flag, int16_t[:, ::1] seen,
          int16_t[:, ::1] dq, unsigned char[:, ::1] hit):
    """Merge the flags of one image into `seen` and `dq`; fill `hit` (may be None); the number of rejected pixels."""
    cdef ptrdiff_t n_row = mask.shape[0], n_col = mask.shape[1], n_rejected
    cdef unsigned char *c_hit = NULL
    fits(raw.shape[0] == n_row and raw.shape[1] == n_col and seen.shape[0] == n_row and seen.shape[1] == n_col
         and dq.shape[0] == n_row and dq.shape[1] == n_col and mask.size > 0, "mask, raw, seen, dq")
    if hit is not None:
        fits(hit.shape[0] == n_row and hit.shape[1] == (n_col + 7) // 8, "hit")
        c_hit = &hit[0, 0]
    with nogil:
        n_rejected = cal_crrej_merge(&mask[0, 0], &raw[0, 0], n_row, n_col, flag, &seen[0, 0], &dq[0, 0], c_hit)
    return n_rejected


def average(const float[:, ::1] sum, const float[:, ::1] time_sum, const float[:, ::1] shade, float[:, ::1] guess):
    """Count rate of what was not left out, into `guess`."""
    cdef ptrdiff_t n = sum.shape[0] * sum.shape[1]
    cdef const float *c_shade = shade_of(shade, sum.shape[0], sum.shape[1])
    fits(n > 0, "sum")
    same_float_shape(sum, time_sum)
    same_float_shape(sum, guess)
    with nogil:
        cal_crrej_average(&sum[0, 0], &time_sum[0, 0], c_shade, n, &guess[0, 0])


def finish(const float[:, ::1] sum, const float[:, ::1] time_sum, const float[:, ::1] square,
           const float[:, ::1] shade, float total, float sky, float[:, ::1] sci, float[:, ::1] err):
    """The combined image and its error, into `sci` and `err`."""
    cdef ptrdiff_t n = sum.shape[0] * sum.shape[1]
    cdef const float *c_shade = shade_of(shade, sum.shape[0], sum.shape[1])
    fits(n > 0, "sum")
    same_float_shape(sum, time_sum)
    same_float_shape(sum, square)
    same_float_shape(sum, sci)
    same_float_shape(sum, err)
    with nogil:
        cal_crrej_finish(&sum[0, 0], &time_sum[0, 0], &square[0, 0], c_shade, n, total, sky, &sci[0, 0], &err[0, 0])
