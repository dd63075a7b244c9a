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

/* cal_compiler -- the compiler that made this library.
 * Given     nothing
 * Returned  (value) const char * : name and version, never NULL
 */
const char *cal_compiler(void);

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

/* ---- cte: charge-transfer efficiency ------------------------------------------------------------
 *
 * Images here are column by column: float[n_col][n_row], each column contiguous, row 0 next to the readout register;
 * charge moves toward row 0.  Unit electron.  Columns do not exchange charge.
 */

/* Instruction sets.  All give the same bits; CAL_CTE_SCALAR is the plain statement of the algorithm. */
enum {
    CAL_CTE_AUTO = 0,
    CAL_CTE_SCALAR = 1,
    CAL_CTE_BASELINE = 2,
    CAL_CTE_AVX2 = 3,
    CAL_CTE_AVX512 = 4
};

/* cal_cte_isa -- the instruction set that a request leads to on this machine.
 * Given     isa int: one of CAL_CTE_*
 * Returned  (value) int : the one that will run, the best one for CAL_CTE_AUTO
 * Status    CAL_BAD_VALUE: unknown, not compiled in, or not offered by this processor
 */
int cal_cte_isa(int isa);

/* The trap model of one readout direction. */
typedef struct {
    ptrdiff_t n_level;      /* trap levels, >= 1 */
    ptrdiff_t n_tail;       /* pixels a trail lasts, >= 1 */
    const double *charge;   /* [n_level] packet size from which a level captures (electron), non-decreasing */
    const double *capture;  /* [n_level] electrons a level captures over the whole readout at unit trap density */
    const float *release;   /* [n_level][n_tail] fraction released at 1, 2, ... pixels after the capture */
    const float *held;      /* [n_level][n_tail] fraction still held then, set free by the next capture */
    ptrdiff_t n_transfer;   /* sub-steps of one simulated readout, >= 1 (PCTENPAR) */
    ptrdiff_t n_iteration;  /* readouts simulated to invert one (PCTENFOR); less than 1 counts as 1 */
    double read_noise;      /* electron; corrections well below it are damped */
    int fix_cosmic_rays;    /* 1: weaken the traps where a trail is subtracted that was never there (FIXROCR) */
    double oversubtraction; /* a restored pixel below this is over-subtracted (electron, PCTETRSH) */
} cal_cte_model;

/* A model prepared for an instruction set; lives in memory of the caller. */
typedef struct cal_cte_plan cal_cte_plan;

/* cal_cte_plan_size -- bytes that cal_cte_plan_make needs.
 * Given     n_level, n_tail ptrdiff_t
 * Returned  (value) ptrdiff_t : bytes
 * Status    CAL_BAD_SIZE (negative value)
 */
ptrdiff_t cal_cte_plan_size(ptrdiff_t n_level, ptrdiff_t n_tail);

/* cal_cte_plan_make -- prepare a model.
 * Given     model const cal_cte_model *;  isa int: CAL_CTE_*
 * Returned  plan cal_cte_plan * : memory of at least cal_cte_plan_size bytes, aligned for double; holds pointers into
 *           itself, so it must not be moved; the model's arrays are not needed afterwards
 * Status    CAL_OK, CAL_BAD_SIZE, CAL_BAD_VALUE (sub-steps, unknown isa, non-finite table)
 */
int cal_cte_plan_make(const cal_cte_model *model, int isa, cal_cte_plan *plan);

/* cal_cte_traps -- trap density of each pixel from the sensitivity table.
 * Given     index const int32_t[n_entry]: column number of each entry;  node const double[n_entry][4]: relative density;
 *           n_entry, first ptrdiff_t: entry with index i belongs to column i - first;  fraction double: time scaling
 * Returned  traps float[n_col][n_row]: columns without an entry are left alone;  covered unsigned char[n_col]: set to 1
 *           for the columns filled, others left alone
 * Status    CAL_OK, CAL_BAD_SIZE
 * Notes     (node interpolated at row) * ((row + 1) / 2048) * fraction in double, rounded once.
 *           PARITY: the nodes are taken at rows 0, 512, 1024, 1536, one node nearer to the register than their names, and
 *           the density per row is frozen from row 1536 on, as in HSTCAL ctegen2.c.
 */
int cal_cte_traps(const int32_t *index, const double *node, ptrdiff_t n_entry, ptrdiff_t first, double fraction,
                  ptrdiff_t n_col, ptrdiff_t n_row, float *traps, unsigned char *covered);

