#include "model/onnx_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "base/protobuf.h"

namespace espalier::model {
namespace {

// Numbers of the fields in onnx.proto.
constexpr std::uint32_t kModelGraph = 7;
constexpr std::uint32_t kGraphNode = 1;
constexpr std::uint32_t kGraphInput = 11;
constexpr std::uint32_t kNodeOperator = 4;
constexpr std::uint32_t kNodeAttribute = 5;
constexpr std::uint32_t kAttributeName = 1;
constexpr std::uint32_t kAttributeInt = 3;
constexpr std::uint32_t kAttributeText = 4;
constexpr std::uint32_t kAttributeTensor = 5;
constexpr std::uint32_t kAttributeFloats = 7;
constexpr std::uint32_t kAttributeInts = 8;
constexpr std::uint32_t kAttributeTexts = 9;

// They pass numbers on, or put class labels beside them.
constexpr std::array<std::string_view, 5> kHarmless = {"Cast", "Identity", "ZipMap", "Reshape", "Flatten"};

Error Corrupt(std::string message) {
    return Error(ErrorCode::kCorruptData, std::move(message));
}
Error Unsupported(std::string message) {
    return Error(ErrorCode::kInvalidArgument, std::move(message));
}

Error Broken(std::string_view what) {
    return Corrupt(fmt::format("the ONNX {} is no protobuf message: it is cut off or damaged", what));
}

// Calls on_field for each field of a message.
template <typename OnField>
Result<void> ForEachField(std::string_view message, std::string_view what, const OnField& on_field) {
    ProtobufCursor cursor(message);
    ProtobufField field;
    while (cursor.Next(field)) TRY(on_field(field));
    if (cursor.broken()) return Broken(what);
    return {};
}

std::string_view BytesOf(const ProtobufField& field) {
    return field.type == WireType::kBytes ? field.bytes : std::string_view();
}

Result<void> AppendInt(std::vector<std::int32_t>& ints, std::string_view name, std::uint64_t value) {
    auto number = static_cast<std::int64_t>(value);
    if (number < std::numeric_limits<std::int32_t>::min() || number > std::numeric_limits<std::int32_t>::max()) {
        return Corrupt(fmt::format("{} holds {}, which is out of range", name.substr(0, 60), number));
    }
    ints.push_back(static_cast<std::int32_t>(number));
    return {};
}

std::optional<OnnxMode> ModeOf(std::string_view text) {
    if (text == "LEAF") return OnnxMode::kLeaf;
    if (text == "BRANCH_LT") return OnnxMode::kLess;
    if (text == "BRANCH_LEQ") return OnnxMode::kLessOrEqual;
    if (text == "BRANCH_GT") return OnnxMode::kGreater;
    if (text == "BRANCH_GTE") return OnnxMode::kGreaterOrEqual;
    return std::nullopt;
}

class Reader {
  public:
    Result<OnnxEnsemble> Run(std::string_view bytes) {
        TRY(ForEachField(bytes, "model", [&](const ProtobufField& field) -> Result<void> {
            if (field.number != kModelGraph) return {};
            return ForEachField(BytesOf(field), "graph", [&](const ProtobufField& part) -> Result<void> {
                if (part.number == kGraphNode) return ReadNode(BytesOf(part));
                if (part.number == kGraphInput) return ReadInput(BytesOf(part));
                return {};
            });
        }));
        if (!found_) return Unsupported("the ONNX graph has no TreeEnsembleRegressor or TreeEnsembleClassifier");
        return std::move(ensemble_);
    }

  private:
    Result<void> ReadNode(std::string_view node) {
        std::string_view type;
        TRY(ForEachField(node, "node", [&](const ProtobufField& field) -> Result<void> {
            if (field.number == kNodeOperator) type = BytesOf(field);
            return {};
        }));
        if (std::find(kHarmless.begin(), kHarmless.end(), type) != kHarmless.end()) return {};
        bool classifier = type == "TreeEnsembleClassifier";
        if (!classifier && type != "TreeEnsembleRegressor") {
            return Unsupported(
                fmt::format("the ONNX graph has a node '{}', which is not supported: only one tree "
                            "ensemble is",
                            type.substr(0, 60)));
        }
        if (found_) return Unsupported("the ONNX graph has several tree ensembles; only one is supported");
        found_ = true;
        ensemble_.classifier = classifier;
        return ForEachField(node, "node", [&](const ProtobufField& field) -> Result<void> {
            return field.number == kNodeAttribute ? ReadAttribute(BytesOf(field)) : Result<void>();
        });
    }

