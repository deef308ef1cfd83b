// The published request shapes of a service (SageMaker, CloudWatch, Application Auto Scaling), read out of botocore at
// build time (tools/generate_service_model.py) and embedded in the binary.
//
// Nouns: Shape (a type with its constraints), Member (a named shape inside a structure), Pattern (a whole-string
// regular expression, matched by RE2 in linear time), ServiceModel.
// Thread-safe after Load: nothing changes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace espalier::api::sagemaker {

/// The generated tables, a JSON text each: {"operations": […], "inputs": {operation: shape}, "shapes": {name: shape}}.
extern const char* const kServiceModelJson;  // SageMaker's
extern const char* const kCloudWatchModelJson;
extern const char* const kScalingModelJson;

/// A constraint on the whole string. RE2 has no look-around, so the generator splits the few patterns that use it into
/// one expression that must match and one that must not.
class Pattern {
  public:
    Pattern(std::string text, const std::string& must_match, const std::optional<std::string>& must_not_match);
    Pattern(Pattern&&) noexcept;
    ~Pattern();
    bool Matches(std::string_view value) const;
    /// The pattern as the service model writes it, for messages.
    const std::string& text() const { return text_; }

  private:
    std::string text_;
    std::unique_ptr<re2::RE2> must_match_;
    std::unique_ptr<re2::RE2> must_not_match_;
};

enum class ShapeType { kStructure, kList, kMap, kString, kInteger, kLong, kFloat, kBoolean, kTimestamp };

struct Shape;

struct Member {
    std::string name;   ///< as on the wire, "TrainingJobName"
    std::string label;  ///< as in messages, "trainingJobName"
    const Shape* shape = nullptr;
    bool required = false;
};

struct Shape {
    ShapeType type = ShapeType::kString;
    /// Bounds of the value (numbers), the length (strings) or the count (lists, maps).
    std::optional<std::int64_t> min;
    std::optional<std::int64_t> max;
    std::optional<Pattern> pattern;
    std::vector<std::string> enum_values;
    /// When not empty, any value with this prefix is taken as a member of the enum (instance types: "ml.").
    std::string open_enum_prefix;
    std::vector<Member> members;     ///< structures, in the model's order
    const Shape* element = nullptr;  ///< lists
    const Shape* key = nullptr;      ///< maps
    const Shape* value = nullptr;    ///< maps
};

class ServiceModel {
  public:
    /// Reads an embedded table. A broken table is a defect of the build, so it ends the program.
    static ServiceModel Load(const char* table_json = kServiceModelJson);

    /// True for each operation of the published service, whether this server has it or not.
    bool Knows(std::string_view operation) const { return operations_.contains(operation); }
    /// The input shape, or nullptr when the operation's shapes are not in the table.
    const Shape* InputOf(std::string_view operation) const;

  private:
    std::set<std::string, std::less<>> operations_;
    std::map<std::string, const Shape*, std::less<>> inputs_;
    std::map<std::string, std::unique_ptr<Shape>, std::less<>> shapes_;
};

}  // namespace espalier::api::sagemaker
