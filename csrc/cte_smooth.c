/* cte_smooth.c -- the smoothest image that is the observed one within the read noise. */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "cte_internal.h"

/* Elements before row 0 of a column in the workspace. */
#define CTE_LEAD 8

static double cte_clip(double value, double limit)
{
    return value > limit ? limit : value < -limit ? -limit : value;
}

/* Add the square of what is set aside of a pixel that counts. */
static int cte_count(float observed, float result, double *square)
{
    const float rest = observed - result;

    if (!(fabs((double)observed) > 0.1 || fabs((double)result) > 0.1))
        return 0;
    *square += (double)rest * (double)rest;
    return 1;
}

int cal_cte_smooth_pixel(const cte_smooth_task *task, ptrdiff_t row, double *square)
{
    /* Neighboring columns in the order in which HSTCAL sums them. */
    static const int order[3] = {1, 0, 2};
    const float observed = task->observed[1][row];
    const double value = (double)task->smooth[1][row];
    const double own = (double)observed - value;
    const double below = row > 0 ? (double)task->smooth[1][row - 1] - value : 0.0;
    const double above = row < task->n_row - 1 ? (double)task->smooth[1][row + 1] - value : 0.0;
    const double limit = task->limit, four = task->four;
    double block = 0.0, adjust;
    float result;

    if (!task->at_edge && row > 0 && row < task->n_row - 1) {
        for (int i = 0; i < 3; ++i)
            for (ptrdiff_t near = row - 1; near <= row + 1; ++near)
                block = block + (double)task->observed[order[i]][near] - (double)task->smooth[order[i]][near];
        block /= 9.0;
    }
    adjust = cte_clip(own, 1.0) * (own * own / (own * own + four)) * 0.25 +
             cte_clip(block, limit) * (block * block / (block * block + task->eighteen)) * 0.25 +
             cte_clip(below, limit) * (four / (below * below + four)) * 0.25 +
             cte_clip(above, limit) * (four / (above * above + four)) * 0.25;
    result = (float)(value + (double)(float)adjust * 0.75);
    task->result[row] = result;
    task->rest_after[row] = ((double)observed - (double)result) * task->scale;
    return cte_count(observed, result, square);
}

int cal_cte_smooth_open(const cte_smooth_task *task, ptrdiff_t row, double *square)
{
    /* NaN in the end rows. */
    const double high = task->adjust[row] * task->four + 4.0 * task->error;

    /* The result was made with the lower bound. */
    if ((float)((double)task->smooth[1][row] + 0.1875 * (double)(float)high) == task->result[row])
        return cte_count(task->observed[1][row], task->result[row], square);
    return cal_cte_smooth_pixel(task, row, square);
}

cte_extent cal_cte_enter(const float *observed, const float *start, ptrdiff_t n_row, double scale, float *seen,
                         float *smooth, double *rest)
{
    return cte_enter(observed, start, n_row, scale, seen, smooth, rest);
}

double cal_cte_least(const float *column, ptrdiff_t n_row)
{
    return cte_least(column, n_row);
}

void cal_cte_smooth_scalar(const cte_smooth_task *task, double *square, double *count)
{
    double sum = 0.0;
    ptrdiff_t n = 0;

    for (ptrdiff_t row = 0; row < task->n_row; ++row)
        n += cal_cte_smooth_pixel(task, row, &sum);
    *square = sum;
    *count = (double)n;
}

/* Three successive columns of the image after some iteration, column c at [c % 3]. */
typedef struct {
    float *smooth[3];
    double *rest[3];
    double least[3]; /* smallest magnitude in smooth; negative: not yet known */
} cte_ring;

/* Workspace of a sweep: column after column enters at iteration 0; iteration k runs k columns behind. */
typedef struct {
    ptrdiff_t n_row, n_iteration;
    float **observed; /* [n_iteration + 2] column c at [c % (n_iteration + 2)] */
    cte_extent *extent; /* [n_iteration + 2] of them and what smoothing began with */
    double *least;    /* [n_iteration + 2] their smallest magnitude; negative: not yet known */
    cte_ring *ring;   /* [n_iteration + 1] */
    double scale;
    double *zeros, *adjust, *spare;
    int32_t *flags;
    void *memory[2];
} cte_sweep;

