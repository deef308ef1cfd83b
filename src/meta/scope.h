// Whose state a row is: SageMaker keeps its names per account and region. Every noun of the control plane (training
// job, model, endpoint, …) is keyed by a Scope and its name.
#pragma once

#include <compare>
#include <string>

namespace espalier::meta {

struct Scope {
    std::string account;  ///< 12 digits
    std::string region;   ///< "us-east-1"; any region a client signs for is served

    auto operator<=>(const Scope&) const = default;
};

}  // namespace espalier::meta
