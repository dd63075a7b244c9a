/* Memory of the pre-amplifier in the bias level of WFC images read with dual-slope integration. */
#include <stdlib.h>

#include "internal.h"

/* Timing of the readout and properties of the signal chains of amplifiers A to D: HSTCAL acsccd/blev_funcs_postsm4.c. */
static const double SERIAL_FREQUENCY = 1000.0 / 22.0;   /* pixels per millisecond */
static const double PARALLEL_SHIFT = 3.212;             /* duration of a parallel shift, milliseconds */
static const double TIME_CONSTANT[4] = {37.290251, 36.180001, 37.867770, 42.461249}; /* microseconds */
static const double SENSITIVITY[4] = {2.9188919e-3, 10.805754e-3, 12.432145e-3, 3.8596253e-3};
static const double DC_RATIO = 0.3;

/* Overscan pixels that tell the bias level: no signal of the sky precedes them for a long time. */
enum { SQUARE_ROW = 2057, SQUARE_COL = 13, SQUARE = 10 };

static double square_mean(double sum)
{
    return sum / (double)(SQUARE * SQUARE);
}

/* Constants of one amplifier's model. */
typedef struct {
    double factor;  /* share of a pixel's signal that the next level takes up */
    double keep;    /* share of the level that remains */
    double sensitivity;
} chain;

/* Level after a pixel of value g. */
static inline double next_level(const chain *c, double g, double level)
{
    return g * c->factor * DC_RATIO + c->keep * level;
}

static inline double corrected(const chain *c, double g, double level, double next)
{
    return (g - c->sensitivity * next) - (10.0 / 22.0) * (next - level);
}

/* Correct up to ROWS rows: their recursions do not depend on one another, which keeps the processor busy. */
enum { ROWS = 4 };

static void correct_rows(const chain *c, float *sci, ptrdiff_t n_row, ptrdiff_t n_col, ptrdiff_t n_amp_col, int amp,
                         ptrdiff_t row, const double *start, double level)
{
    float *pixel[ROWS];
    double state[ROWS];
    ptrdiff_t step = 1;
    int n = 0;

    for (; n < ROWS && row + n < n_row; n++) {
        cal_view_row view = cal_view(n_row, n_col, amp, row + n);
        pixel[n] = sci + view.first;
        state[n] = start[row + n];
        step = view.step;
    }
    for (ptrdiff_t col = 0; col < n_amp_col; col++) {
        for (int i = 0; i < n; i++) {
            double g = (double)pixel[i][col * step];
            double next = next_level(c, g, state[i]);

            pixel[i][col * step] = (float)(corrected(c, g, state[i], next) - level);
            state[i] = next;
        }
    }
}

int cal_biasshift_correct(float *sci, ptrdiff_t n_row, ptrdiff_t n_col, ptrdiff_t n_amp_col, int amp, double level[2])
{
    const ptrdiff_t n_gap = (ptrdiff_t)(SERIAL_FREQUENCY * PARALLEL_SHIFT + 0.5);
    double sum = 0.0, before, after, state, *start;
    chain c;

    if (amp < 0 || amp > 3) return CAL_BAD_VALUE;
    if (n_row < CAL_BIASSHIFT_ROWS || n_amp_col < SQUARE_COL + SQUARE || n_amp_col > n_col) return CAL_BAD_SIZE;

    for (ptrdiff_t row = SQUARE_ROW; row < SQUARE_ROW + SQUARE; row++) {
        cal_view_row view = cal_view(n_row, n_col, amp, row);
        for (ptrdiff_t col = SQUARE_COL; col < SQUARE_COL + SQUARE; col++)
            sum += (double)sci[view.first + col * view.step];
    }
    before = square_mean(sum);

    c.factor = 1.0 - exp(-1.0 / (TIME_CONSTANT[amp] * SERIAL_FREQUENCY));
    c.keep = 1.0 - c.factor;
    c.sensitivity = SENSITIVITY[amp];

    /* The level that is subtracted at last is that of the corrected square near the end of the readout: the first pass
     * finds it, and the state at the begin of each row, from which the second one takes several rows at a time. */
    start = malloc((size_t)n_row * sizeof *start);
    if (start == NULL) return CAL_NO_MEMORY;
    state = before * DC_RATIO;
    sum = 0.0;
    for (ptrdiff_t row = 0; row < n_row; row++) {
        cal_view_row view = cal_view(n_row, n_col, amp, row);
        const float *pixel = sci + view.first;
        int in_square = row >= SQUARE_ROW && row < SQUARE_ROW + SQUARE;

        start[row] = state;
        for (ptrdiff_t col = 0; col < n_amp_col; col++, pixel += view.step) {
            double next = next_level(&c, (double)*pixel, state);

            if (in_square && col >= SQUARE_COL && col < SQUARE_COL + SQUARE)
                sum += corrected(&c, (double)*pixel, state, next);
            state = next;
        }
        for (ptrdiff_t gap = 0; gap < n_gap; gap++) state = next_level(&c, before, state);
    }
    after = square_mean(sum);
    for (ptrdiff_t row = 0; row < n_row; row += ROWS) correct_rows(&c, sci, n_row, n_col, n_amp_col, amp, row, start, after);
    free(start);
    level[0] = before;
    level[1] = after;
    return CAL_OK;
}