static int cte_sweep_start(cte_sweep *sweep, ptrdiff_t n_row, ptrdiff_t n_iteration)
{
    /* An odd number of cache lines in floats, so that columns do not fall on the same sets. */
    const ptrdiff_t length = ((n_row + CTE_LEAD + CTE_PAD + 15) / 16 * 16) | 16;
    const ptrdiff_t n_ring = 3 * (n_iteration + 1), n_observed = n_iteration + 2;
    double *doubles;
    float *floats;

    sweep->n_row = n_row;
    sweep->n_iteration = n_iteration;
    sweep->memory[0] = malloc((size_t)n_observed * (sizeof(float *) + sizeof(cte_extent) + sizeof(double)) +
                              (size_t)(n_iteration + 1) * sizeof(cte_ring));
    sweep->memory[1] =
        calloc((size_t)(length * (2 * (n_ring + 3) + n_ring + n_observed + 1)) + 32, sizeof(float));
    if (sweep->memory[0] == NULL || sweep->memory[1] == NULL)
        return CAL_NO_MEMORY;
    sweep->ring = sweep->memory[0];
    sweep->extent = (cte_extent *)(sweep->ring + n_iteration + 1);
    sweep->least = (double *)(sweep->extent + n_observed);
    sweep->observed = (float **)(void *)(sweep->least + n_observed);
    doubles = (double *)(((uintptr_t)sweep->memory[1] + 63) & ~(uintptr_t)63) + CTE_LEAD;
    floats = (float *)(doubles - CTE_LEAD + length * (n_ring + 3)) + CTE_LEAD;
    for (ptrdiff_t k = 0; k <= n_iteration; ++k)
        for (int i = 0; i < 3; ++i) {
            sweep->ring[k].rest[i] = doubles + (3 * k + i) * length;
            sweep->ring[k].smooth[i] = floats + (3 * k + i) * length;
        }
    sweep->zeros = doubles + n_ring * length;
    sweep->adjust = sweep->zeros + length;
    sweep->spare = sweep->adjust + length;
    for (ptrdiff_t i = 0; i < n_observed; ++i)
        sweep->observed[i] = floats + (n_ring + i) * length;
    sweep->flags = (int32_t *)(void *)(floats + (n_ring + n_observed) * length);
    return CAL_OK;
}

/* Column `col` enters the sweep. */
static void cte_sweep_enter(cte_sweep *sweep, const cte_kernels *kernels, const float *observed, const float *start,
                            ptrdiff_t col)
{
    const ptrdiff_t n_row = sweep->n_row, from = col * n_row, at = col % (sweep->n_iteration + 2);
    cte_ring *to = &sweep->ring[0];

    sweep->extent[at] = kernels->enter(observed + from, start + from, n_row, sweep->scale, sweep->observed[at],
                                       to->smooth[col % 3], to->rest[col % 3]);
    sweep->least[at] = to->least[col % 3] = -1.0;
}

/* Smallest magnitude among the columns around `col`, before an iteration. */
static double cte_least_around(cte_sweep *sweep, const cte_kernels *kernels, const cte_smooth_task *task, ptrdiff_t col,
                               cte_ring *from)
{
    double least = INFINITY;

    for (int i = 0; i < 3; ++i) {
        const ptrdiff_t near = task->at_edge ? col : col - 1 + i;
        double *const observed = &sweep->least[near % (sweep->n_iteration + 2)], *const smooth = &from->least[near % 3];

        if (*observed < 0.0)
            *observed = kernels->least(task->observed[i], task->n_row);
        if (*smooth < 0.0)
            *smooth = kernels->least(task->smooth[i], task->n_row);
        least = *observed < least ? *observed : least;
        least = *smooth < least ? *smooth : least;
    }
    return least;
}

/* Bound on the difference between two ways to compute an adjustment in double.
 *
 * With u = 2^-53, N the read noise, P and D the largest pixel and difference of the columns: the official way rounds each
 * term a few times, which makes (3.3 + 2.6 N) u at most.  It adds up 9 pixels and takes away 9 others, which puts the mean
 * of the 3 x 3 differences wrong by (P + 18 D) u; an adjustment changes by no more than 1/79 of that.  The vector kernels add
 * up differences, (10.3 + 9.5 N + D / 13) u.  Together (13.6 + 12.1 N + P / 79 + D / 3.2) u; here with some room.  An
 * iteration moves a pixel by less than (1 + N) / 5, or twice that where it is rounded to a float.
 *
 * Floats of a magnitude of at least L are multiples of 2^-24 L, so their sums are exact below 2^29 L: then P has no part in
 * it.  L is looked for only where P matters. */
static double cte_error(cte_sweep *sweep, const cte_kernels *kernels, const cte_smooth_task *task, ptrdiff_t col,
                        ptrdiff_t iteration, double read_noise)
{
    double error = (1.0 + read_noise) * 3e-15, most = 0.0, apart = 0.0;

    for (ptrdiff_t near = task->at_edge ? col : col - 1; near <= (task->at_edge ? col : col + 1); ++near) {
        most = fmax(most, sweep->extent[near % (sweep->n_iteration + 2)].most);
        apart = fmax(apart, sweep->extent[near % (sweep->n_iteration + 2)].apart);
    }
    apart += (double)iteration * 0.4 * (1.0 + read_noise);
    most += apart;
    error += apart * 0x1p-54;
    if (most * 0x1p-59 < error ||
        most + 20.0 * apart > 0x1p28 * cte_least_around(sweep, kernels, task, col, &sweep->ring[iteration - 1]))
        error += most * 0x1p-59;
    return error;
}

