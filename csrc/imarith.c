/* Image arithmetic with error propagation. */
#include <string.h>

#include "internal.h"

enum { CHUNK = 512 }; /* pixels that stay in the first cache between two loops */

int cal_imarith_crop(unsigned char *image, ptrdiff_t n_row, ptrdiff_t n_byte, ptrdiff_t row_first, ptrdiff_t row_last,
                     ptrdiff_t byte_first, ptrdiff_t byte_last)
{
    const ptrdiff_t width = byte_last - byte_first;

    if (!cal_inside(row_first, row_last, n_row) || !cal_inside(byte_first, byte_last, n_byte)) return CAL_BAD_SIZE;
    for (ptrdiff_t row = row_first; row < row_last; row++)
        memmove(image + (row - row_first) * width, image + row * n_byte + byte_first, (size_t)width);
    return CAL_OK;
}

int cal_imarith_gain(float *sci, float *err, ptrdiff_t n_row, ptrdiff_t n_col, const cal_quadrants *gain)
{
    if (!cal_inside(0, gain->row, n_row) || !cal_inside(0, gain->col, n_col)) return CAL_BAD_SIZE;
    for (ptrdiff_t row = 0; row < n_row; row++) {
        const float *value = gain->value + (row < gain->row ? 0 : 2);
        float *s = sci + row * n_col, *e = err + row * n_col;

        for (ptrdiff_t col = 0; col < gain->col; col++) {
            s[col] *= value[0];
            e[col] *= value[0];
        }
        for (ptrdiff_t col = gain->col; col < n_col; col++) {
            s[col] *= value[1];
            e[col] *= value[1];
        }
    }
    return CAL_OK;
}

CAL_CLONES
void cal_imarith_subtract(float *CAL_RESTRICT sci, float *CAL_RESTRICT err, int16_t *CAL_RESTRICT dq, ptrdiff_t n,
                          const float *ref_sci, const float *ref_err, const int16_t *ref_dq)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        sci[i] -= ref_sci[i];
        err[i] = sqrtf(err[i] * err[i] + ref_err[i] * ref_err[i]);
        dq[i] = (int16_t)(dq[i] | ref_dq[i]);
    }
}

void cal_imarith_square(float *err, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++) err[i] *= err[i];
}

void cal_imarith_sum(float *CAL_RESTRICT sci, float *CAL_RESTRICT var, int16_t *CAL_RESTRICT dq, ptrdiff_t n,
                     const float *new_sci, const float *new_err, const int16_t *new_dq)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        sci[i] += new_sci[i];
        var[i] += new_err[i] * new_err[i];
        dq[i] = (int16_t)(dq[i] | new_dq[i]);
    }
}

void cal_imarith_root(float *var, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++) var[i] = sqrtf(var[i]);
}

void cal_imarith_scale(float *sci, float *err, ptrdiff_t n, float factor)
{
    for (ptrdiff_t i = 0; i < n; i++) sci[i] *= factor;
    for (ptrdiff_t i = 0; i < n; i++) err[i] *= factor;
}

CAL_CLONES
void cal_imarith_subtract_scaled(float *CAL_RESTRICT sci, float *CAL_RESTRICT err, int16_t *CAL_RESTRICT dq,
                                 ptrdiff_t n, const float *ref_sci, const float *ref_err, const int16_t *ref_dq,
                                 float factor)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        float other = factor * ref_err[i];

        sci[i] -= factor * ref_sci[i];
        err[i] = sqrtf(err[i] * err[i] + other * other);
    }
    for (ptrdiff_t i = 0; i < n; i++) dq[i] = (int16_t)(dq[i] | ref_dq[i]);
}

void cal_imarith_multiply(float *CAL_RESTRICT sci, float *CAL_RESTRICT err, int16_t *CAL_RESTRICT dq, ptrdiff_t n,
                          const float *ref_sci, const float *ref_err, const int16_t *ref_dq)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        float other = sci[i] * ref_err[i], own = ref_sci[i] * err[i];

        err[i] = sqrtf(other * other + own * own);
        sci[i] *= ref_sci[i];
    }
    for (ptrdiff_t i = 0; i < n; i++) dq[i] = (int16_t)(dq[i] | ref_dq[i]);
}

/* Both results are computed for every pixel and chosen afterwards, from local arrays: loops without branch. */
CAL_CLONES
static void divide_chunk(float *CAL_RESTRICT sci, float *CAL_RESTRICT err, ptrdiff_t n, const float *CAL_RESTRICT flat,
                         const float *CAL_RESTRICT flat_err)
{
    float ratio[CHUNK], sigma[CHUNK], same_sci[CHUNK], same_err[CHUNK];
    int32_t zero[CHUNK];

    for (ptrdiff_t i = 0; i < n; i++) {
        float divisor = flat[i] == 0.0F ? 1.0F : flat[i];
        float own = err[i] / divisor, other = flat_err[i] * sci[i] / divisor / divisor;

        ratio[i] = sci[i] / divisor;
        sigma[i] = sqrtf(own * own + other * other);
        same_sci[i] = sci[i];
        same_err[i] = err[i];
        zero[i] = flat[i] == 0.0F;
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        sci[i] = zero[i] ? same_sci[i] : ratio[i];
        err[i] = zero[i] ? same_err[i] : sigma[i];
    }
}

void cal_imarith_divide(float *CAL_RESTRICT sci, float *CAL_RESTRICT err, int16_t *CAL_RESTRICT dq, ptrdiff_t n,
                        const float *ref_sci, const float *ref_err, const int16_t *ref_dq, int16_t zero_flag)
{
    for (ptrdiff_t first = 0; first < n; first += CHUNK) {
        const ptrdiff_t last = n - first < CHUNK ? n : first + CHUNK;

        divide_chunk(sci + first, err + first, last - first, ref_sci + first, ref_err + first);
        for (ptrdiff_t i = first; i < last; i++)
            dq[i] = (int16_t)(dq[i] | ref_dq[i] | (ref_sci[i] == 0.0F ? zero_flag : 0));
    }
}
