// The table of names, types and ranges of the images from 0.90 on. Source: contracts/xgboost.md 1.2, 3.2.
#pragma once

#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/version_profile.h"

namespace espalier::learn {

enum class HyperparameterType { kInteger, kContinuous, kCategory, kCommaList, kTuple, kNestedList };

/// An interval; infinite ends are open.
struct Interval {
    double low = -std::numeric_limits<double>::infinity();
    double high = std::numeric_limits<double>::infinity();
    bool low_open = false;
    bool high_open = false;
    /// NaN lies in no interval.
    bool Contains(double value) const {
        return (low_open ? value > low : value >= low) && (high_open ? value < high : value <= high);
    }
    /// "[0, +inf)"
    std::string ToString() const;
};

struct HyperparameterRule {
    std::string_view name;
    HyperparameterType type = HyperparameterType::kContinuous;
    Interval interval = {};
    std::vector<std::string> values = {};  ///< categories, or allowed members of a list
    AlgorithmVersion from = AlgorithmVersion::k0_90_1;
    AlgorithmVersion to = AlgorithmVersion::k3_2_0;
    bool engine_only = false;  ///< known to the engine and to no image
};

/// nullptr when this image does not know the name.
const HyperparameterRule* FindRule(std::string_view name, const VersionProfile& profile);

/// The name this image knows that is at most two typing errors from `name`, or "" when none is.
std::string_view NearestRuleName(std::string_view name, AlgorithmVersion version);

/// Members of the set that this version's range lists, in the order its message shows them.
std::vector<std::string> ValuesOf(const HyperparameterRule& rule, AlgorithmVersion version);

/// Names of metrics in the order of the container's lists: those to maximise first.
std::vector<std::string> MetricNames(AlgorithmVersion version);

}  // namespace espalier::learn
