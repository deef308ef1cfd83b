// Predictions as text, exactly as the serving containers write them: the float widened to double, in Python's repr.
//   7.0   0.43861907720565796   1e-05   nan   inf
// Source: contracts/xgboost.md 6.5; the test compares with Python. Thread-safe: pure functions.
#pragma once

#include <string>

namespace espalier::hosting {

/// Appends repr(float(value)).
void AppendPythonFloat(std::string& out, float value);

/// The same in Python's JSON, where the special values are NaN, Infinity and -Infinity.
void AppendPythonJsonFloat(std::string& out, float value);

}  // namespace espalier::hosting
