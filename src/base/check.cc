#include "base/check.h"

#include <execinfo.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace espalier {

void CheckFailed(const char* file, int line, const char* expression, const std::string& details) {
    std::fprintf(stderr, "%s:%d: CHECK(%s) failed. %s\n", file, line, expression, details.c_str());
    void* frames[64];
    int num_frames = backtrace(frames, 64);
    backtrace_symbols_fd(frames, num_frames, STDERR_FILENO);
    std::abort();
}

}  // namespace espalier
