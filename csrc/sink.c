/* Sink pixels and the pixels they spoil. */
#include "internal.h"

enum { CHUNK = 32 }; /* columns that are skipped together where there is nothing to do */

/* Is none of CHUNK pixels in a sink or in the trail of one?  Loops of constant length become a few vectors. */
static inline int is_clear(const float *code, const unsigned char *trailing)
{
    unsigned char any_trail = 0;
    int n_code = 0;

    for (int i = 0; i < CHUNK; i++) n_code += code[i] != 0.0F;
    for (int i = 0; i < CHUNK; i++) any_trail = (unsigned char)(any_trail | trailing[i]);
    return n_code == 0 && any_trail == 0;
}

/* The columns of one row; their number of spoiled pixels. */
static ptrdiff_t flag_pixels(const float *sci, int16_t *dq, const float *map, ptrdiff_t n, int16_t flag,
                             unsigned char *trailing, float *sink)
{
    ptrdiff_t n_spoiled = 0;

    for (ptrdiff_t col = 0; col < n; col++) {
        float code = map[col];
        int spoiled = 0;

        if (code < 0.0F) {
            trailing[col] = 1;
            if (code < -1.0F) sink[col] = sci[col];
            spoiled = 1;
        } else if (code > 0.0F && trailing[col]) {
            spoiled = code > sink[col];
            trailing[col] = (unsigned char)spoiled;
        } else if (code == 0.0F) {
            trailing[col] = 0;
        }
        if (spoiled) {
            dq[col] = (int16_t)(dq[col] | flag);
            n_spoiled++;
        }
    }
    return n_spoiled;
}

ptrdiff_t cal_sink_flag(const float *sci, int16_t *dq, const float *map, ptrdiff_t n_row, ptrdiff_t n_col, int upward,
                        int16_t flag, unsigned char *trailing, float *sink)
{
    ptrdiff_t n_spoiled = 0;

    for (ptrdiff_t i = 0; i < n_row; i++) {
        ptrdiff_t row = (upward ? i : n_row - 1 - i) * n_col;

        for (ptrdiff_t col = 0; col < n_col; col += CHUNK) {
            ptrdiff_t n = n_col - col < CHUNK ? n_col - col : CHUNK;

            if (n == CHUNK && is_clear(map + row + col, trailing + col)) continue;
            n_spoiled += flag_pixels(sci + row + col, dq + row + col, map + row + col, n, flag, trailing + col, sink + col);
        }
    }
    return n_spoiled;
}