int cal_cte_smooth(const float *observed, const float *start, ptrdiff_t n_col, ptrdiff_t n_row, ptrdiff_t col_first,
                   ptrdiff_t col_last, ptrdiff_t n_iteration, double read_noise, int isa, float *result,
                   double *square, double *count)
{
    const double variance = read_noise * read_noise;
    const cte_kernels *kernels;
    cte_smooth_task task;
    cte_sweep sweep;
    ptrdiff_t enter, leave;
    int status;

    if (n_col < 1 || n_row < 1 || n_row > (1 << 22) || n_iteration < 1 || !cal_inside(col_first, col_last, n_col))
        return CAL_BAD_SIZE;
    if (!(read_noise > 0.0) || (isa = cal_cte_isa(isa)) < 0)
        return CAL_BAD_VALUE;
    /* Below, products of scaled differences leave the range of double; far above, adjustments that of float. */
    kernels = cal_cte_kernels(read_noise > 1e-3 && read_noise < 1e20 ? isa : CAL_CTE_SCALAR);
    status = cte_sweep_start(&sweep, n_row, n_iteration);
    if (status != CAL_OK)
        goto done;
    task.n_row = n_row;
    task.adjust = sweep.adjust;
    task.spare = sweep.spare;
    task.flags = sweep.flags;
    task.limit = read_noise * 0.33;
    task.four = 4.0 * variance;
    task.eighteen = 18.0 * variance;
    sweep.scale = task.scale = kernels->scaled ? 1.0 / task.four : 1.0;
    task.own_limit = task.scale;
    task.own_four = task.scale * task.scale * task.four;
    task.block_limit = 9.0 * task.scale * task.limit;
    task.block_eighteen = 729.0 * task.scale * task.scale * task.eighteen;

    enter = col_first > n_iteration ? col_first - n_iteration : 0;
    leave = n_col - col_last > n_iteration ? col_last + n_iteration : n_col;
    for (ptrdiff_t front = enter; front < col_last + n_iteration; ++front) {
        if (front < leave)
            cte_sweep_enter(&sweep, kernels, observed, start, front);
        for (ptrdiff_t k = 1; k <= n_iteration; ++k) {
            const cte_ring *from = &sweep.ring[k - 1];
            cte_ring *to = &sweep.ring[k];
            const ptrdiff_t col = front - k, halo = n_iteration - k;
            double total, n;
            int direct;

            if (col < enter || col < col_first - halo || col >= col_last + halo || col >= n_col)
                continue;
            task.at_edge = col == 0 || col == n_col - 1;
            for (int i = 0; i < 3; ++i) {
                const ptrdiff_t near = task.at_edge ? col : col - 1 + i;

                task.smooth[i] = from->smooth[near % 3];
                task.observed[i] = sweep.observed[near % (n_iteration + 2)];
                task.rest[i] = task.at_edge && i != 1 ? sweep.zeros : from->rest[near % 3];
            }
            task.center = task.at_edge ? sweep.zeros : task.rest[1];
            task.error = cte_error(&sweep, kernels, &task, col, k, read_noise);
            /* Vectors may run over the end of the column, but not here. */
            direct = k == n_iteration && n_row % CTE_LANES == 0;
            task.result = direct ? result + col * n_row : to->smooth[col % 3];
            task.rest_after = to->rest[col % 3];
            kernels->smooth(&task, &total, &n);
            to->least[col % 3] = -1.0;
            if (col >= col_first && col < col_last) {
                square[(k - 1) * n_col + col] = total;
                count[(k - 1) * n_col + col] = n;
            }
            if (k == n_iteration && !direct)
                memcpy(result + col * n_row, task.result, sizeof(float) * (size_t)n_row);
        }
    }
done:
    free(sweep.memory[0]);
    free(sweep.memory[1]);
    return status;
}

int cal_cte_smooth_rms(const float *observed, const float *smooth, ptrdiff_t n_col, ptrdiff_t n_row, double *square,
                       double *count)
{
    double sum = 0.0, n = 0.0;

    if (n_col < 0 || n_row < 0)
        return CAL_BAD_SIZE;
    for (ptrdiff_t at = 0; at < n_col * n_row; ++at) {
        if (fabs((double)observed[at]) > 0.1 || fabs((double)smooth[at]) > 0.1) {
            const float noise = observed[at] - smooth[at];

            sum += (double)noise * (double)noise;
            n += 1.0;
        }
    }
    *square = sum;
    *count = n;
    return CAL_OK;
}
