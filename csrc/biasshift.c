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

enum {
    MAX_AMP = 2, /* amplifiers that read one image */
    ROWS = 4     /* rows that are corrected together */
};

static double square_mean(double sum)
{
    return sum / (double)(SQUARE * SQUARE);
}

/* One amplifier: its model, how it sees the image, and its level on the way through the readout. */
typedef struct {
    double factor;  /* share of a pixel's signal that the next level takes up */
    double keep;    /* share of the level that remains */
    double sensitivity;
    int amp;
    double before, state;
    double *start;  /* level at the begin of each row */
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

static void begin_readout(chain *c, const float *sci, ptrdiff_t n_row, ptrdiff_t n_col)
{
    double sum = 0.0;

    for (ptrdiff_t row = SQUARE_ROW; row < SQUARE_ROW + SQUARE; row++) {
        cal_view_row view = cal_view(n_row, n_col, c->amp, row);
        for (ptrdiff_t col = SQUARE_COL; col < SQUARE_COL + SQUARE; col++)
            sum += (double)sci[view.first + col * view.step];
    }
    c->factor = 1.0 - exp(-1.0 / (TIME_CONSTANT[c->amp] * SERIAL_FREQUENCY));
    c->keep = 1.0 - c->factor;
    c->sensitivity = SENSITIVITY[c->amp];
    c->before = square_mean(sum);
    c->state = c->before * DC_RATIO;
}

/* Follow the levels of `n` amplifiers, 1 or 2, through a row and the pause after it.  A level has to wait for the one
 * before it: two amplifiers take hardly more time than one. */
static inline void follow_row(chain *c, int n, const float *sci, ptrdiff_t n_row, ptrdiff_t n_col, ptrdiff_t n_amp_col,
                              ptrdiff_t n_gap, ptrdiff_t row)
{
    const float *pixel[MAX_AMP];
    double state[MAX_AMP];
    ptrdiff_t step[MAX_AMP];

    for (int k = 0; k < n; k++) {
        cal_view_row view = cal_view(n_row, n_col, c[k].amp, row);
        pixel[k] = sci + view.first;
        step[k] = view.step;
        state[k] = c[k].start[row] = c[k].state;
    }
    for (ptrdiff_t col = 0; col < n_amp_col; col++)
        for (int k = 0; k < n; k++) state[k] = next_level(&c[k], (double)pixel[k][col * step[k]], state[k]);
    for (ptrdiff_t gap = 0; gap < n_gap; gap++)
        for (int k = 0; k < n; k++) state[k] = next_level(&c[k], c[k].before, state[k]);
    for (int k = 0; k < n; k++) c[k].state = state[k];
}

/* Sum of the corrected pixels of the square. */
static double square_sum(const chain *c, const float *sci, ptrdiff_t n_row, ptrdiff_t n_col)
{
    double sum = 0.0;

    for (ptrdiff_t row = SQUARE_ROW; row < SQUARE_ROW + SQUARE; row++) {
        cal_view_row view = cal_view(n_row, n_col, c->amp, row);
        double state = c->start[row];

        for (ptrdiff_t col = 0; col < SQUARE_COL + SQUARE; col++) {
            double g = (double)sci[view.first + col * view.step];
            double next = next_level(c, g, state);

            if (col >= SQUARE_COL) sum += corrected(c, g, state, next);
            state = next;
        }
    }
    return sum;
}

/* Correct `n` rows: their recursions do not depend on one another, which keeps the processor busy. */
static inline void correct_rows(const chain *c, int n, float *sci, ptrdiff_t n_row, ptrdiff_t n_col, ptrdiff_t n_amp_col,
                                ptrdiff_t row, double level)
{
    float *pixel[ROWS];
    double state[ROWS];
    ptrdiff_t step = 1;

    for (int i = 0; i < n; i++) {
        cal_view_row view = cal_view(n_row, n_col, c->amp, row + i);
        pixel[i] = sci + view.first;
        state[i] = c->start[row + i];
        step = view.step;
    }
    for (ptrdiff_t col = 0; col < n_amp_col; col++) {
        double g[ROWS], next[ROWS];

        for (int i = 0; i < n; i++) {
            g[i] = (double)pixel[i][col * step];
            next[i] = next_level(c, g[i], state[i]);
        }
        for (int i = 0; i < n; i++) {
            pixel[i][col * step] = (float)(corrected(c, g[i], state[i], next[i]) - level);
            state[i] = next[i];
        }
    }
}

int cal_biasshift_correct(float *sci, ptrdiff_t n_row, ptrdiff_t n_col, ptrdiff_t n_amp_col, const int *amp,
                          ptrdiff_t n_amp, double *level)
{
    const ptrdiff_t n_gap = (ptrdiff_t)(SERIAL_FREQUENCY * PARALLEL_SHIFT + 0.5);
    double *start;
    chain c[MAX_AMP];

    if (n_amp < 1 || n_amp > MAX_AMP) return CAL_BAD_VALUE;
    for (ptrdiff_t k = 0; k < n_amp; k++)
        if (amp[k] < 0 || amp[k] > 3) return CAL_BAD_VALUE;
    if (n_row < CAL_BIASSHIFT_ROWS || n_amp_col < SQUARE_COL + SQUARE || n_amp_col > n_col) return CAL_BAD_SIZE;
    start = malloc((size_t)(n_amp * n_row) * sizeof *start);
    if (start == NULL) return CAL_NO_MEMORY;
    for (ptrdiff_t k = 0; k < n_amp; k++) {
        c[k].amp = amp[k];
        c[k].start = start + k * n_row;
        begin_readout(&c[k], sci, n_row, n_col);
    }
    /* The level that is subtracted at last is that of the corrected square near the end of the readout: the first pass
     * finds it, and the level at the begin of each row, from which the second one takes several rows at a time. */
    for (ptrdiff_t row = 0; row < n_row; row++) {
        if (n_amp == 1) follow_row(c, 1, sci, n_row, n_col, n_amp_col, n_gap, row);
        else follow_row(c, 2, sci, n_row, n_col, n_amp_col, n_gap, row);
    }
    for (ptrdiff_t k = 0; k < n_amp; k++) {
        level[2 * k] = c[k].before;
        level[2 * k + 1] = square_mean(square_sum(&c[k], sci, n_row, n_col));
    }
    for (ptrdiff_t k = 0; k < n_amp; k++) {
        ptrdiff_t row = 0;

        for (; row + ROWS <= n_row; row += ROWS)
            correct_rows(&c[k], ROWS, sci, n_row, n_col, n_amp_col, row, level[2 * k + 1]);
        for (; row < n_row; row++) correct_rows(&c[k], 1, sci, n_row, n_col, n_amp_col, row, level[2 * k + 1]);
    }
    free(start);
    return CAL_OK;
}
