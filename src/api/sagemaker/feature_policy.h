// What hosting does with the parts of a request that this server does not build: refuse them by name, or keep and echo
// them when they describe a machine that is not there. Nothing is accepted and then ignored.
//
// The tables in feature_policy.cc are the list; each row says why. Paths have "[]" for each element of a list.
// Thread-safe: pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace espalier::api::sagemaker {

struct RefusedMember {
    std::string_view path;  ///< "ProductionVariants[].ServerlessConfig"
    /// JSON of a value that asks for nothing and is let through ("false", "\"Platform\""); "" = none.
    std::string_view harmless_value;
    std::string_view why;  ///< goes on the wire after "<path> is not supported: "
};

/// Members that are kept and echoed although nothing here depends on them, for the documentation.
struct EchoedMember {
    std::string_view path;
    std::string_view why;
};

std::span<const RefusedMember> RefusedMembersOf(std::string_view operation);
std::span<const EchoedMember> EchoedMembersOf(std::string_view operation);

/// The sentence of the first refused member that `request` uses, or nullopt.
std::optional<std::string> FindRefusedMember(std::string_view operation, const nlohmann::json& request);

}  // namespace espalier::api::sagemaker
