#include "calacs.h"

const char *cal_status_text(int status)
{
    switch (status) {
    case CAL_OK: return "ok";
    case CAL_NO_MEMORY: return "out of memory";
    case CAL_BAD_SIZE: return "a size or range does not fit the arrays";
    case CAL_BAD_VALUE: return "a parameter is outside its domain";
    case CAL_SINGULAR: return "singular fit";
    case CAL_NO_DATA: return "no usable value";
    default: return "unknown status";
    }
}

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

const char *cal_compiler(void)
{
#if defined(__clang__)
    return "clang " TEXT(__clang_major__) "." TEXT(__clang_minor__) "." TEXT(__clang_patchlevel__);
#elif defined(__GNUC__)
    return "gcc " TEXT(__GNUC__) "." TEXT(__GNUC_MINOR__) "." TEXT(__GNUC_PATCHLEVEL__);
#elif defined(_MSC_VER)
    return "MSVC " TEXT(_MSC_VER);
#else
    return "another compiler";
#endif
}
