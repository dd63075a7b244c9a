/* Small statistics used by several kernels. */
#include <float.h>

#include "internal.h"

static void swap(double *a, double *b)
{
    double kept = *a;
    *a = *b;
    *b = kept;
}

/* Hoare's selection: afterwards value[k] is the k-th smallest and nothing before it is larger. */
static void select_smallest(double *value, ptrdiff_t n, ptrdiff_t k)
{
    ptrdiff_t low = 0, high = n - 1;

    while (low < high) {
        double pivot = value[low + (high - low) / 2];
        ptrdiff_t i = low, j = high;

        while (i <= j) {
            while (value[i] < pivot) i++;
            while (value[j] > pivot) j--;
            if (i <= j) swap(&value[i++], &value[j--]);
        }
        if (k <= j) high = j;
        else if (k >= i) low = i;
        else return;
    }
}

int cal_median(double *value, ptrdiff_t n, double *median)
{
    ptrdiff_t middle = n / 2;

    *median = 0.0;
    if (n < 0) return CAL_BAD_SIZE;
    if (n == 0) return CAL_NO_DATA;
    for (ptrdiff_t i = 0; i < n; i++) {
        if (isnan(value[i])) {
            *median = value[i];
            return CAL_OK;
        }
    }
    select_smallest(value, n, middle);
    *median = value[middle];
    if (n % 2 == 0) {
        double below = value[0];

        for (ptrdiff_t i = 1; i < middle; i++)
            if (value[i] > below) below = value[i];
        *median = (below + value[middle]) / 2.0;
    }
    return CAL_OK;
}

int cal_line_fit(const double *value, const unsigned char *used, ptrdiff_t n, double first, double middle,
                 cal_line *fit)
{
    double count = 0.0, sum_t = 0.0, sum_v = 0.0, sum_tv = 0.0, sum_tt = 0.0;
    double scatter, mean_t, mean_v;

    if (n < 0) return CAL_BAD_SIZE;
    for (ptrdiff_t i = 0; i < n; i++) {
        double t = first + (double)i - middle;

        if (!used[i]) continue;
        count += 1.0;
        sum_t += t;
        sum_v += value[i];
        sum_tv += t * value[i];
        sum_tt += t * t;
    }
    if (count < 1.0) return CAL_NO_DATA;
    scatter = sum_tt - sum_t * sum_t / count;
    if (fabs(scatter) < FLT_MIN) return CAL_SINGULAR;
    mean_t = sum_t / count;
    mean_v = sum_v / count;
    fit->slope = (sum_tv - mean_t * mean_v * count) / scatter;
    fit->intercept = mean_v - fit->slope * mean_t;
    return CAL_OK;
}
