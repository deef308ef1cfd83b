#include "kernels/simd_targets.h"

#include <fmt/format.h>
#include <hwy/highway.h>

#include <cstdlib>

namespace espalier::kernels {

namespace {

struct Level {
    const char* name;
    std::int64_t targets;  ///< allowed: this one and all plainer ones
};

constexpr std::int64_t kPlain = HWY_SCALAR | HWY_EMU128 | HWY_SSSE3;
constexpr Level kLevels[] = {
    {"scalar", kPlain},
    {"sse4", kPlain | HWY_SSE4},
    {"avx2", kPlain | HWY_SSE4 | HWY_AVX2},
    {"avx3", kPlain | HWY_SSE4 | HWY_AVX2 | HWY_AVX3 | HWY_AVX3_DL},
};

}  // namespace

std::vector<std::string> SimdNames() {
    std::vector<std::string> names;
    std::int64_t below = 0;
    for (const Level& level : kLevels) {
        if (below == 0 || (hwy::SupportedTargets() & level.targets & ~below) != 0) names.emplace_back(level.name);
        below = level.targets;
    }
    return names;
}

Result<void> LimitSimd(const std::string& name) {
    hwy::DisableTargets(0);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    if (name.empty()) return {};
    const std::vector<std::string> names = SimdNames();
    for (const Level& level : kLevels) {
        if (name != level.name) continue;
        bool has = false;
        for (const std::string& known : names) has = has || known == name;
        if (!has) break;
        hwy::DisableTargets(~level.targets);
        hwy::GetChosenTarget().Update(hwy::SupportedTargets());
        return {};
    }
    return Error(ErrorCode::kInvalidArgument, fmt::format("ESPALIER_SIMD: '{}' is none of what this machine can do: {}",
                                                          name, fmt::join(names, ", ")));
}

Result<void> ApplySimdEnvironment() {
    const char* name = std::getenv("ESPALIER_SIMD");
    return name == nullptr ? Result<void>() : LimitSimd(name);
}

}  // namespace espalier::kernels