/* cal_cte_smooth -- some iterations of the read-noise smoothing, for some of the columns.
 * Given     observed, start const float[n_col][n_row]: the image and the smooth image so far;
 *           col_first, col_last ptrdiff_t: columns to compute;  n_iteration ptrdiff_t >= 1;
 *           read_noise double > 0 (electron);  isa int
 * Returned  result float[n_col][n_row]: columns col_first..col_last-1, must not overlap `start`;
 *           square, count double[n_iteration][n_col]: per iteration and column of the range, the sum of squares of
 *           observed - smooth and the number of pixels in it (|observed| or |smooth| above 0.1)
 * Status    CAL_OK, CAL_BAD_SIZE, CAL_BAD_VALUE, CAL_NO_MEMORY
 * Notes     Jacobi iterations: an image may be cut into ranges of columns in any way.  Each range starts from
 *           n_iteration columns on either side of it, so that ranges need nothing of one another.
 *           Algorithm of HSTCAL ctegen2.c (Anderson & Bedin 2010, PASP 122, 1035; Anderson & Ryon, ACS ISR 2018-04).
 */
int cal_cte_smooth(const float *observed, const float *start, ptrdiff_t n_col, ptrdiff_t n_row, ptrdiff_t col_first,
                   ptrdiff_t col_last, ptrdiff_t n_iteration, double read_noise, int isa, float *result,
                   double *square, double *count);

/* cal_cte_smooth_rms -- sum the squares of observed - smooth pixel by pixel in column order.
 * Given     observed, smooth const float[n_col][n_row]
 * Returned  square, count double * : as of cal_cte_smooth, over the whole image
 * Status    CAL_OK, CAL_BAD_SIZE
 * Notes     PARITY: the order of HSTCAL on one thread.
 */
int cal_cte_smooth_rms(const float *observed, const float *smooth, ptrdiff_t n_col, ptrdiff_t n_row, double *square,
                       double *count);

/* cal_cte_forward -- simulate the readout: what the traps make of an image.
 * Given     plan;  image, traps const float[n_col][n_row] (electron, relative density)
 * Returned  result float[n_col][n_row] (electron); may be `image` itself
 * Status    CAL_OK, CAL_BAD_SIZE, CAL_NO_MEMORY
 */
int cal_cte_forward(const cal_cte_plan *plan, const float *image, const float *traps, ptrdiff_t n_col, ptrdiff_t n_row,
                    float *result);

/* cal_cte_inverse -- restore the image that the readout turned into the given one.
 * Given     plan;  image, traps const float[n_col][n_row] (electron, relative density)
 * Returned  result float[n_col][n_row] (electron); may be `image` itself;
 *           n_run int32_t[n_col] or NULL: times the column was inverted, above 1 where readout cosmic rays were treated
 * Status    CAL_OK, CAL_BAD_SIZE, CAL_NO_MEMORY
 */
int cal_cte_inverse(const cal_cte_plan *plan, const float *image, const float *traps, ptrdiff_t n_col, ptrdiff_t n_row,
                    float *result, int32_t *n_run);

/* cal_cte_gather -- columns of a plane of any orientation.
 * Given     plane const float *: pixel (col, row) at plane[col * col_step + row * row_step], steps in elements, of either
 *           sign
 * Returned  image float[n_col][n_row]
 * Status    CAL_OK, CAL_BAD_SIZE
 */
int cal_cte_gather(const float *plane, ptrdiff_t n_col, ptrdiff_t n_row, ptrdiff_t col_step, ptrdiff_t row_step,
                   float *image);

/* cal_cte_combine -- add a correction to an image and a tenth of it to the error, in quadrature.
 * Given     restored, smooth const float[n_col][n_row] (electron);  col_step, row_step ptrdiff_t: as of cal_cte_gather
 * Returned  sci, err float *: pixel (col, row) at sci[col * col_step + row * row_step] (electron); must not overlap
 * Status    CAL_OK, CAL_BAD_SIZE
 * Notes     delta = restored - smooth in float; sci + delta in float; sqrt(float(err^2) + (0.1 |delta|)^2) in double.
 */
int cal_cte_combine(const float *restored, const float *smooth, ptrdiff_t n_col, ptrdiff_t n_row, ptrdiff_t col_step,
                    ptrdiff_t row_step, float *sci, float *err);

/* ---- amplifier views ---------------------------------------------------------------------------
 * Several corrections follow the order in which an amplifier read its pixels.  They see the image with the amplifier
 * at the lower left: amplifiers A and B (upper half of the detector) with rows reversed, B and D with columns reversed.
 * Amplifiers are numbered A = 0, B = 1, C = 2, D = 3.  A view has all rows and n_amp_col columns, counted from the
 * amplifier's side: half of n_col for full frames, all of it for subarrays.
 */

/* ---- biasshift: memory of the pre-amplifier in the bias level -------------------------------- */

