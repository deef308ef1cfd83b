#include "base/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cmath>

#include "base/log_context.h"

namespace espalier {
namespace {

thread_local const LogContext* current_context = nullptr;

std::string JsonString(std::string_view text) {
    std::string json = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\') {
            json += '\\';
            json += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            json += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
        } else {
            json += c;
        }
    }
    return json + "\"";
}

spdlog::logger& Logger() {
    static const auto logger = [] {
        auto created = std::make_shared<spdlog::logger>("espalier", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        // Everything after the level is our own JSON, so the pattern closes no brace itself.
        created->set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v)", spdlog::pattern_time_type::utc);
        created->flush_on(spdlog::level::info);
        return created;
    }();
    return *logger;
}

spdlog::level::level_enum ToSpdlog(LogLevel level) {
    switch (level) {
        case LogLevel::kDebug:
            return spdlog::level::debug;
        case LogLevel::kInfo:
            return spdlog::level::info;
        case LogLevel::kWarn:
            return spdlog::level::warn;
        case LogLevel::kError:
            return spdlog::level::err;
    }
    return spdlog::level::err;
}

}  // namespace

LogField::LogField(std::string_view key, std::string_view value) : key(key), json(JsonString(value)) {}
LogField::LogField(std::string_view key, double value)
    : key(key), json(std::isfinite(value) ? fmt::format("{}", value) : "null") {}

void SetLogLevel(LogLevel level) {
    Logger().set_level(ToSpdlog(level));
}

void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
    if (!Logger().should_log(ToSpdlog(level))) return;
    std::string line = "\"message\":" + JsonString(message);
    for (const LogField& field : fields) line += "," + JsonString(field.key) + ":" + field.json;
    if (const LogContext* context = current_context; context != nullptr) {
        line +=
            ",\"request_id\":" + JsonString(context->request_id) + ",\"operation\":" + JsonString(context->operation);
        if (context->trace != nullptr) line += ",\"trace_id\":" + JsonString(context->trace->context.trace_id);
    }
    Logger().log(ToSpdlog(level), "{}}}", line);
}

ScopedLogContext::ScopedLogContext(const LogContext& context) : outer_(current_context) {
    current_context = &context;
}

ScopedLogContext::~ScopedLogContext() {
    current_context = outer_;
}

const ActiveTrace* CurrentTrace() {
    return current_context == nullptr ? nullptr : current_context->trace;
}

}  // namespace espalier
