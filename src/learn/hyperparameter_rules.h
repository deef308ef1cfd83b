// The inner parts of learn/hyperparameters.cc: one set of rules per generation of images.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "learn/hyperparameters.h"

namespace espalier::learn {

/// Names (aliases undone) and texts that have passed the rules.
using CheckedValues = std::map<std::string, std::string, std::less<>>;

/// Images from 0.90 on.
Result<CheckedValues> CheckModernRules(const HyperparameterList& list, const VersionProfile& profile);

/// The 0.72 image; unknown names become warnings.
Result<CheckedValues> CheckLegacyRules(const HyperparameterList& list, std::vector<std::string>& warnings);

Error UserError(std::string message);

}  // namespace espalier::learn