/* cal_biasshift_correct -- remove the bias shift from the pixels of an image's amplifiers and subtract their bias levels.
 * Given     sci float[n_row][n_col] (electron): WFC image read with dual-slope integration, untrimmed;
 *           n_amp_col, amp const int[n_amp]: the amplifiers' views, which share no pixel; n_amp 1 or 2; n_row must be at
 *           least CAL_BIASSHIFT_ROWS
 * Returned  sci: corrected;  level double[n_amp][2] (electron): bias level before and after the correction
 * Status    CAL_OK, CAL_BAD_SIZE, CAL_BAD_VALUE (amp, n_amp), CAL_NO_MEMORY
 * Notes     In double, rounded once.  The signal chain's AC coupling makes the level of a pixel depend on the pixels
 *           read before it, the pauses between rows included.  Model and constants: HSTCAL
 *           acsccd/blev_funcs_postsm4.c; D. Golimowski et al., ACS instrument science report 2012-02 (ACS ISR 12-02).
 */
enum { CAL_BIASSHIFT_ROWS = 2067 };
int cal_biasshift_correct(float *sci, ptrdiff_t n_row, ptrdiff_t n_col, ptrdiff_t n_amp_col, const int *amp,
                          ptrdiff_t n_amp, double *level);

/* ---- crosstalk: ghosts of the neighbouring amplifier's sources -------------------------------- */

/* cal_crosstalk_correct -- add back what the amplifier on the other side of a chip took away.
 * Given     sci float[n_row][n_col] (electron): whole chip read by two amplifiers, untrimmed
 * Returned  sci: corrected
 * Status    CAL_OK, CAL_BAD_SIZE
 * Notes     PARITY: in place, so that the right half sees the corrected left half.
 *           HSTCAL acsccd/blev_funcs_postsm4.c.
 */
int cal_crosstalk_correct(float *sci, ptrdiff_t n_row, ptrdiff_t n_col);

/* ---- destripe: row-to-row noise that all four WFC amplifiers share ---------------------------- */

enum { CAL_BIAS_COLUMNS = 24 }; /* leading overscan columns of each WFC amplifier */

/* cal_destripe_measure -- bias statistics of one amplifier.
 * Given     sci const float[n_row][n_col] (electron): full-frame chip, untrimmed;  amp int
 * Returned  column_mean double[CAL_BIAS_COLUMNS]: fixed pattern of the bias columns (electron);
 *           level double *: clipped mean of the bias columns without that pattern;
 *           row_mean double[n_row]: mean of the bias columns of each row, without pattern and level;
 *           good unsigned char[n_row]: 1 where the row's bias columns can be trusted
 * Status    CAL_OK, CAL_BAD_SIZE, CAL_NO_MEMORY
 * Notes     PARITY: the number of clipping passes, sums by columns, integer truncation of the row test and the
 *           virtual overscan lines among the rows are those of HSTCAL acsccd/blev_funcs_postsm4.c.
 */
int cal_destripe_measure(const float *sci, ptrdiff_t n_row, ptrdiff_t n_col, int amp, double *column_mean,
                         double *level, double *row_mean, unsigned char *good);

/* cal_destripe_subtract -- subtract pattern, level and stripes from the pixels of one amplifier.
 * Given     sci as above;  amp;  column_mean, level: of cal_destripe_measure;
 *           stripe const double[n_row] (electron): stripe of each row, at the time its bias columns were read
 * Returned  sci: corrected
 * Status    CAL_OK, CAL_BAD_SIZE, CAL_BAD_VALUE (amp), CAL_NO_MEMORY
 * Notes     Between rows the stripe is interpolated linearly in time, extrapolated at both ends.
 */
int cal_destripe_subtract(float *sci, ptrdiff_t n_row, ptrdiff_t n_col, int amp, const double *column_mean,
                          double level, const double *stripe);

/* ---- dqi: data-quality flags of single pixels --------------------------------------------------- */

/* cal_dqi_flag_above -- flag pixels at or above a level.
 * Given     sci const float[n] (any unit);  dq int16_t[n];  level float;  flag int16_t
 * Returned  dq: flag added where sci >= level;  (value) ptrdiff_t : number of these pixels
 */
ptrdiff_t cal_dqi_flag_above(const float *sci, int16_t *dq, ptrdiff_t n, float level, int16_t flag);

/* cal_dqi_flag_runs -- flag runs of bad pixels.
 * Given     dq int16_t[n_row][n_col];  run const int32_t[n_run][5]: PIX1, PIX2 (one-based start along x and y in the frame
 *           without overscan), LENGTH, AXIS (1 along x, 2 along y), VALUE;
 *           offset_x, offset_y double: position of that frame's first pixel in the image
 * Returned  dq: VALUE added to the pixels of each run that lie inside the image
 * Status    CAL_OK, CAL_BAD_VALUE (LENGTH < 1, AXIS not 1 or 2)
 */
int cal_dqi_flag_runs(int16_t *dq, ptrdiff_t n_row, ptrdiff_t n_col, const int32_t *run, ptrdiff_t n_run,
                      double offset_x, double offset_y);

