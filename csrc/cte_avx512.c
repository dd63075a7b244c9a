/* cte_avx512.c -- the CTE kernels with AVX-512 (F, DQ, BW, VL). */
#include "cte_internal.h"

#ifdef CTE_X86

CTE_TARGET_PUSH("avx512f,avx512dq,avx512bw,avx512vl,fma,avx2,bmi,bmi2,lzcnt")

#include <immintrin.h>

#define LANES 8
#define NAME(x) x##_avx512
#define CTE_ALL UINT64_MAX
#define CTE_HIGHEST_BIT(mask) (63 - (ptrdiff_t)__builtin_clzll(mask))

typedef __m512d vec;
#define LOAD(p) _mm512_loadu_pd(p)
#define STORE(p, v) _mm512_storeu_pd(p, v)
#define SPREAD(x) _mm512_set1_pd(x)
#define ADD(a, b) _mm512_add_pd(a, b)
#define SUB(a, b) _mm512_sub_pd(a, b)
#define MUL(a, b) _mm512_mul_pd(a, b)
#define DIV(a, b) _mm512_div_pd(a, b)
#define MAX(a, b) _mm512_max_pd(a, b)
#define MIN(a, b) _mm512_min_pd(a, b)
#define AT_LEAST(a, b) _mm512_cmp_pd_mask(a, b, _CMP_GE_OQ)
#define HIGHEST(v) _mm512_reduce_max_pd(v)
#define LOWEST(v) _mm512_reduce_min_pd(v)

/* Rows of one vector, some of which capture.  r, h: start of the profiles; r_on, h_on: profiles continued from the last
 * capture before the vector, whose trapped charge is *trapped.  Lanes behind a capture within the vector use that. */
static inline vec cte_capture(const int8_t *last, vec packet, unsigned now, const double *r_on, const double *h_on,
                              vec r, vec h, vec trap, const double *trapped)
{
    const __mmask8 fill = (__mmask8)now, behind = (__mmask8)~(now ^ (now - 1));
    const __m512i lane = _mm512_cvtepi8_epi64(_mm_loadl_epi64((const __m128i *)(const void *)(last + 8 * now)));
    const __m512i age = _mm512_sub_epi64(_mm512_set_epi64(6, 5, 4, 3, 2, 1, 0, -1), lane);
    const vec held = _mm512_mask_permutexvar_pd(LOAD(h_on), behind, age, h);
    const vec release = _mm512_mask_permutexvar_pd(LOAD(r_on), behind, age, r);
    const vec charge = _mm512_mask_permutexvar_pd(SPREAD(*trapped), behind, lane, trap);
    const vec add = ADD(MUL(release, charge), _mm512_maskz_mul_pd(fill, held, charge));

    return ADD(packet, _mm512_mask_sub_pd(add, fill, add, trap));
}
#define CAPTURE cte_capture

#include "cte_readout_impl.h"

CTE_TARGET_POP

#endif
