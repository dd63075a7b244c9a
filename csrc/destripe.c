/* Row-to-row noise that all four amplifiers of the WFC share since Servicing Mission 4. */
#include <stdlib.h>

#include "internal.h"

enum {
    N_BIAS = CAL_BIAS_COLUMNS,
    REFERENCE_COL = 12, /* bias columns from here on give a row's reference level */
    NEAR_COLS = 6,      /* science columns next to the overscan that must not be saturated */
    VIRTUAL_ROWS = 20,
    GAP = 146           /* pixel times between two rows */
};

/* One amplifier's bias columns in double, and where its rows lie in the image. */
typedef struct {
    const float *sci;
    ptrdiff_t n_row, n_col;
    int amp;
    double *bias; /* [n_row][N_BIAS] */
} amp_data;

static int near_pixels_above(const amp_data *a, ptrdiff_t row, double limit, int or_equal)
{
    cal_view_row view = cal_view(a->n_row, a->n_col, a->amp, row);

    for (ptrdiff_t col = N_BIAS; col < N_BIAS + NEAR_COLS; col++) {
        double value = (double)a->sci[view.first + col * view.step];
        if (or_equal ? !(value < limit) : value > limit) return 1;
    }
    return 0;
}

/* Mean after four passes of 5-sigma clipping.
 * PARITY: the scatter of a pass is taken about the mean of the pass before. */
static double clipped_mean(const double *value, ptrdiff_t n)
{
    double sum = 0.0, squares = 0.0, mean, sigma;

    for (ptrdiff_t i = 0; i < n; i++) sum += value[i];
    mean = sum / (double)n;
    for (ptrdiff_t i = 0; i < n; i++) squares += (value[i] - mean) * (value[i] - mean);
    sigma = sqrt(squares / (double)(n - 1));

    for (int pass = 0; pass < 4; pass++) {
        ptrdiff_t n_kept = 0;

        sum = squares = 0.0;
        for (ptrdiff_t i = 0; i < n; i++) {
            double distance = value[i] - mean;
            if (!(fabs(distance) <= 5.0 * sigma)) continue;
            sum += value[i];
            squares += distance * distance;
            n_kept++;
        }
        mean = sum / (double)n_kept;
        sigma = sqrt(squares / (double)(n_kept - 1));
    }
    return mean;
}

/* Fixed pattern of the bias columns; `value` has room for n_row numbers. */
static void measure_columns(const amp_data *a, unsigned char *unsaturated, double *reference, double *value,
                            double *column_mean)
{
    for (ptrdiff_t row = 0; row < a->n_row; row++) {
        double sum = 0.0;

        for (ptrdiff_t col = REFERENCE_COL; col < N_BIAS; col++) sum += a->bias[row * N_BIAS + col];
        reference[row] = sum / 12.0;
        unsaturated[row] = !near_pixels_above(a, row, 50000.0, 1);
    }
    for (ptrdiff_t col = 0; col < N_BIAS; col++) {
        ptrdiff_t n = 0;

        for (ptrdiff_t row = 0; row < a->n_row; row++)
            if (unsaturated[row]) value[n++] = a->bias[row * N_BIAS + col] - reference[row];
        column_mean[col] = clipped_mean(value, n);
    }
}

/* Mean in order; 0 of nothing. */
static double plain_mean(const double *value, ptrdiff_t n)
{
    double sum = 0.0;

    for (ptrdiff_t i = 0; i < n; i++) sum += value[i];
    return n != 0 ? sum / (double)n : 0.0;
}

static double bias_sum(const amp_data *a, ptrdiff_t n_row)
{
    double sum = 0.0;

    for (ptrdiff_t i = 0; i < n_row * N_BIAS; i++) sum += a->bias[i];
    return sum;
}

/* Rows whose mean is near that of the amplifier and that have no saturated pixel next to the overscan; `row_mean` has
 * room for n_row numbers. */
