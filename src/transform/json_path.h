// The JSONPath of InputFilter and OutputFilter: the subset that SageMaker documents for batch transform.
//
//   $   $.name   $['name']   $['a','b']   $[3]   $[-1]   $[0,2,5]   $[1:]   $[:-1]   $[0,5:]   $.*   $[*]   $.x[1:].y
//
// One name or one index takes a value out; several names make an object of them; several indexes, a slice or "*" make
// an array, and steps behind that go into each element. A name or an index that is not there is an error; a slice ends
// where the array does. Texts are at most kJsonPathBytesMax long (the API's limit). Immutable and thread-safe.
// Source: AWS developer guide, "Associate prediction results with input records" (operators and examples).
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace espalier::transform {

inline constexpr std::size_t kJsonPathBytesMax = 63;

class JsonPath {
  public:
    /// Elements [begin, end); a single index has end == begin + 1 in spirit, and `is_slice` false. Negative: from the
    /// end.
    struct Range {
        bool is_slice = false;
        std::int64_t begin = 0;
        std::optional<std::int64_t> end = {};
    };
    struct Names {
        std::vector<std::string> names;
    };
    struct Ranges {
        std::vector<Range> ranges;
    };
    struct Everything {};
    using Step = std::variant<Names, Ranges, Everything>;

    /// kInvalidArgument with the column and what is expected there.
    static Result<JsonPath> Parse(std::string_view text);

    const std::string& text() const { return text_; }
    /// "$".
    bool is_whole() const { return steps_.empty(); }
    const std::vector<Step>& steps() const { return steps_; }

    /// kInvalidArgument when the value has no such part, with the step that finds none.
    Result<nlohmann::json> Select(const nlohmann::json& value) const;

    /// For rows of cells, which have no names and no depth: whether the path is "$" or one step of indexes. Otherwise
    /// kInvalidArgument.
    Result<void> CheckForCells() const;
    /// The cells a path takes out of a row of that many, in order. kInvalidArgument when an index is outside.
    Result<std::vector<std::size_t>> SelectCells(std::size_t num_cells) const;

  private:
    std::string text_;
    std::vector<Step> steps_;
};

}  // namespace espalier::transform