/* ---- satur: full-well saturation ---------------------------------------------------------------- */

/* cal_satur_flag -- flag pixels above a saturation image.
 * Given     sci const float[n_row][n_col];  dq int16_t[n_row][n_col];  level const float[n_row][n_col] (unit of sci);
 *           row_first, row_last, col_first, col_last: part to look at, half-open;  flag int16_t
 * Returned  dq: flag added where sci > level;  n_flagged ptrdiff_t *: number of these pixels
 * Status    CAL_OK, CAL_BAD_SIZE
 */
int cal_satur_flag(const float *sci, int16_t *dq, const float *level, ptrdiff_t n_row, ptrdiff_t n_col,
                   ptrdiff_t row_first, ptrdiff_t row_last, ptrdiff_t col_first, ptrdiff_t col_last, int16_t flag,
                   ptrdiff_t *n_flagged);

/* ---- sink: sink pixels and the pixels they spoil ------------------------------------------------ */

/* cal_sink_flag -- flag sink pixels, their downstream neighbours and their trails.
 * Given     sci const float[n_row][n_col] (electron);  dq int16_t[n_row][n_col];  map const float[n_row][n_col]: codes of
 *           SNKCFILE (< -1 sink pixel, -1 neighbour, > 0 threshold in electron, 0 nothing);
 *           upward int: whether the amplifier is below (rows are followed upwards);  flag int16_t;
 *           trailing unsigned char[n_col], sink float[n_col]: whether a trail goes on in each column, and the signal in its
 *           sink pixel; all 0 to begin with
 * Returned  dq: flag added;  trailing, sink: for the rows that are followed next;  (value) ptrdiff_t : pixels flagged
 * Notes     Algorithm of HSTCAL acsccd/dosink.c.
 */
ptrdiff_t cal_sink_flag(const float *sci, int16_t *dq, const float *map, ptrdiff_t n_row, ptrdiff_t n_col, int upward,
                        int16_t flag, unsigned char *trailing, float *sink);

/* ---- nonlin: counting losses of the SBC --------------------------------------------------------- */

/* cal_nonlin_ratio -- true count rate over observed count rate of a detector with dead time.
 * Given     rate double: observed rate of the whole detector (count/s);  tau double: time constant (s)
 * Returned  (value) double : 1 where rate <= 0
 * Notes     Three Newton steps on observed = true exp(-tau true), from true = observed, in double.
 *           HSTCAL acs2d/dononlin.c.
 */
double cal_nonlin_ratio(double rate, double tau);

/* cal_nonlin_flag -- flag pixels above a limit and those around them.
 * Given     sci const float[n_row][n_col];  dq int16_t[n_row][n_col];  limit double (unit of sci);
 *           radius float: pixels within this distance are flagged too (pixel);  flag int16_t
 * Returned  dq: flag added;  n_above ptrdiff_t * : pixels above the limit
 * Status    CAL_OK, CAL_BAD_SIZE, CAL_BAD_VALUE (radius)
 * Notes     Distances are compared squared, in float.  HSTCAL acs2d/dononlin.c.
 */
int cal_nonlin_flag(const float *sci, int16_t *dq, ptrdiff_t n_row, ptrdiff_t n_col, double limit, float radius,
                    int16_t flag, ptrdiff_t *n_above);

/* ---- dark, flash: subtraction of exposure-scaled images ------------------------------------------ */

/* A running sum over good pixels. */
typedef struct {
    double sum;
    ptrdiff_t count;
} cal_dark_mean;

/* cal_dark_subtract -- subtract an image times a factor, and measure what is subtracted.
 * Given     sci, err float[n], dq int16_t[n];  ref_sci, ref_err const float[n], ref_dq const int16_t[n];
 *           factor float (s);  bad_bits int16_t: reference pixels with any of these bits are left out of the mean
 * Returned  sci, err, dq: as of cal_imarith_subtract with factor * ref_sci and factor * ref_err;
 *           mean cal_dark_mean * : scaled reference pixels added one by one in double; the caller starts at 0
 * Notes     HSTCAL acs2d/dodark.c, multk2d.c, sub2d.c.
 */
void cal_dark_subtract(float *sci, float *err, int16_t *dq, ptrdiff_t n, const float *ref_sci, const float *ref_err,
                       const int16_t *ref_dq, float factor, int16_t bad_bits, cal_dark_mean *mean);

/* A running mean of line means, weighted by the fraction of good pixels. */
typedef struct {
    float sum;
    float weight;
} cal_flash_mean;

/* cal_flash_subtract -- as cal_dark_subtract, with a mean that is taken line by line.
 * Given     sci, err float[n_row][n_col], dq int16_t[n_row][n_col];  ref_sci, ref_err, ref_dq likewise;
 *           factor float (s);  bad_bits int16_t
 * Returned  sci, err, dq;  mean cal_flash_mean * : per line, in float, weight times mean and weight added
 * Notes     HSTCAL acs2d/doflash.c, multk1d.c, sub1d.c.
 */
