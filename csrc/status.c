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
