// Structured logging: a constant message plus typed fields, one JSON line each on stderr.
//
//   LOG_INFO("object stored", {"bucket", bucket}, {"size_bytes", size});
//
// Levels: error = a person must act; warn = handled but unusual; info = a state changed; debug = off by default.
// No logging inside a boosting iteration or on the invoke path. Secrets have a type that cannot become a LogField.
// Thread-safe.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace espalier {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

/// One key with a string, integer, floating or boolean value, already rendered as JSON.
struct LogField {
    LogField(std::string_view key, std::string_view value);
    LogField(std::string_view key, const char* value) : LogField(key, std::string_view(value)) {}
    LogField(std::string_view key, const std::string& value) : LogField(key, std::string_view(value)) {}
    LogField(std::string_view key, bool value) : key(key), json(value ? "true" : "false") {}
    LogField(std::string_view key, double value);
    template <typename Int>
        requires(std::is_integral_v<Int> && !std::is_same_v<Int, bool>)
    LogField(std::string_view key, Int value) : key(key), json(std::to_string(value)) {}

    std::string_view key;
    std::string json;
};

/// Lines below this level are dropped. Default kInfo.
void SetLogLevel(LogLevel level);

void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields);

}  // namespace espalier

#define LOG_DEBUG(message, ...) ::espalier::Log(::espalier::LogLevel::kDebug, message, {__VA_ARGS__})
#define LOG_INFO(message, ...) ::espalier::Log(::espalier::LogLevel::kInfo, message, {__VA_ARGS__})
#define LOG_WARN(message, ...) ::espalier::Log(::espalier::LogLevel::kWarn, message, {__VA_ARGS__})
#define LOG_ERROR(message, ...) ::espalier::Log(::espalier::LogLevel::kError, message, {__VA_ARGS__})