void cal_flash_subtract(float *sci, float *err, int16_t *dq, ptrdiff_t n_row, ptrdiff_t n_col, const float *ref_sci,
                        const float *ref_err, const int16_t *ref_dq, float factor, int16_t bad_bits,
                        cal_flash_mean *mean);

/* ---- spot: coronagraphic spots ------------------------------------------------------------------- */

/* cal_spot_shift -- some rows of the spot flat, shifted by a fraction of pixels.
 * Given     spot const float[n_row][n_col];  shift_x, shift_y float: positive moves to higher columns and rows (pixel);
 *           row_first, row_last ptrdiff_t: rows to compute, half-open
 * Returned  sci, err float[row_last - row_first][n_col]: bilinear interpolation and its square root; 1 outside the image
 * Status    CAL_OK, CAL_BAD_SIZE
 * Notes     PARITY: the right neighbor of the last column is the first pixel of the next row, and ERR is the square root
 *           of the value, as in HSTCAL acs2d/dospot.c.  Neighbors beyond the last row, undefined there, are taken from it,
 *           save the very first pixel beyond the end, which is 0.
 */
int cal_spot_shift(const float *spot, ptrdiff_t n_row, ptrdiff_t n_col, float shift_x, float shift_y,
                   ptrdiff_t row_first, ptrdiff_t row_last, float *sci, float *err);

/* ---- shad: shutter shading ------------------------------------------------------------------------ */

/* A binned image that is to be expanded. */
typedef struct {
    const float *sci;        /* [n_row][n_col] */
    const float *err;        /* [n_row][n_col] */
    const int16_t *dq;       /* [n_row][n_col] */
    ptrdiff_t n_row, n_col;  /* n_row even */
    ptrdiff_t x, y;          /* expanded pixels per pixel, >= 1; n_col >= 2 unless x == 1 */
} cal_shad_binned;

/* cal_shad_expand -- part of an image expanded by linear interpolation.
 * Given     binned const cal_shad_binned *;  row_first, row_last, col_first, col_last ptrdiff_t: part of the expanded image,
 *           half-open
 * Returned  sci, err float[][], dq int16_t[][]: that part
 * Status    CAL_OK, CAL_BAD_SIZE
 * Notes     In float.  PARITY: rows are expanded in pairs, each pair extrapolated above and below without regard to the
 *           next; errors are interpolated in variance, and may be not a number where extrapolated.
 *           HSTCAL pkg/acs/lib/unbinline.c, interpinfo.c, acs2d/doshad.c.
 */
int cal_shad_expand(const cal_shad_binned *binned, ptrdiff_t row_first, ptrdiff_t row_last, ptrdiff_t col_first,
                    ptrdiff_t col_last, float *sci, float *err, int16_t *dq);

/* cal_shad_divisor -- turn shading times into factors of the exposure time.
 * Given     sci, err float[n] (s);  rate float: 1 / exposure time (1/s)
 * Returned  sci: rate * sci + 1;  err: rate * err; in float
 */
void cal_shad_divisor(float *sci, float *err, ptrdiff_t n, float rate);

/* ---- stat: statistics of good pixels --------------------------------------------------------------- */

/* Sum and extremes of one quantity. */
typedef struct {
    double sum, min, max;
} cal_stat_range;

/* Statistics of an image so far. */
typedef struct {
    ptrdiff_t n_good;    /* pixels without bad bits whose error is not <= 0 */
    ptrdiff_t n_no_error; /* pixels without bad bits whose error is <= 0 */
    cal_stat_range sci, err, snr;
} cal_stat_image;

/* cal_stat_add -- add pixels to the statistics of an image.
 * Given     sci, err const float[n], dq const int16_t[n];  bad_bits int16_t: pixels with any of these bits are left out;
 *           stat cal_stat_image *: counts 0 to begin with
 * Returned  stat: sums in double, pixel by pixel; extremes are those of the first good pixel until another exceeds it, so
 *           that a pixel that is not a number is ignored unless it is the first
 * Notes     HSTCAL pkg/acs/lib/dostat.c.
 */
void cal_stat_add(const float *sci, const float *err, const int16_t *dq, ptrdiff_t n, int16_t bad_bits,
                  cal_stat_image *stat);

/* ---- crrej: rejection of cosmic rays in a list of exposures ---------------------------------------
 *
 * Images are combined in list order, and every sum runs in that order.  All kernels work on rows, so that an image may be
 * cut into tiles.  Algorithms of HSTCAL pkg/acs/lib/acsrej.
 */

