/* Subtraction of the dark image. */
#include "internal.h"

enum { CHUNK = 4096 }; /* pixels that stay in the first cache from the subtraction to the sum */

void cal_dark_subtract(float *sci, float *err, int16_t *dq, ptrdiff_t n, const float *ref_sci, const float *ref_err,
                       const int16_t *ref_dq, float factor, int16_t bad_bits, cal_dark_mean *mean)
{
    for (ptrdiff_t first = 0; first < n; first += CHUNK) {
        ptrdiff_t last = n - first < CHUNK ? n : first + CHUNK;

        cal_imarith_subtract_scaled(sci + first, err + first, dq + first, last - first, ref_sci + first,
                                    ref_err + first, ref_dq + first, factor);
        for (ptrdiff_t i = first; i < last; i++) {
            if (bad_bits & ref_dq[i]) continue;
            mean->sum += (double)(factor * ref_sci[i]);
            mean->count++;
        }
    }
}
