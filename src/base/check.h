// CHECK: an invariant of the program, not of its input. Stays on in release; a failed one prints the place, the
// expression and the values given, and aborts. User input never reaches a CHECK: it is validated at the edge.
// DCHECK is compiled out of release builds and is used only inside kernels and inner loops.
#pragma once

#include <fmt/format.h>

#include <string>

namespace espalier {

[[noreturn]] void CheckFailed(const char* file, int line, const char* expression, const std::string& details);

}  // namespace espalier

// CHECK(a == b)  or  CHECK(a == b, "a {} b {}", a, b)
#define CHECK(condition, ...)                                                           \
    do {                                                                                \
        if (!(condition)) [[unlikely]]                                                  \
            ::espalier::CheckFailed(__FILE__, __LINE__, #condition,                     \
                                    std::string(__VA_OPT__(fmt::format(__VA_ARGS__)))); \
    } while (false)

#ifdef NDEBUG
#define DCHECK(...) ((void)0)
#else
#define DCHECK(...) CHECK(__VA_ARGS__)
#endif
