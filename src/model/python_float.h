// Numbers of replies and of `espalier predict`: a float32 widened to a double and printed as Python's repr prints it
// (`7.0`, `0.43861907720565796`, `1e-05`), which is what the SageMaker containers answer.
// Source: contracts/xgboost.md 6.5. Thread-safe.
#pragma once

#include <string>

namespace espalier::model {

/// Appends the text; allocates only when `text` must grow.
void AppendPythonFloat(float value, std::string& text);

}  // namespace espalier::model
