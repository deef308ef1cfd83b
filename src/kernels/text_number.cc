#include "kernels/text_number.h"

#include <fast_float/fast_float.h>

#include <cmath>
#include <limits>

namespace espalier::kernels {

const char* ParseFloatSlow(const char* p, const char* end, float& value) {
    // fast_float takes '-' but not '+', and would read "+-1" after our skipping.
    if (p < end && *p == '+') {
        ++p;
        if (p < end && *p == '-') return nullptr;
    }
    auto [stop, status] = fast_float::from_chars(p, end, value);
    if (status == std::errc::invalid_argument || stop == p) return nullptr;
    return stop;
}

}  // namespace espalier::kernels