    Result<void> ReadAttribute(std::string_view attribute) {
        std::string_view name;
        TRY(ForEachField(attribute, "attribute", [&](const ProtobufField& field) -> Result<void> {
            if (field.number == kAttributeName) name = BytesOf(field);
            return {};
        }));
        return ForEachField(attribute, "attribute", [&](const ProtobufField& field) -> Result<void> {
            switch (field.number) {
                case kAttributeInt:
                    if (name == "n_targets") ensemble_.numbers["n_targets"] = static_cast<std::int64_t>(field.value);
                    return {};
                case kAttributeText:
                    if (name == "aggregate_function" || name == "post_transform")
                        ensemble_.texts[std::string(name)] = BytesOf(field);
                    return {};
                case kAttributeTensor:
                    return Unsupported(fmt::format("the attribute {} is in double precision, which is not supported",
                                                   name.substr(0, 60)));
                case kAttributeFloats:
                    return ReadFloats(name, field);
                case kAttributeInts:
                    return ReadInts(name, field);
                case kAttributeTexts:
                    return ReadText(name, BytesOf(field));
                default:
                    return {};
            }
        });
    }

    // The names that are used; hit rates and the like are not kept.
    static bool IsKept(std::string_view name) {
        return (name.starts_with("nodes_") && name != "nodes_hitrates") || name.starts_with("target_") ||
               name.starts_with("class_") || name == "base_values";
    }

    Result<void> ReadFloats(std::string_view name, const ProtobufField& field) {
        if (!IsKept(name)) return {};
        std::vector<float>& floats = ensemble_.floats[std::string(name.substr(0, 60))];
        if (field.type == WireType::kFixed32) {
            floats.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(field.value)));
            return {};
        }
        std::string_view packed = BytesOf(field);
        if (packed.size() % sizeof(float) != 0) return Broken("list of numbers");
        std::size_t first = floats.size();
        floats.resize(first + packed.size() / sizeof(float));
        if (!packed.empty()) std::memcpy(floats.data() + first, packed.data(), packed.size());
        return {};
    }

    Result<void> ReadInts(std::string_view name, const ProtobufField& field) {
        if (name == "classlabels_int64s") {
            if (field.type == WireType::kVarint) ++ensemble_.num_labels;
            ProtobufCursor labels(BytesOf(field));
            std::uint64_t ignored = 0;
            while (labels.NextVarint(ignored)) ++ensemble_.num_labels;
            return labels.broken() ? Result<void>(Broken("list of labels")) : Result<void>();
        }
        if (!IsKept(name)) return {};
        std::vector<std::int32_t>& ints = ensemble_.ints[std::string(name.substr(0, 60))];
        if (field.type == WireType::kVarint) return AppendInt(ints, name, field.value);
        ProtobufCursor packed(BytesOf(field));
        std::uint64_t value = 0;
        while (packed.NextVarint(value)) TRY(AppendInt(ints, name, value));
        return packed.broken() ? Result<void>(Broken("list of numbers")) : Result<void>();
    }

    Result<void> ReadText(std::string_view name, std::string_view text) {
        if (name == "classlabels_strings") ++ensemble_.num_labels;
        if (name != "nodes_modes") return {};
        std::optional<OnnxMode> mode = ModeOf(text);
        if (!mode) return Unsupported(fmt::format("the mode {} of a node is not supported", text.substr(0, 60)));
        ensemble_.modes.push_back(*mode);
        return {};
    }

    // ValueInfo.type (2) . tensor_type (1) . shape (2) . dim (1), the last one's value (1).
    Result<void> ReadInput(std::string_view input) {
        constexpr std::array<std::uint32_t, 3> kPath = {2, 1, 2};
        std::string_view at = input;
        for (std::uint32_t step : kPath) {
            std::string_view next;
            TRY(ForEachField(at, "input", [&](const ProtobufField& field) -> Result<void> {
                if (field.number == step) next = BytesOf(field);
                return {};
            }));
            at = next;
        }
        return ForEachField(at, "input", [&](const ProtobufField& dim) -> Result<void> {
            if (dim.number != 1) return {};
            return ForEachField(BytesOf(dim), "input", [&](const ProtobufField& field) -> Result<void> {
                bool width = field.number == 1 && field.type == WireType::kVarint && field.value <= 2147483646U;
                if (width) ensemble_.num_inputs = static_cast<std::uint32_t>(field.value);
                return {};
            });
        });
    }

    bool found_ = false;
    OnnxEnsemble ensemble_;
};

}  // namespace

Result<OnnxEnsemble> ReadOnnxGraph(std::string_view bytes) {
    return Reader().Run(bytes);
}

}  // namespace espalier::model