static void find_good_rows(const amp_data *a, double *row_mean, unsigned char *good)
{
    const ptrdiff_t n_amp_col = a->n_col / 2, n_science = a->n_row - VIRTUAL_ROWS;
    double bias_mean = bias_sum(a, n_science) / (double)(n_science * N_BIAS);
    double amp_sum = 0.0, virtual_sum = 0.0, amp_mean;

    for (ptrdiff_t row = 0; row < a->n_row; row++) {
        cal_view_row view = cal_view(a->n_row, a->n_col, a->amp, row);
        const float *pixel = a->sci + view.first + N_BIAS * view.step;
        const double *bias = a->bias + row * N_BIAS;
        double *sum = row < n_science ? &amp_sum : &virtual_sum;
        double above_mean = *sum, above_reference = 0.0, reference = 0.0;

        for (ptrdiff_t col = 0; col < N_BIAS && row > 0; col++) reference += bias[col] + bias[col - N_BIAS];
        reference /= (double)(2 * N_BIAS);
        for (ptrdiff_t col = N_BIAS; col < n_amp_col; col++, pixel += view.step) {
            above_mean += (double)*pixel - bias_mean;
            above_reference += (double)*pixel - reference;
        }
        *sum = above_mean;
        row_mean[row] = above_reference / (double)(n_amp_col - N_BIAS);
    }
    amp_mean = amp_sum / (double)((n_amp_col - N_BIAS) * n_science);

    good[0] = 0;
    for (ptrdiff_t row = 1; row < a->n_row; row++) {
        /* PARITY: the official program compares the integer part; what has none (INT_MIN) counts as near. */
        int deviation = cal_truncate(row_mean[row] - amp_mean);

        good[row] = (deviation == INT_MIN || abs(deviation) <= 100) && !near_pixels_above(a, row, 70000.0, 0);
    }
}

/* Clipped mean of the bias columns of the good rows; `value` has room for n_row * N_BIAS numbers.
 * PARITY: clipping is by mean absolute deviation, sums run along columns, and there are eleven passes at most. */
static double measure_level(const amp_data *a, const unsigned char *good, double *value)
{
    ptrdiff_t n = 0, n_before = -1;
    double mean = 0.0;

    for (ptrdiff_t col = 0; col < N_BIAS; col++)
        for (ptrdiff_t row = 0; row < a->n_row; row++)
            if (good[row]) value[n++] = a->bias[row * N_BIAS + col];
    /* A pass that rejects nothing is the last one: the next would only find the same. */
    for (int pass = 0; pass < 11 && n != n_before; pass++) {
        ptrdiff_t n_kept = 0;
        double deviation = 0.0;

        n_before = n;
        mean = plain_mean(value, n);
        for (ptrdiff_t i = 0; i < n; i++) deviation += fabs(value[i] - mean);
        deviation = n != 0 ? deviation / (double)n : 0.0;
        for (ptrdiff_t i = 0; i < n; i++)
            if (!(fabs(value[i] - mean) > 6.0 * deviation)) value[n_kept++] = value[i];
        n = n_kept;
    }
    return plain_mean(value, n);
}

/* Mean of each row's bias columns; rows that scatter too much are not good. */
static void measure_rows(const amp_data *a, double *row_mean, unsigned char *good)
{
    for (ptrdiff_t row = 0; row < a->n_row; row++) {
        const double *bias = a->bias + row * N_BIAS;
        double sum = 0.0, squares = 0.0;

        for (ptrdiff_t col = 0; col < N_BIAS; col++) sum += bias[col];
        row_mean[row] = sum / (double)N_BIAS;
        for (ptrdiff_t col = 0; col < N_BIAS; col++) squares += (bias[col] - row_mean[row]) * (bias[col] - row_mean[row]);
        if (sqrt(squares / (double)(N_BIAS - 1)) >= 15.0) good[row] = 0;
    }
}

