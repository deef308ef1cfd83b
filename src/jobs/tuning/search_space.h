// The parameters a tuning job varies, and the cube that strategies work in.
//
// A parameter is an integer or a number between two bounds on a scale, or one of a few words. Each takes one coordinate
// in [0, 1): on its scale for numbers (so equal steps are equal ratios on a logarithmic one), the place in the list for
// words. Values are the strings that a training job gets: "7", "0.25", "gbtree". Scale Auto is logarithmic when the
// bounds are positive and at least kAutoLogRatio apart, else linear.
// Immutable values; pure functions. Source: AWS developer guide, "Hyperparameter scaling"; contracts/api.md 3.8.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/result.h"

namespace espalier::jobs {

inline constexpr double kAutoLogRatio = 100.0;

enum class ScalingType { kLinear, kLogarithmic, kReverseLogarithmic };

struct TunedParameter {
    enum class Kind { kInteger, kContinuous, kCategorical };
    std::string name;
    Kind kind = Kind::kContinuous;
    double min = 0;  ///< kInteger, kContinuous; inclusive
    double max = 0;  ///< inclusive
    ScalingType scaling = ScalingType::kLinear;
    std::vector<std::string> words = {};  ///< kCategorical
};

/// A coordinate in [0, 1) for each parameter, in the order of the space.
using CubePoint = std::vector<double>;
using ParameterValues = std::map<std::string, std::string>;

class SearchSpace {
  public:
    /// `ranges` is a ParameterRanges document of the published shape. kInvalidArgument with the parameter's name for
    /// bounds that are no numbers, lie the wrong way round or do not suit the scale, and for a name given twice.
    static Result<SearchSpace> Parse(const nlohmann::json& ranges);

    const std::vector<TunedParameter>& parameters() const { return parameters_; }
    std::size_t size() const { return parameters_.size(); }

    ParameterValues Decode(const CubePoint& point) const;
    /// The point that Decode turns into these values (the middle of an integer's or a word's share); a value that is
    /// missing or outside gets the nearest end. Empty when none of the values is known here.
    CubePoint Encode(const ParameterValues& values) const;
    /// The coordinates a surrogate model sees: as the point, but a word is a 1 among zeros, and what Decode rounds is
    /// rounded, so that points with equal values are equal.
    std::vector<double> Features(const CubePoint& point) const;
    std::size_t num_features() const;

    /// The number of combinations when every parameter is categorical, else 0.
    std::uint64_t num_combinations() const;
    /// The combination of that number, the last parameter turning fastest.
    CubePoint Combination(std::uint64_t number) const;

  private:
    std::vector<TunedParameter> parameters_;
};

}  // namespace espalier::jobs
