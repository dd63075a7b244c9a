/* crt.h -- as much of a C library's headers as the kernels use, for clang in its MSVC mode where there is no Windows SDK. */
#ifndef CALACS_TEST_CRT_H
#define CALACS_TEST_CRT_H

#include <stddef.h>

typedef int jmp_buf[64];
typedef struct crt_file FILE;

void *malloc(size_t), *calloc(size_t, size_t), free(void *), exit(int);
void *memcpy(void *, const void *, size_t), *memset(void *, int, size_t), *memmove(void *, const void *, size_t);
int strcmp(const char *, const char *), abs(int);
int printf(const char *, ...), fprintf(FILE *, const char *, ...), fputs(const char *, FILE *);
FILE *__acrt_iob_func(unsigned);
#define stderr __acrt_iob_func(2)

float sqrtf(float), fabsf(float);
double sqrt(double), fabs(double), fmax(double, double), exp(double), pow(double, double), floor(double), log(double);
#define isfinite(x) __builtin_isfinite(x)
#define isnan(x) __builtin_isnan(x)
#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")

#ifdef CRT_START
/* The C library's start of a program, and what mingw-w64's mathematical functions ask of it. */
int main(int, char **);
int _fltused = 1;

void __mingw_raise_matherr(int type, const char *name, double first, double second, double result)
{
    (void)type, (void)name, (void)first, (void)second, (void)result;
}

void mainCRTStartup(void)
{
    char *argument[] = {"kernels", NULL};

    exit(main(1, argument));
}
#endif

#endif
