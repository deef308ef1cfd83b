// Runs a function that talks to SOCI and turns what SOCI throws into an Error, so that nothing thrown leaves meta/.
// Constraint failures are kConflict (with SQLite's own sentence), a full disk kResourceLimit, lock time-outs
// kUnavailable.
#pragma once

#include <soci/soci.h>

#include <exception>
#include <type_traits>
#include <utility>

#include "base/result.h"

namespace espalier::meta {

/// Call inside a catch block only: the Error for the exception being handled.
Error ErrorFromCurrentException();

/// `function` gives a Result of any type.
template <typename Function>
std::invoke_result_t<Function> Guard(Function&& function) {
    try {
        return std::forward<Function>(function)();
    } catch (const std::exception&) {
        return ErrorFromCurrentException();
    }
}

}  // namespace espalier::meta
