// Which log lines a FilterLogEvents asks for: CloudWatch's patterns of terms.
//
//   ERROR timeout      both words     "a phrase"   these words as they stand
//   ?a ?b              any of these   -word        not this one
// Matching is by substring and case. Patterns of JSON ({…}), of fields ([…]) and of regular expressions (%…%) are
// refused. Source: CloudWatch Logs user guide, "Filter pattern syntax". Immutable, thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace espalier::api::logs {

class FilterPattern {
  public:
    /// "" matches everything. kInvalidArgument for a pattern that is none, or of a kind that is refused.
    static Result<FilterPattern> Parse(std::string_view text);
    bool Matches(std::string_view line) const;

  private:
    std::vector<std::string> all_;
    std::vector<std::string> any_;
    std::vector<std::string> none_;
};

}  // namespace espalier::api::logs
