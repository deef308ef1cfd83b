#include "api/telemetry/otlp_exporter.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include "base/fs.h"

namespace espalier::api {
namespace {

Span MakeSpan(const std::string& name) {
    return {.context = NewTrace(),
            .parent_id = "",
            .name = name,
            .begin = 1'764'000'000'000'000'001,
            .end = 1'764'000'000'000'000'002};
}

TEST(OtlpJson, IsWhatTheProtocolSays) {
    Span span = MakeSpan("n");
    span.kind = Span::Kind::kServer;
    span.failed = true;
    span.message = "why";
    span.texts = {{"k", "bad \xff byte"}};
    span.numbers = {{"n", 9'007'199'254'740'993}};
    const std::vector<Span> spans = {span};
    const nlohmann::json document = nlohmann::json::parse(OtlpJson(spans));
    const nlohmann::json& made = document["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    EXPECT_EQ(made["traceId"], span.context.trace_id);
    EXPECT_EQ(made["startTimeUnixNano"], "1764000000000000001") << "a string, exact";
    EXPECT_EQ(made["kind"], 2);
    EXPECT_FALSE(made.contains("parentSpanId")) << "a root";
    EXPECT_EQ(made["attributes"][1]["value"]["intValue"], "9007199254740993");
    EXPECT_EQ(made["status"]["code"], 2);
}

/// A socket that accepts connections and never answers.
class SilentCollector {
  public:
    SilentCollector() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof(address);
        EXPECT_EQ(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
        EXPECT_EQ(listen(socket_.get(), 8), 0);
        EXPECT_EQ(getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
        endpoint_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    }
    const std::string& endpoint() const { return endpoint_; }

  private:
    Fd socket_;
    std::string endpoint_;
};

TEST(OtlpExporter, DropsAndCountsWhatACollectorDoesNotTake) {
    const SilentCollector collector;
    auto exporter = OtlpExporter::Start(collector.endpoint() + "/prefix/");
    ASSERT_TRUE(exporter.has_value());
    constexpr std::size_t kSpans = 3 * OtlpExporter::kQueuedSpansMax;
    for (std::size_t i = 0; i < kSpans; ++i) (*exporter)->Add(MakeSpan("s"));
    EXPECT_GE((*exporter)->num_dropped(), OtlpExporter::kQueuedSpansMax) << "there is room for one queue and a batch";
    EXPECT_EQ((*exporter)->num_exported(), 0U);
}

TEST(OtlpExporter, RefusesWhatIsNoEndpoint) {
    for (const char* text :
         {"", "https://host", "http://", "http://host:", "http://host:99999", "http://a b/", "host:1"})
        EXPECT_FALSE(OtlpExporter::Start(text).has_value()) << text;
    for (const char* text : {"http://127.0.0.1:4318", "http://host/", "http://[::1]:4318/base"})
        EXPECT_TRUE(http::HttpUrl::Parse(text).has_value()) << text;
}

}  // namespace
}  // namespace espalier::api
