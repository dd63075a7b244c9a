/* Sky of exposures that are combined: the mode of their pixels. */
#include "internal.h"

enum { CHUNK = 1024 };

void cal_crrej_range_add(const float *sci, const int16_t *dq, ptrdiff_t n, int16_t bad_bits, cal_crrej_range *range)
{
    float lowest = range->lowest, sum = range->sum;
    ptrdiff_t count = range->count;

    for (ptrdiff_t i = 0; i < n; i++) {
        int good = (dq[i] & bad_bits) == 0;
        float value = good ? sci[i] : 0.0F;

        /* Adding 0 leaves the sum as it is. */
        sum += value;
        lowest = good && value < lowest ? value : lowest;
        count += good;
    }
    range->lowest = lowest;
    range->sum = sum;
    range->count = count;
}

/* Sums of int that wrap, as they do on the machines the official program runs on. */
static int32_t wrap(int64_t value)
{
    return (int32_t)(uint32_t)((uint64_t)value & 0xFFFFFFFFU);
}

int cal_crrej_bins_of(const cal_crrej_range *range, cal_crrej_bins *bins)
{
    const int least = 1000, most = 10000, floor_value = -15000;
    ptrdiff_t count = range->count > 0 ? range->count : 1;
    int low = range->lowest < (float)floor_value ? floor_value : cal_truncate((double)range->lowest);
    float mean = range->sum > 0.0F ? (float)cal_truncate((double)(range->sum / (float)count + 1.0F)) : 1.0F;
    int high = cal_truncate((double)(2.0F * mean - (float)low));
    int32_t n_bin = wrap((int64_t)high - low + 1);

    bins->low = (float)low;
    bins->width = 1.0F;
    if (n_bin < least) n_bin = least;
    if (n_bin > most) {
        bins->width = (float)n_bin / (float)most;
        n_bin = most;
    }
    bins->n_bin = n_bin;
    return range->count > 0 ? CAL_OK : CAL_NO_DATA;
}

int cal_crrej_histogram(const float *sci, const int16_t *dq, ptrdiff_t n, const cal_crrej_bins *bins, int32_t *count)
{
    const float low = bins->low, width = bins->width, end = (float)bins->n_bin;
    int32_t bin[CHUNK];

    if (bins->n_bin < 1) return CAL_BAD_SIZE;
    for (ptrdiff_t start = 0; start < n; start += CHUNK) {
        ptrdiff_t m = n - start < CHUNK ? n - start : CHUNK;

        for (ptrdiff_t i = 0; i < m; i++) {
            float place = (sci[start + i] - low) / width;
            int counts = dq[start + i] == 0 && place > -1.0F && place < end;

            bin[i] = (int32_t)(counts ? place : end);
        }
        for (ptrdiff_t i = 0; i < m; i++) count[bin[i]]++;
    }
    return CAL_OK;
}

int cal_crrej_mode(const int32_t *count, const cal_crrej_bins *bins, float *mode)
{
    int32_t peak = 0;

    if (bins->n_bin < 2) return CAL_BAD_SIZE;
    for (int32_t i = 1; i < bins->n_bin; i++)
        if (count[i] > count[peak]) peak = i;
    if (peak == 0) {
        *mode = (float)((double)bins->low + 0.5 * (double)bins->width);
    } else if (peak == bins->n_bin - 1) {
        *mode = (float)((double)bins->low + ((double)bins->n_bin - 0.5) * (double)bins->width);
    } else {
        float left = (float)(count[peak] - count[peak - 1]), right = (float)(count[peak] - count[peak + 1]);
        float both = left + right;
        float place = (float)((double)peak + 0.5 + 0.5 * (double)(left - right) / (double)both);

        *mode = bins->low + place * bins->width;
    }
    return CAL_OK;
}