int cal_destripe_measure(const float *sci, ptrdiff_t n_row, ptrdiff_t n_col, int amp, double *column_mean,
                         double *level, double *row_mean, unsigned char *good)
{
    amp_data a = {sci, n_row, n_col, amp, NULL};
    double *value = NULL;
    unsigned char *unsaturated = NULL;
    int status = CAL_OK;

    if (amp < 0 || amp > 3) return CAL_BAD_VALUE;
    if (n_row <= VIRTUAL_ROWS || n_col / 2 < N_BIAS + NEAR_COLS) return CAL_BAD_SIZE;
    a.bias = malloc((size_t)(n_row * N_BIAS) * sizeof *a.bias);
    value = malloc((size_t)(n_row * N_BIAS) * sizeof *value);
    unsaturated = malloc((size_t)n_row);
    if (a.bias == NULL || value == NULL || unsaturated == NULL) {
        status = CAL_NO_MEMORY;
        goto done;
    }
    for (ptrdiff_t row = 0; row < n_row; row++) {
        cal_view_row view = cal_view(n_row, n_col, amp, row);
        for (ptrdiff_t col = 0; col < N_BIAS; col++)
            a.bias[row * N_BIAS + col] = (double)sci[view.first + col * view.step];
    }
    measure_columns(&a, unsaturated, row_mean, value, column_mean);
    for (ptrdiff_t i = 0; i < n_row * N_BIAS; i++) a.bias[i] -= column_mean[i % N_BIAS];
    find_good_rows(&a, value, good);
    *level = measure_level(&a, good, value);
    for (ptrdiff_t i = 0; i < n_row * N_BIAS; i++) a.bias[i] -= *level;
    measure_rows(&a, row_mean, good);
done:
    free(a.bias);
    free(value);
    free(unsaturated);
    return status;
}

/* A pixel without level and stripe; `below` is the row from which the stripe is interpolated. */
static inline float subtract_stripe(double value, double level, double time, ptrdiff_t below, const double *stripe)
{
    value -= level;
    return (float)(value - (stripe[below] + (time - (double)below) * (stripe[below + 1] - stripe[below])));
}

/* The science columns of a row: they are read after its bias columns, before those of the next row. */
static void subtract_row(float *CAL_RESTRICT pixel, const double *CAL_RESTRICT delay, ptrdiff_t n, ptrdiff_t row,
                         ptrdiff_t n_row, double level, const double *stripe)
{
    const ptrdiff_t below = row > n_row - 2 ? n_row - 2 : row;

    for (ptrdiff_t i = 0; i < n; i++)
        pixel[i] = subtract_stripe((double)pixel[i], level, (double)row + delay[i], below, stripe);
}

int cal_destripe_subtract(float *sci, ptrdiff_t n_row, ptrdiff_t n_col, int amp, const double *column_mean,
                          double level, const double *stripe)
{
    const ptrdiff_t n_amp_col = n_col / 2;
    const int mirrored = amp % 2;
    double *delay;

    if (amp < 0 || amp > 3) return CAL_BAD_VALUE;
    if (n_row < 2 || n_amp_col < N_BIAS) return CAL_BAD_SIZE;
    /* Time at which a column is read, in rows, after the middle of the bias columns; in the order of the image, so that
     * rows are walked through forwards whichever amplifier read them. */
    delay = malloc((size_t)n_amp_col * sizeof *delay);
    if (delay == NULL) return CAL_NO_MEMORY;
    for (ptrdiff_t col = 0; col < n_amp_col; col++)
        delay[mirrored ? n_amp_col - 1 - col : col] = ((double)col - 11.5) / (double)(n_amp_col + GAP);

    for (ptrdiff_t row = 0; row < n_row; row++) {
        cal_view_row view = cal_view(n_row, n_col, amp, row);
        float *pixel = sci + view.first - (mirrored ? n_amp_col - 1 : 0);
        float *bias = mirrored ? pixel + n_amp_col - N_BIAS : pixel;
        const double *bias_delay = mirrored ? delay + n_amp_col - N_BIAS : delay;

        for (ptrdiff_t i = 0; i < N_BIAS; i++) {
            double value = (double)bias[i] - column_mean[mirrored ? N_BIAS - 1 - i : i];
            double time = (double)row + bias_delay[i];
            ptrdiff_t below = (ptrdiff_t)time; /* the floor, save before the first row, which counts as in it */

            bias[i] = subtract_stripe(value, level, time, below > n_row - 2 ? n_row - 2 : below, stripe);
        }
        subtract_row(mirrored ? pixel : pixel + N_BIAS, mirrored ? delay : delay + N_BIAS, n_amp_col - N_BIAS, row, n_row,
                     level, stripe);
    }
    free(delay);
    return CAL_OK;
}
