/* Subtraction of the dark image. */
#include "internal.h"

enum { CHUNK = 64 }; /* pixels that stay in the first cache from the subtraction to the sum */

CAL_CLONES
void cal_dark_subtract(float *sci, float *err, int16_t *dq, ptrdiff_t n, const float *ref_sci, const float *ref_err,
                       const int16_t *ref_dq, float factor, int16_t bad_bits, cal_dark_mean *mean)
{
    double sum = mean->sum;
    float scaled[CHUNK], term[CHUNK];

    for (ptrdiff_t first = 0; first < n; first += CHUNK) {
        const ptrdiff_t m = n - first < CHUNK ? n - first : CHUNK;
        const float *dark = ref_sci + first;
        const int16_t *flag = ref_dq + first;
        int count = 0;

        cal_imarith_subtract_scaled(sci + first, err + first, dq + first, m, dark, ref_err + first, flag, factor);
        for (ptrdiff_t i = 0; i < m; i++) scaled[i] = factor * dark[i];
        /* What is added for bad pixels, 0, changes no bit of a sum that began at 0. */
        for (ptrdiff_t i = 0; i < m; i++) {
            int32_t bad = (bad_bits & flag[i]) != 0;

            term[i] = bad ? 0.0F : scaled[i];
            count += 1 - bad;
        }
        for (ptrdiff_t i = 0; i < m; i++) sum += (double)term[i];
        mean->count += count;
    }
    mean->sum = sum;
}