/* Codes of the mask.  PARITY: they share the mask with the raw DQ values, so that raw values 2, 4 and 8 mean the same. */
enum { CAL_CRREJ_SPILL = 2, CAL_CRREJ_EXCLUDE = 4, CAL_CRREJ_HIT = 8 };

/* What is needed of the brightest part of an image to lay out its histogram; starts as {2147483648, 0, 0}. */
typedef struct {
    float lowest;
    float sum;
    ptrdiff_t count;
} cal_crrej_range;

/* cal_crrej_range_add -- extend the range by some pixels.
 * Given     sci const float[n] (electron);  dq const int16_t[n];  bad_bits int16_t: a pixel with any of them is not used
 * Returned  range: lowest value, sum in float in raster order, number of pixels
 */
void cal_crrej_range_add(const float *sci, const int16_t *dq, ptrdiff_t n, int16_t bad_bits, cal_crrej_range *range);

/* The bins of a histogram: bin i is [low + i width, low + (i + 1) width). */
typedef struct {
    float low;
    float width;
    int32_t n_bin;
} cal_crrej_bins;

/* cal_crrej_bins_of -- bins from the lowest value to as far beyond the mean; 1000 to 10000 of them.
 * Given     range const cal_crrej_range *
 * Returned  bins cal_crrej_bins *
 * Status    CAL_OK, CAL_NO_DATA (no pixel: bins that no value falls into)
 */
int cal_crrej_bins_of(const cal_crrej_range *range, cal_crrej_bins *bins);

/* cal_crrej_histogram -- count the pixels without any flag.
 * Given     sci const float[n] (electron);  dq const int16_t[n];  bins
 * Returned  count int32_t[bins->n_bin + 1]: increased; the last one counts all other pixels
 * Status    CAL_OK, CAL_BAD_SIZE
 * Notes     PARITY: truncation toward zero puts values up to one bin below `low` into the first bin.
 */
int cal_crrej_histogram(const float *sci, const int16_t *dq, ptrdiff_t n, const cal_crrej_bins *bins, int32_t *count);

/* cal_crrej_mode -- peak of a histogram, from a parabola through its three highest neighboring bins.
 * Given     count const int32_t[bins->n_bin];  bins
 * Returned  mode float * (electron): middle of the bin where the peak is the first or last one
 * Status    CAL_OK, CAL_BAD_SIZE
 */
int cal_crrej_mode(const int32_t *count, const cal_crrej_bins *bins, float *mode);

/* One exposure: pixels of the same rows in all planes, and what scales them. */
typedef struct {
    const float *sci;  /* electron */
    const float *err;  /* electron; NULL where not needed */
    const int16_t *dq; /* NULL where not needed */
    float time;        /* exposure time, s */
    float sky;         /* electron */
} cal_crrej_image;

/* cal_crrej_minimum -- first guess: the lowest of the images.
 * Given     image const cal_crrej_image[n_image];  n ptrdiff_t: pixels;  bad_bits int16_t
 * Returned  guess float[n] (electron/s)
 * Status    CAL_OK, CAL_BAD_SIZE
 * Notes     PARITY: a pixel that is bad in the first image, or lowest where it is bad, is guessed as 0; so is every
 *           positive pixel where an image has no exposure time.
 */
int cal_crrej_minimum(const cal_crrej_image *image, ptrdiff_t n_image, ptrdiff_t n, int16_t bad_bits, float *guess);

/* cal_crrej_median -- first guess: the median of the good pixels of images with exposure time.
 * Given, returned  as above
 * Status    CAL_OK, CAL_BAD_SIZE, CAL_NO_MEMORY
 * Notes     Sorted by insertion, as far as NaN are concerned; mean of the two middle ones for even numbers.
 */
int cal_crrej_median(const cal_crrej_image *image, ptrdiff_t n_image, ptrdiff_t n, int16_t bad_bits, float *guess);

/* What makes a pixel a cosmic ray, in one iteration. */
typedef struct {
    float sigma2;     /* square of the rejection limit, in sigma */
    float scale;      /* noise proportional to the signal */
    float spread2;    /* square of the factor for neighbors (CRTHRESH); -1: always */
    float radius2;    /* square of the radius in which neighbors are looked at, pixel */
    ptrdiff_t width;  /* radius rounded up */
    int16_t bad_bits; /* a pixel with any of these bits is excluded from the search */
} cal_crrej_rule;

/* cal_crrej_scan -- find the cosmic rays in some rows of one image.
 * Given     image: its rows, and up to rule->width rows above them;  rule;
 *           guess const float[n_row][n_col] (electron/s): the image without cosmic rays;
 *           shade const float[n_row][n_col] (s) or NULL: extra exposure time from the shutter;
 *           n_row, n_scan: rows at hand, rows to search (the first ones);
 *           mask int16_t[n_row][n_col]: DQ values, in the first rows as an earlier call for the rows below left them
 * Returned  mask: searched rows final, rows above them with the neighbors of the hits marked;
 *           raw int16_t[n_scan][n_col] or NULL: the mask of each row before its search
 * Status    CAL_OK, CAL_BAD_SIZE, CAL_NO_MEMORY
 * Notes     PARITY: neighbors in rows below a hit stay as they are: those rows are finished.
 */
