/* Sink pixels and the pixels they spoil. */
#include <stdlib.h>

#include "internal.h"

int cal_sink_flag(const float *sci, int16_t *dq, const float *map, ptrdiff_t n_row, ptrdiff_t n_col, int upward,
                  int16_t flag, ptrdiff_t *n_flagged)
{
    /* State of each column: is its last sink pixel's trail still going on, and the signal in that sink pixel. */
    unsigned char *trailing;
    float *sink;
    ptrdiff_t n = 0;

    *n_flagged = 0;
    if (n_row < 0 || n_col < 0) return CAL_BAD_SIZE;
    trailing = calloc((size_t)n_col + 1, sizeof *trailing);
    sink = calloc((size_t)n_col + 1, sizeof *sink);
    if (trailing == NULL || sink == NULL) {
        free(trailing);
        free(sink);
        return CAL_NO_MEMORY;
    }
    for (ptrdiff_t i = 0; i < n_row; i++) {
        ptrdiff_t row = upward ? i : n_row - 1 - i;

        for (ptrdiff_t col = 0; col < n_col; col++) {
            ptrdiff_t pixel = row * n_col + col;
            float code = map[pixel];
            int spoiled = 0;

            if (code < 0.0F) {
                trailing[col] = 1;
                if (code < -1.0F) sink[col] = sci[pixel];
                spoiled = 1;
            } else if (code > 0.0F && trailing[col]) {
                spoiled = code > sink[col];
                trailing[col] = (unsigned char)spoiled;
            } else if (code == 0.0F) {
                trailing[col] = 0;
            }
            if (spoiled) {
                dq[pixel] = (int16_t)(dq[pixel] | flag);
                n++;
            }
        }
    }
    free(trailing);
    free(sink);
    *n_flagged = n;
    return CAL_OK;
}
