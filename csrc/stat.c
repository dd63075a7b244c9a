/* Statistics of good pixels. */
#include "internal.h"

static void begin(cal_stat_range *range, double value)
{
    range->sum = range->min = range->max = value;
}

static void add(cal_stat_range *range, double value)
{
    range->sum += value;
    range->min = value < range->min ? value : range->min;
    range->max = value > range->max ? value : range->max;
}

void cal_stat_add(const float *sci, const float *err, const int16_t *dq, ptrdiff_t n, int16_t bad_bits,
                  cal_stat_image *stat)
{
    cal_stat_image s = *stat; /* a copy that can live in registers */

    for (ptrdiff_t i = 0; i < n; i++) {
        double value = (double)sci[i], sigma = (double)err[i], snr;

        if (bad_bits & dq[i]) continue;
        if (sigma <= 0.0) {
            s.n_no_error++;
            continue;
        }
        snr = value / sigma;
        if (s.n_good++ == 0) {
            begin(&s.sci, value);
            begin(&s.err, sigma);
            begin(&s.snr, snr);
        } else {
            add(&s.sci, value);
            add(&s.err, sigma);
            add(&s.snr, snr);
        }
    }
    *stat = s;
}
