"""Charge-transfer efficiency: wrappers of csrc/cte*.c.  Images are float32 (n_col, n_row), row 0 next to the register."""
import numpy as np

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int32_t

from calacs._core.common cimport (
    CAL_CTE_AUTO, CAL_CTE_AVX2, CAL_CTE_AVX512, CAL_CTE_BASELINE, CAL_CTE_SCALAR, cal_cte_combine, cal_cte_forward,
    cal_cte_gather, cal_cte_inverse, cal_cte_isa, cal_cte_model, cal_cte_plan, cal_cte_plan_make, cal_cte_plan_size,
    cal_cte_smooth, cal_cte_smooth_rms, cal_cte_traps, check)

ISA = {"auto": CAL_CTE_AUTO, "scalar": CAL_CTE_SCALAR, "baseline": CAL_CTE_BASELINE, "avx2": CAL_CTE_AVX2,
       "avx512": CAL_CTE_AVX512}


cdef int fits(bint good, str what) except -1:
    """Raise ValueError unless the shapes belong together."""
    if not good:
        raise ValueError(f"shapes do not belong together: {what}")
    return 0


def resolve_isa(int isa):
    """Code of the instruction set that the request leads to, negative if this machine has it not."""
    return cal_cte_isa(isa)


def make_plan(const double[::1] charge, const double[::1] capture, const float[:, ::1] release,
              const float[:, ::1] held, ptrdiff_t n_transfer, ptrdiff_t n_iteration, double read_noise,
              bint fix_cosmic_rays, double oversubtraction, int isa):
    """A prepared model, as an opaque array."""
    cdef ptrdiff_t n_level = charge.shape[0], n_tail = release.shape[1]
    cdef cal_cte_model model
    cdef double[::1] memory
    fits(capture.shape[0] == n_level and release.shape[0] == n_level and held.shape[0] == n_level
         and held.shape[1] == n_tail and n_level > 0 and n_tail > 0, "charge, capture, release, held")
    memory = np.empty(check(cal_cte_plan_size(n_level, n_tail)) // 8 + 1)
    model = cal_cte_model(n_level, n_tail, &charge[0], &capture[0], &release[0, 0], &held[0, 0], n_transfer,
                          n_iteration, read_noise, fix_cosmic_rays, oversubtraction)
    check(cal_cte_plan_make(&model, isa, <cal_cte_plan *>&memory[0]))
    return np.asarray(memory)


def traps(const int32_t[::1] index, const double[:, ::1] node, ptrdiff_t first, double fraction, float[:, ::1] result,
          unsigned char[::1] covered):
    """Fill `result` with the trap density and `covered` with 1 for the columns that have an entry."""
    cdef int status
    fits(node.shape[0] == index.shape[0] and node.shape[1] == 4 and covered.shape[0] == result.shape[0],
         "index, node, result, covered")
    if index.shape[0] and result.shape[0] and result.shape[1]:
        with nogil:
            status = cal_cte_traps(&index[0], &node[0, 0], index.shape[0], first, fraction, result.shape[0],
                                   result.shape[1], &result[0, 0], &covered[0])
        check(status)


def smooth(const float[:, ::1] observed, const float[:, ::1] start, ptrdiff_t col_first, ptrdiff_t col_last,
           double read_noise, int isa, float[:, ::1] result, double[:, ::1] square, double[:, ::1] count):
    """square.shape[0] smoothing iterations of columns col_first .. col_last - 1 into `result`."""
    cdef ptrdiff_t n_col = observed.shape[0], n_row = observed.shape[1]
    cdef int status
    fits(start.shape[0] == n_col and start.shape[1] == n_row and result.shape[0] == n_col
         and result.shape[1] == n_row and square.shape[1] == n_col and count.shape[1] == n_col
         and square.shape[0] == count.shape[0] and n_col > 0 and n_row > 0 and square.shape[0] > 0,
         "observed, start, result, square, count")
    with nogil:
        status = cal_cte_smooth(&observed[0, 0], &start[0, 0], n_col, n_row, col_first, col_last, square.shape[0],
                                read_noise, isa, &result[0, 0], &square[0, 0], &count[0, 0])
    check(status)


def smooth_rms(const float[:, ::1] observed, const float[:, ::1] smooth):
    """(sum of squares, number of pixels) of observed - smooth, summed pixel by pixel."""
    cdef double square = 0.0, count = 0.0
    fits(observed.shape[0] == smooth.shape[0] and observed.shape[1] == smooth.shape[1], "observed, smooth")
    if observed.shape[0] and observed.shape[1]:
        with nogil:
            cal_cte_smooth_rms(&observed[0, 0], &smooth[0, 0], observed.shape[0], observed.shape[1], &square, &count)
    return square, count


def forward(const double[::1] plan, const float[:, ::1] image, const float[:, ::1] traps, ptrdiff_t col_first,
            ptrdiff_t col_last, float[:, ::1] result):
    """Readout of columns col_first .. col_last - 1 into `result`."""
    cdef ptrdiff_t n_col = image.shape[0], n_row = image.shape[1]
    cdef int status
    fits(traps.shape[0] == n_col and traps.shape[1] == n_row and result.shape[0] == n_col
         and result.shape[1] == n_row and 0 <= col_first < col_last <= n_col and n_row > 0, "image, traps, result")
    with nogil:
        status = cal_cte_forward(<const cal_cte_plan *>&plan[0], &image[col_first, 0], &traps[col_first, 0],
                                 col_last - col_first, n_row, &result[col_first, 0])
    check(status)


def inverse(const double[::1] plan, const float[:, ::1] image, const float[:, ::1] traps, ptrdiff_t col_first,
            ptrdiff_t col_last, float[:, ::1] result, int32_t[::1] n_run):
    """Restored columns col_first .. col_last - 1 into `result`, times each was inverted into `n_run`."""
    cdef ptrdiff_t n_col = image.shape[0], n_row = image.shape[1]
    cdef int status
    fits(traps.shape[0] == n_col and traps.shape[1] == n_row and result.shape[0] == n_col
         and result.shape[1] == n_row and n_run.shape[0] == n_col and 0 <= col_first < col_last <= n_col
         and n_row > 0, "image, traps, result, n_run")
    with nogil:
        status = cal_cte_inverse(<const cal_cte_plan *>&plan[0], &image[col_first, 0], &traps[col_first, 0],
                                 col_last - col_first, n_row, &result[col_first, 0], &n_run[col_first])
    check(status)


def gather(const float[:, :] plane, float[:, ::1] image):
    """Copy a plane of any strides into `image`."""
    fits(plane.shape[0] == image.shape[0] and plane.shape[1] == image.shape[1] and plane.strides[0] % 4 == 0
         and plane.strides[1] % 4 == 0, "plane, image (plane with strides of whole elements)")
    if image.shape[0] and image.shape[1]:
        with nogil:
            cal_cte_gather(&plane[0, 0], image.shape[0], image.shape[1], plane.strides[0] // 4, plane.strides[1] // 4,
                           &image[0, 0])


def combine(const float[:, ::1] restored, const float[:, ::1] smooth, float[:, :] sci, float[:, :] err):
    """Add restored - smooth to `sci` and a tenth of it to `err` in quadrature, in place; planes of any strides."""
    cdef ptrdiff_t n_col = restored.shape[0], n_row = restored.shape[1]
    cdef int status
    fits(smooth.shape[0] == n_col and smooth.shape[1] == n_row and sci.shape[0] == n_col and sci.shape[1] == n_row
         and err.shape[0] == n_col and err.shape[1] == n_row and sci.strides[0] == err.strides[0]
         and sci.strides[1] == err.strides[1] and sci.strides[0] % 4 == 0 and sci.strides[1] % 4 == 0,
         "restored, smooth, sci, err (sci and err with equal strides of whole elements)")
    if n_col and n_row:
        with nogil:
            status = cal_cte_combine(&restored[0, 0], &smooth[0, 0], n_col, n_row, sci.strides[0] // 4,
                                     sci.strides[1] // 4, &sci[0, 0], &err[0, 0])
        check(status)