int cal_crrej_scan(const cal_crrej_image *image, const cal_crrej_rule *rule, const float *guess, const float *shade,
                   ptrdiff_t n_row, ptrdiff_t n_scan, ptrdiff_t n_col, int16_t *mask, int16_t *raw);

/* cal_crrej_accumulate -- add the pixels of one image that are not left out.
 * Given     image;  mask const int16_t[n];  left_out int16_t: mask bits that leave a pixel out;  n ptrdiff_t
 * Returned  sum float[n] (electron), time float[n] (s), square float[n] or NULL (electron^2): increased
 */
void cal_crrej_accumulate(const cal_crrej_image *image, const int16_t *mask, int16_t left_out, ptrdiff_t n, float *sum,
                          float *time, float *square);

/* cal_crrej_merge -- merge the flags of one image.
 * Given     mask const int16_t[n_row][n_col], raw const int16_t[n_row][n_col]: of cal_crrej_scan;
 *           flag int16_t: bit of cosmic rays
 * Returned  seen int16_t[n_row][n_col]: flags seen so far, starts as 0;
 *           dq int16_t[n_row][n_col]: merged flags, starts as `flag`; keeps it where every image is rejected;
 *           hit unsigned char[n_row][(n_col + 7) / 8] or NULL: bits, most significant first, of the rejected pixels;
 *           (value) ptrdiff_t : number of rejected pixels
 */
ptrdiff_t cal_crrej_merge(const int16_t *mask, const int16_t *raw, ptrdiff_t n_row, ptrdiff_t n_col, int16_t flag,
                          int16_t *seen, int16_t *dq, unsigned char *hit);

/* cal_crrej_average -- the image without cosmic rays.
 * Given     sum, time const float[n]: of cal_crrej_accumulate;  shade const float[n] (s) or NULL;  n ptrdiff_t
 * Returned  guess float[n] (electron/s): as it was where nothing is left
 */
void cal_crrej_average(const float *sum, const float *time, const float *shade, ptrdiff_t n, float *guess);

/* cal_crrej_finish -- the combined image.
 * Given     sum, time, square const float[n];  shade const float[n] (s) or NULL;  n ptrdiff_t;
 *           total float: exposure time of all images (s);  sky float (electron)
 * Returned  sci, err float[n] (electron): `sky` and 0 where nothing is left
 */
void cal_crrej_finish(const float *sum, const float *time, const float *square, const float *shade, ptrdiff_t n,
                      float total, float sky, float *sci, float *err);

/* ---- quadrant values ------------------------------------------------------------------------------ */

/* One value per amplifier quadrant: rows below `row` and columns left of `col` are the lower left quadrant, and so on.
 * value: lower left, lower right, upper left, upper right. */
typedef struct {
    ptrdiff_t row, col;
    float value[4];
} cal_quadrants;

/* ---- imarith: image arithmetic with error propagation ------------------------------------------- */

/* cal_imarith_crop -- move a part of an image to the front of its memory.
 * Given     image unsigned char[n_row][n_byte]: rows of n_byte bytes;  row_first, row_last: rows to keep, half-open;
 *           byte_first, byte_last: bytes of each row to keep, half-open
 * Returned  image: the first (row_last - row_first) (byte_last - byte_first) bytes are the part, without gaps
 * Status    CAL_OK, CAL_BAD_SIZE
 */
int cal_imarith_crop(unsigned char *image, ptrdiff_t n_row, ptrdiff_t n_byte, ptrdiff_t row_first, ptrdiff_t row_last,
                     ptrdiff_t byte_first, ptrdiff_t byte_last);

/* cal_imarith_gain -- multiply SCI and ERR by the gain of each quadrant, in float.
 * Given     sci, err float[n_row][n_col] (DN);  gain const cal_quadrants * (electron/DN)
 * Returned  sci, err (electron)
 * Status    CAL_OK, CAL_BAD_SIZE
 */
int cal_imarith_gain(float *sci, float *err, ptrdiff_t n_row, ptrdiff_t n_col, const cal_quadrants *gain);

/* cal_imarith_subtract -- subtract an image.
 * Given     sci, err float[n], dq int16_t[n];  ref_sci, ref_err const float[n], ref_dq const int16_t[n]
 * Returned  sci - ref_sci;  sqrt(err err + ref_err ref_err);  dq | ref_dq; in float
 */
