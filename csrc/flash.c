/* Subtraction of the post-flash image. */
#include "internal.h"

void cal_flash_subtract(float *sci, float *err, int16_t *dq, ptrdiff_t n_row, ptrdiff_t n_col, const float *ref_sci,
                        const float *ref_err, const int16_t *ref_dq, float factor, int16_t bad_bits,
                        cal_flash_mean *mean)
{
    for (ptrdiff_t row = 0; row < n_row; row++) {
        ptrdiff_t first = row * n_col, count = 0;
        double sum = 0.0;
        float line_mean, weight;

        cal_imarith_subtract_scaled(sci + first, err + first, dq + first, n_col, ref_sci + first, ref_err + first,
                                    ref_dq + first, factor);
        for (ptrdiff_t i = first; i < first + n_col; i++) {
            if (bad_bits & ref_dq[i]) continue;
            sum += (double)(factor * ref_sci[i]);
            count++;
        }
        if (count == 0) continue;
        line_mean = (float)(sum / (double)count);
        weight = (float)count / (float)n_col;
        mean->sum += line_mean * weight;
        mean->weight += weight;
    }
}
