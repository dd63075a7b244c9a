/* Uncertainty before calibration. */
#include "internal.h"

static inline void fill_noise(const float *sci, float *err, ptrdiff_t n, float read_noise, int bias)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        float signal = sci[i] < 0.0F ? 0.0F : sci[i];
        err[i] = bias ? read_noise : sqrtf(signal + read_noise * read_noise + err[i] * err[i]);
    }
}

CAL_CLONES
int cal_noise_ccd(const float *sci, float *err, ptrdiff_t n_row, ptrdiff_t n_col, const cal_quadrants *read_noise,
                  int bias)
{
    ptrdiff_t col = read_noise->col;

    if (!cal_inside(0, read_noise->row, n_row) || !cal_inside(0, col, n_col)) return CAL_BAD_SIZE;
    for (ptrdiff_t row = 0; row < n_row; row++) {
        const float *value = read_noise->value + (row < read_noise->row ? 0 : 2);
        fill_noise(sci + row * n_col, err + row * n_col, col, value[0], bias);
        fill_noise(sci + row * n_col + col, err + row * n_col + col, n_col - col, value[1], bias);
    }
    return CAL_OK;
}

int cal_noise_is_blank(const float *err, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        if (err[i] != 0.0F) return 0;
    return 1;
}

ptrdiff_t cal_noise_counts(const float *sci, float *err, ptrdiff_t n)
{
    ptrdiff_t n_negative = 0;

    for (ptrdiff_t i = 0; i < n; i++) {
        float counts = sci[i], sigma;

        if (counts < 0.0F) {
            int whole = cal_truncate((double)counts);

            counts = (float)(whole == INT_MIN ? whole : -whole);
            n_negative++;
        }
        sigma = sqrtf(counts);
        err[i] = sigma > 1.0F ? sigma : 1.0F;
    }
    return n_negative;
}