void cal_imarith_subtract(float *CAL_RESTRICT sci, float *CAL_RESTRICT err, int16_t *CAL_RESTRICT dq, ptrdiff_t n,
                          const float *ref_sci, const float *ref_err, const int16_t *ref_dq);

/* cal_imarith_scale -- multiply SCI and ERR by a factor, in float.
 * Given     sci, err float[n];  factor float
 * Returned  sci, err
 */
void cal_imarith_scale(float *sci, float *err, ptrdiff_t n, float factor);

/* cal_imarith_subtract_scaled -- subtract an image times a factor.
 * Given     as cal_imarith_subtract;  factor float
 * Returned  as cal_imarith_subtract with factor * ref_sci and factor * ref_err, each rounded to float
 */
void cal_imarith_subtract_scaled(float *CAL_RESTRICT sci, float *CAL_RESTRICT err, int16_t *CAL_RESTRICT dq,
                                 ptrdiff_t n, const float *ref_sci, const float *ref_err, const int16_t *ref_dq,
                                 float factor);

/* cal_imarith_multiply -- multiply by an image.
 * Given     sci, err float[n], dq int16_t[n];  ref_sci, ref_err const float[n], ref_dq const int16_t[n]
 * Returned  sci ref_sci;  sqrt((sci ref_err)^2 + (ref_sci err)^2);  dq | ref_dq; in float
 */
void cal_imarith_multiply(float *CAL_RESTRICT sci, float *CAL_RESTRICT err, int16_t *CAL_RESTRICT dq, ptrdiff_t n,
                          const float *ref_sci, const float *ref_err, const int16_t *ref_dq);

/* cal_imarith_divide -- divide by an image.
 * Given     as cal_imarith_multiply;  zero_flag int16_t
 * Returned  sci / ref_sci;  sqrt((err / ref_sci)^2 + (ref_err sci / ref_sci / ref_sci)^2);  dq | ref_dq; in float, left to
 *           right.  Where ref_sci is 0, sci and err stay and zero_flag is added to dq.
 * Notes     HSTCAL pkg/acs/lib/div1d.c.
 */
void cal_imarith_divide(float *CAL_RESTRICT sci, float *CAL_RESTRICT err, int16_t *CAL_RESTRICT dq, ptrdiff_t n,
                        const float *ref_sci, const float *ref_err, const int16_t *ref_dq, int16_t zero_flag);

/* ---- noise: uncertainty before calibration -------------------------------------------------------- */

/* cal_imarith_square -- turn errors into variances, in float.
 * Given     err const float[n]
 * Returned  err: err err
 */
void cal_imarith_square(float *err, ptrdiff_t n);

/* cal_imarith_sum -- add an image to a sum whose errors are variances, in float.
 * Given     sci, var float[n], dq int16_t[n];  new_sci, new_err const float[n], new_dq const int16_t[n]
 * Returned  sci + new_sci;  var + new_err new_err;  dq | new_dq
 */
void cal_imarith_sum(float *CAL_RESTRICT sci, float *CAL_RESTRICT var, int16_t *CAL_RESTRICT dq, ptrdiff_t n,
                     const float *new_sci, const float *new_err, const int16_t *new_dq);

/* cal_imarith_root -- turn variances into errors, in float.
 * Given     var const float[n]
 * Returned  var: sqrt(var)
 */
void cal_imarith_root(float *var, ptrdiff_t n);

/* ---- noise: uncertainty of CCD data ---------------------------------------------------------------- */

/* cal_noise_ccd -- photon and read noise.
 * Given     sci const float[n_row][n_col], err float[n_row][n_col] (electron);  read_noise const cal_quadrants * (electron);
 *           bias int: whether this is a bias frame
 * Returned  err: sqrt(max(sci, 0) + rn rn + err err) in float, left to right; rn for bias frames
 * Status    CAL_OK, CAL_BAD_SIZE
 * Notes     HSTCAL pkg/acs/lib/donoise.c.
 */
int cal_noise_ccd(const float *sci, float *err, ptrdiff_t n_row, ptrdiff_t n_col, const cal_quadrants *read_noise,
                  int bias);

/* cal_noise_is_blank -- whether an uncertainty was never set.
 * Given     err const float[n]
 * Returned  (value) int : 1 if all values are 0 (a value that is not a number is not)
 */
int cal_noise_is_blank(const float *err, ptrdiff_t n);

/* cal_noise_counts -- photon noise of counts.
 * Given     sci const float[n] (count)
 * Returned  err float[n]: sqrt(sci), at least 1;  (value) ptrdiff_t : number of negative values
 * Notes     PARITY: of a negative value the absolute of its integer part is taken, as in HSTCAL pkg/acs/lib/donoise.c.
 */
ptrdiff_t cal_noise_counts(const float *sci, float *err, ptrdiff_t n);

#ifdef __cplusplus
}
#endif
#endif
