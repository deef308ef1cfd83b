#include "api/health_pages.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <iterator>

namespace espalier::api {
namespace {

constexpr std::string_view kServiceNames[HealthPages::kServices] = {
    "s3",     "sagemaker", "runtime", "logs", "cloudwatch", "iam", "application-autoscaling", "cloudwatch-query",
    "console"};

/// Resident memory in bytes; 0 when the kernel does not tell.
std::uint64_t ResidentBytes() {
    std::FILE* file = std::fopen("/proc/self/statm", "re");
    if (file == nullptr) return 0;
    unsigned long long total = 0;
    unsigned long long resident = 0;
    const int read = std::fscanf(file, "%llu %llu", &total, &resident);
    std::fclose(file);
    return read == 2 ? resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace

void HealthPages::CountAnswer(std::size_t service, int status) {
    const auto status_class = static_cast<std::size_t>(status) / 100;
    if (service < kServices && status_class < kClasses)
        answers_[service][status_class].fetch_add(1, std::memory_order_relaxed);
}

bool HealthPages::IsPage(std::string_view path) {
    return path == "/healthz" || path == "/readyz" || path == "/metrics";
}

http::Response HealthPages::Answer(std::string_view path) const {
    const bool metrics = path == "/metrics";
    const bool refuses = path == "/readyz" && !ready_;
    http::Response response{.status = refuses ? 503 : 200, .headers = {}, .body = refuses ? "draining\n" : "ok\n"};
    if (metrics) response.body = MetricsText();
    response.headers.Add("Content-Type", metrics ? "text/plain; version=0.0.4; charset=utf-8" : "text/plain");
    response.headers.Add("Cache-Control", "no-store");
    return response;
}

std::string HealthPages::MetricsText() const {
    std::string text =
        "# HELP espalier_answers_total Answers by service and class of status.\n"
        "# TYPE espalier_answers_total counter\n";
    auto out = std::back_inserter(text);
    for (std::size_t service = 0; service < kServices; ++service)
        for (std::size_t status_class = 1; status_class < kClasses; ++status_class)
            fmt::format_to(out, "espalier_answers_total{{service=\"{}\",status=\"{}xx\"}} {}\n", kServiceNames[service],
                           status_class, answers_[service][status_class].load(std::memory_order_relaxed));
    fmt::format_to(
        out,
        "# HELP espalier_ready Whether new requests are taken.\n# TYPE espalier_ready gauge\nespalier_ready {}\n"
        "# HELP process_resident_memory_bytes Resident memory size in bytes.\n"
        "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes {}\n",
        ready_ ? 1 : 0, ResidentBytes());
    for (const std::function<std::string()>& series : more_series_) text += series();
    return text;
}

}  // namespace espalier::api
