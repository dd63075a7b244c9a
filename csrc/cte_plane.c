/* cte_plane.c -- between the planes of a detector and the columns of the kernels. */
#include "cte_internal.h"

/* Pixels are moved in tiles: one direction or the other jumps from line to line. */
#define TILE_COL 128
#define TILE_ROW 16

static ptrdiff_t cte_distance(ptrdiff_t step)
{
    return step < 0 ? -step : step;
}

static int cte_neighbors(ptrdiff_t step)
{
    return cte_distance(step) == 1;
}

/* Copy a run of pixels `step` elements apart. */
static void cte_copy_run(const float *from, ptrdiff_t step, ptrdiff_t n, float *to)
{
    if (step == 1)
        memcpy(to, from, sizeof(float) * (size_t)n);
    else if (step == -1)
        for (ptrdiff_t i = 0; i < n; ++i)
            to[i] = from[-i];
    else
        for (ptrdiff_t i = 0; i < n; ++i)
            to[i] = from[i * step];
}

int cal_cte_gather(const float *plane, ptrdiff_t n_col, ptrdiff_t n_row, ptrdiff_t col_step, ptrdiff_t row_step,
                   float *image)
{
    float tile[TILE_ROW][TILE_COL];

    if (n_col < 0 || n_row < 0)
        return CAL_BAD_SIZE;
    if (cte_neighbors(row_step)) {
        for (ptrdiff_t col = 0; col < n_col; ++col)
            cte_copy_run(plane + col * col_step, row_step, n_row, image + col * n_row);
        return CAL_OK;
    }
    for (ptrdiff_t col = 0; col < n_col; col += TILE_COL) {
        const ptrdiff_t n = n_col - col < TILE_COL ? n_col - col : TILE_COL;

        for (ptrdiff_t row = 0; row < n_row; row += TILE_ROW) {
            const ptrdiff_t m = n_row - row < TILE_ROW ? n_row - row : TILE_ROW;

            for (ptrdiff_t v = 0; v < m; ++v)
                cte_copy_run(plane + col * col_step + (row + v) * row_step, col_step, n, tile[v]);
            for (ptrdiff_t u = 0; u < n; ++u)
                for (ptrdiff_t v = 0; v < m; ++v)
                    image[(col + u) * n_row + row + v] = tile[v][u];
        }
    }
    return CAL_OK;
}

static inline void cte_combine_pixel(float delta, float *sci, float *err)
{
    const float square = *err * *err;
    const double extra = 0.1 * fabs((double)delta);

    *sci += delta;
    *err = (float)sqrt((double)square + extra * extra);
}

/* A run of neighboring pixels. */
CAL_CLONES
static void cte_combine_neighbors(const float *CAL_RESTRICT delta, ptrdiff_t n, float *CAL_RESTRICT sci,
                                  float *CAL_RESTRICT err)
{
    for (ptrdiff_t i = 0; i < n; ++i)
        cte_combine_pixel(delta[i], sci + i, err + i);
}

/* A run of pixels `step` elements apart; `delta` is in the order of their addresses if they are neighbors. */
static void cte_combine_run(const float *delta, ptrdiff_t n, ptrdiff_t step, float *sci, float *err)
{
    const ptrdiff_t first = step == -1 ? 1 - n : 0;

    if (cte_neighbors(step))
        cte_combine_neighbors(delta, n, sci + first, err + first);
    else
        for (ptrdiff_t i = 0; i < n; ++i)
            cte_combine_pixel(delta[i], sci + i * step, err + i * step);
}

int cal_cte_combine(const float *restored, const float *smooth, ptrdiff_t n_col, ptrdiff_t n_row, ptrdiff_t col_step,
                    ptrdiff_t row_step, float *sci, float *err)
{
    float delta[TILE_ROW * TILE_COL], column[TILE_ROW];

    if (n_col < 0 || n_row < 0)
        return CAL_BAD_SIZE;
    if (cte_distance(row_step) <= cte_distance(col_step)) {
        for (ptrdiff_t col = 0; col < n_col; ++col) {
            for (ptrdiff_t row = 0; row < n_row; row += TILE_COL * TILE_ROW) {
                const ptrdiff_t n = n_row - row < TILE_COL * TILE_ROW ? n_row - row : TILE_COL * TILE_ROW;
                const float *const after = restored + col * n_row + row, *const before = smooth + col * n_row + row;
                const ptrdiff_t at = col * col_step + row * row_step;

                if (row_step == -1)
                    for (ptrdiff_t i = 0; i < n; ++i)
                        delta[i] = after[n - 1 - i] - before[n - 1 - i];
                else
                    for (ptrdiff_t i = 0; i < n; ++i)
                        delta[i] = after[i] - before[i];
                cte_combine_run(delta, n, row_step, sci + at, err + at);
            }
        }
        return CAL_OK;
    }
    for (ptrdiff_t col = 0; col < n_col; col += TILE_COL) {
        const ptrdiff_t n = n_col - col < TILE_COL ? n_col - col : TILE_COL;

        for (ptrdiff_t row = 0; row < n_row; row += TILE_ROW) {
            const ptrdiff_t m = n_row - row < TILE_ROW ? n_row - row : TILE_ROW;

            for (ptrdiff_t i = 0; i < n; ++i) {
                const ptrdiff_t from = (col + i) * n_row + row, to = col_step == -1 ? n - 1 - i : i;

                for (ptrdiff_t v = 0; v < m; ++v)
                    column[v] = restored[from + v] - smooth[from + v];
                for (ptrdiff_t v = 0; v < m; ++v)
                    delta[v * TILE_COL + to] = column[v];
            }
            for (ptrdiff_t v = 0; v < m; ++v) {
                const ptrdiff_t at = col * col_step + (row + v) * row_step;

                cte_combine_run(delta + v * TILE_COL, n, col_step, sci + at, err + at);
            }
        }
    }
    return CAL_OK;
}
