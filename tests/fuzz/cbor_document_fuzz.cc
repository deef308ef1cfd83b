#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/json_protocol.h"
#include "api/metrics/cbor_document.h"
#include "base/check.h"
#include "fuzz_target.h"

namespace espalier::fuzz {

std::vector<std::string> Seeds() {
    using nlohmann::json;
    std::vector<std::string> seeds;
    for (const json& document :
         {json::object(), json{{"Namespace", "AWS/SageMaker"}, {"MetricName", "Invocations"}},
          json{{"StartTime", 1764000000}, {"EndTime", 1764003600.5}, {"Period", 60}, {"Statistics", {"Sum", "p99"}}},
          json{{"MetricData", {{{"Value", -1.5e300}, {"Timestamp", 1764000000.0}, {"Values", {1, -2, 3.25}}}}}},
          json{{"a", nullptr}, {"b", true}, {"c", false}, {"d", {{"e", {{"f", json::array()}}}}}}})
        seeds.push_back(api::metrics::ToCbor(document));
    // Maps and texts of unknown length, a tagged time, half a float, a length that is not there.
    seeds.push_back(
        std::string("\xbf\x61"
                    "a\x7f\x61"
                    "b\x61"
                    "c\xff\xff",
                    9));
    seeds.push_back(std::string("\xa1\x69Timestamp\xc1\xfb\x41\xda\x4b\x3d\x00\x00\x00\x00", 20));
    seeds.push_back(
        std::string("\xa1\x61"
                    "a\xf9\x3c\x00",
                    6));
    seeds.push_back(
        std::string("\xa1\x61"
                    "a\x9b\x7f\xff\xff\xff\xff\xff\xff\xff",
                    12));
    seeds.push_back(std::string(200, '\x81'));
    return seeds;
}

std::vector<std::string> Words() {
    return {"\xa0",
            "\xbf",
            "\xff",
            "\x80",
            "\x9f",
            "\x7f",
            "\x5f",
            "\xc1",
            "\xfb",
            "\xfa",
            "\xf9",
            "\xf6",
            "\xf5",
            "\x1b",
            "\x3b",
            "\xbb",
            "\x7b",
            "\x69Timestamp",
            std::string("\x1b\xff\xff\xff\xff\xff\xff\xff\xff", 9),
            std::string("\xf9\x7e\x00", 3),
            std::string("\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00", 9)};
}

}  // namespace espalier::fuzz

namespace {

int DepthOf(const nlohmann::json& value) {
    int deepest = 0;
    if (value.is_structured())
        for (const nlohmann::json& inner : value) deepest = std::max(deepest, DepthOf(inner));
    return deepest + 1;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace espalier;
    const auto document = api::metrics::FromCbor(fuzz::AsText(data, size));
    if (!document) return 0;
    CHECK(document->is_object());
    CHECK(DepthOf(*document) <= api::kNestingDepthMax + 1);
    // What was read can be written, and read again as the same. The tags of times are levels of their own.
    if (DepthOf(*document) >= api::kNestingDepthMax) return 0;
    const auto again = api::metrics::FromCbor(api::metrics::ToCbor(*document));
    CHECK(again.has_value());
    constexpr auto kReplace = nlohmann::json::error_handler_t::replace;
    CHECK(again->dump(-1, ' ', false, kReplace) == document->dump(-1, ' ', false, kReplace));
    return 0;
}
