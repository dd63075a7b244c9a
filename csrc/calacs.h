/* calacs.h -- the C core of calacs: the whole public contract.
 *
 * Every kernel is a pure function: arrays in, arrays out, a status code back.
 * No kernel allocates what it returns, keeps state between calls, prints, or exits.
 *
 * Conventions
 *   Images    C-contiguous, row-major, (n_row, n_col), native byte order; row 0 is FITS line 1.
 *             SCI and ERR are float, DQ is int16_t.
 *   Indices   zero-based; ranges are half-open [first, last) unless a note says otherwise.
 *   Sizes     ptrdiff_t.
 *   Status    CAL_OK, < 0 error (outputs are undefined), > 0 notice (outputs are valid).
 *   Rounding  float expressions are rounded to float after each operation, left to right;
 *             "in double" means evaluated in double and rounded once on storing.
 *             Build without contraction to fused multiply-add: bits then agree on all machines.
 */
#ifndef CALACS_H
#define CALACS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_MSC_VER)
#define CAL_RESTRICT __restrict
#else
#define CAL_RESTRICT restrict
#endif

/* ---- status ---------------------------------------------------------------------------------- */

enum {
    CAL_OK = 0,
    CAL_NO_MEMORY = -1,    /* workspace could not be allocated */
    CAL_BAD_SIZE = -2,     /* a size or range does not fit the arrays */
    CAL_BAD_VALUE = -3,    /* a parameter is outside its domain */
    CAL_SINGULAR = 1,      /* a fit had no unique solution: the documented default was returned */
    CAL_NO_DATA = 2        /* no usable value: the documented default was returned */
};

/* cal_status_text -- explain a status code.
 * Given     status int
 * Returned  (value) const char * : one line of English, never NULL
 */
const char *cal_status_text(int status);

/* ---- numeric: small statistics used by several kernels ---------------------------------------- */

/* cal_median -- median of a list; the list is reordered.
 * Given     value double[n] (any unit);  n ptrdiff_t >= 0
 * Returned  median double * : middle value, or the mean of the two middle values for even n; 0 for n == 0
 * Status    CAL_OK, CAL_NO_DATA (n == 0), CAL_BAD_SIZE (n < 0)
 */
int cal_median(double *value, ptrdiff_t n, double *median);

/* A straight line v(t) = intercept + slope (t - middle). */
typedef struct {
    double slope;
    double intercept;
} cal_line;

/* cal_line_fit -- straight line through usable values by least squares.
 * Given     value double[n] (any unit);  used unsigned char[n]: 0 leaves the value out;  n ptrdiff_t;
 *           first double: abscissa of value[0] (step 1);  middle double: abscissa where the intercept holds
 * Returned  fit cal_line * : slope (unit per step), intercept at `middle`; untouched unless CAL_OK
 * Status    CAL_OK, CAL_NO_DATA (no usable value), CAL_SINGULAR (fewer than two abscissae), CAL_BAD_SIZE
 * Notes     Sums in double, in list order.  Algorithm of HSTCAL acsccd/blevfit.c and blevdrift.c.
 */
int cal_line_fit(const double *value, const unsigned char *used, ptrdiff_t n, double first, double middle,
                 cal_line *fit);

/* ---- blev: bias level from the overscan -------------------------------------------------------- */

/* Columns first..last, inclusive; last < first is an empty section. */
typedef struct {
    ptrdiff_t first;
    ptrdiff_t last;
} cal_section;

/* cal_blev_rows -- bias level of each image line: median over the overscan pixels of the line.
 * Given     sci const float[n_row][n_col] (electron);  dq const int16_t[n_row][n_col];
 *           bad_bits int16_t: a pixel with any of these DQ bits is not used;
 *           row, n_level ptrdiff_t: lines row .. row + n_level - 1 are measured;
 *           section const cal_section[n_section]: overscan columns
 * Returned  level double[n_level] (electron): 0 where no pixel is usable;  used unsigned char[n_level]: 1 where measured
 * Status    CAL_OK, CAL_BAD_SIZE, CAL_NO_MEMORY
 * Notes     Algorithm of HSTCAL acsccd/findblev.c.
 */
int cal_blev_rows(const float *sci, const int16_t *dq, ptrdiff_t n_row, ptrdiff_t n_col, int16_t bad_bits,
                  ptrdiff_t row, ptrdiff_t n_level, const cal_section *section, ptrdiff_t n_section,
                  double *level, unsigned char *used);

/* cal_blev_columns -- bias level of each column of the virtual overscan: median over lines.
 * Given     sci, dq, bad_bits as above;  column, n_level: columns column .. column + n_level - 1;
 *           lines cal_section: first..last line of the virtual overscan
 * Returned  level, used as above, one per column
 * Status    CAL_OK, CAL_BAD_SIZE, CAL_NO_MEMORY
 */
int cal_blev_columns(const float *sci, const int16_t *dq, ptrdiff_t n_row, ptrdiff_t n_col, int16_t bad_bits,
                     ptrdiff_t column, ptrdiff_t n_level, cal_section lines, double *level, unsigned char *used);

/* cal_blev_clip -- leave out lines whose level is too high to be bias.
 * Given     level const double[n] (electron);  used unsigned char[n];  n ptrdiff_t;  read_noise float (electron)
 * Returned  used: cleared for rejected lines;  n_rejected ptrdiff_t *
 * Status    CAL_OK, CAL_NO_DATA (no usable line: nothing is done)
 * Notes     Two passes: 3 sigma (sigma at most sqrt(mean)), then 3 read noises, above the mean.
 *           PARITY: both thresholds are truncated to integers, unused lines (level 0) take part in the comparison and
 *           a line may be counted twice, as in HSTCAL acsccd/doblev.c.
 */
int cal_blev_clip(const double *level, unsigned char *used, ptrdiff_t n, float read_noise, ptrdiff_t *n_rejected);

/* Region of one amplifier and the bias level to subtract from it. */
typedef struct {
    ptrdiff_t row_first, row_last; /* half-open */
    ptrdiff_t col_first, col_last; /* half-open */
    cal_line line;                 /* level against image line (electron) */
    double line_middle;            /* image line where line.intercept holds */
    double drift;                  /* slope of the level along columns (electron / pixel) */
    double drift_zero;             /* column where the drift is 0 */
} cal_blev_region;

/* cal_blev_subtract -- subtract a bias level that varies linearly along lines and columns.
 * Given     sci float[n_row][n_col] (electron);  region const cal_blev_region *
 * Returned  sci: level subtracted inside the region
 * Status    CAL_OK, CAL_BAD_SIZE
 * Notes     (sci - level(row)) - drift(col) in double, rounded once.
 */
int cal_blev_subtract(float *sci, ptrdiff_t n_row, ptrdiff_t n_col, const cal_blev_region *region);

#ifdef __cplusplus
}
#endif
#endif
