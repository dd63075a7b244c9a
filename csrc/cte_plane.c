/* cte_plane.c -- between the planes of a detector and the columns of the kernels. */
#include "cte_internal.h"

/* Pixels are moved in tiles: one direction or the other jumps from line to line. */
#define TILE_COL 64
#define TILE_ROW 16

int cal_cte_gather(const float *plane, ptrdiff_t n_col, ptrdiff_t n_row, ptrdiff_t col_step, ptrdiff_t row_step,
                   float *image)
{
    float tile[TILE_ROW][TILE_COL];

    if (n_col < 0 || n_row < 0)
        return CAL_BAD_SIZE;
    for (ptrdiff_t col = 0; col < n_col; col += TILE_COL) {
        const ptrdiff_t n = n_col - col < TILE_COL ? n_col - col : TILE_COL;

        for (ptrdiff_t row = 0; row < n_row; row += TILE_ROW) {
            const ptrdiff_t m = n_row - row < TILE_ROW ? n_row - row : TILE_ROW;
            const float *const from = plane + col * col_step + row * row_step;
            float *const to = image + col * n_row + row;

            for (ptrdiff_t v = 0; v < m; ++v)
                for (ptrdiff_t u = 0; u < n; ++u)
                    tile[v][u] = from[u * col_step + v * row_step];
            for (ptrdiff_t u = 0; u < n; ++u)
                for (ptrdiff_t v = 0; v < m; ++v)
                    to[u * n_row + v] = tile[v][u];
        }
    }
    return CAL_OK;
}

/* A run of pixels `step` elements apart. */
static void cte_combine_run(const float *delta, ptrdiff_t n, ptrdiff_t step, float *sci, float *err)
{
    for (ptrdiff_t i = 0; i < n; ++i) {
        const float square = err[i * step] * err[i * step];
        const double extra = 0.1 * fabs((double)delta[i]);

        sci[i * step] += delta[i];
        err[i * step] = (float)sqrt((double)square + extra * extra);
    }
}

int cal_cte_combine(const float *restored, const float *smooth, ptrdiff_t n_col, ptrdiff_t n_row, ptrdiff_t col_step,
                    ptrdiff_t row_step, float *sci, float *err)
{
    const int along_columns = row_step * row_step <= col_step * col_step;
    float delta[TILE_ROW][TILE_COL];

    if (n_col < 0 || n_row < 0)
        return CAL_BAD_SIZE;
    if (along_columns) {
        for (ptrdiff_t u = 0; u < n_col; ++u) {
            for (ptrdiff_t row = 0; row < n_row; row += TILE_COL) {
                const ptrdiff_t n = n_row - row < TILE_COL ? n_row - row : TILE_COL;
                const ptrdiff_t at = u * col_step + row * row_step;

                for (ptrdiff_t i = 0; i < n; ++i)
                    delta[0][i] = restored[u * n_row + row + i] - smooth[u * n_row + row + i];
                cte_combine_run(delta[0], n, row_step, sci + at, err + at);
            }
        }
        return CAL_OK;
    }
    for (ptrdiff_t col = 0; col < n_col; col += TILE_COL) {
        const ptrdiff_t n = n_col - col < TILE_COL ? n_col - col : TILE_COL;

        for (ptrdiff_t row = 0; row < n_row; row += TILE_ROW) {
            const ptrdiff_t row_last = row + TILE_ROW < n_row ? row + TILE_ROW : n_row;

            for (ptrdiff_t i = 0; i < n; ++i)
                for (ptrdiff_t v = row; v < row_last; ++v)
                    delta[v - row][i] = restored[(col + i) * n_row + v] - smooth[(col + i) * n_row + v];
            for (ptrdiff_t v = row; v < row_last; ++v)
                cte_combine_run(delta[v - row], n, col_step, sci + col * col_step + v * row_step,
                                err + col * col_step + v * row_step);
        }
    }
    return CAL_OK;
}
