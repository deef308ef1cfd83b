#include "api/metrics/cbor_document.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace espalier::api::metrics {
namespace {

using nlohmann::json;

std::string Bytes(std::initializer_list<unsigned> bytes) {
    std::string text;
    for (unsigned byte : bytes) text += static_cast<char>(byte);
    return text;
}

TEST(CborDocument, WritesWhatTheStandardSays) {
    EXPECT_EQ(ToCbor({{"a", 23}, {"b", 24}, {"c", -1}}),
              Bytes({0xA3, 0x61, 'a', 0x17, 0x61, 'b', 0x18, 0x18, 0x61, 'c', 0x20}));
    EXPECT_EQ(ToCbor({{"x", {1000000, true, nullptr, "é"}}}),
              Bytes({0xA1, 0x61, 'x', 0x84, 0x1A, 0x00, 0x0F, 0x42, 0x40, 0xF5, 0xF6, 0x62, 0xC3, 0xA9}));
    EXPECT_EQ(ToCbor({{"v", 1.1}}), Bytes({0xA1, 0x61, 'v', 0xFB, 0x3F, 0xF1, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9A}));
    // Times get tag 1, also in lists.
    EXPECT_EQ(ToCbor({{"Timestamp", 1.5}}).substr(11), Bytes({0xC1, 0xFB, 0x3F, 0xF8, 0, 0, 0, 0, 0, 0}));
    EXPECT_EQ(ToCbor({{"Timestamps", {1, 2}}}).substr(12), Bytes({0x82, 0xC1, 0x01, 0xC1, 0x02}));
}

TEST(CborDocument, ReadsEveryFormOfANumberAndOpenEndedOnes) {
    const json document =
        FromCbor(Bytes({0xBF, 0x61, 'a',  0xF9, 0x3E, 0x00, 0x61, 'b',  0xFA, 0x47, 0xC3, 0x50, 0x00, 0x61, 'c',  0xC1,
                        0x1B, 0,    0,    0,    0,    0x51, 0x4B, 0x67, 0xB0, 0x61, 'd',  0x9F, 0x38, 0x63, 0xF4, 0xFF,
                        0x61, 'e',  0x7F, 0x61, 'x',  0x61, 'y',  0xFF, 0x61, 'f',  0xF9, 0xC4, 0x00, 0xFF}))
            .value();
    EXPECT_EQ(document,
              json({{"a", 1.5}, {"b", 100000.0}, {"c", 1363896240}, {"d", {-100, false}}, {"e", "xy"}, {"f", -4.0}}));
    EXPECT_EQ(FromCbor("").value(), json::object());
}

TEST(CborDocument, RoundTripsWhatItWrites) {
    const json document = {
        {"Namespace", "n"},
        {"MetricData", {{{"MetricName", "m"}, {"Value", -0.25}, {"Counts", {1, 70000, 5000000000}}}}},
        {"Flag", false}};
    EXPECT_EQ(FromCbor(ToCbor(document)).value(), document);
}

TEST(CborDocument, RefusesWhatIsNone) {
    EXPECT_FALSE(FromCbor(Bytes({0x01})).has_value()) << "no map";
    EXPECT_FALSE(FromCbor(Bytes({0xA1, 0x61, 'a'})).has_value()) << "cut";
    EXPECT_FALSE(FromCbor(Bytes({0xA1, 0x01, 0x01})).has_value()) << "a name that is no text";
    EXPECT_FALSE(FromCbor(Bytes({0xA0, 0x00})).has_value()) << "more than one document";
    EXPECT_FALSE(FromCbor(Bytes({0xA1, 0x61, 'a', 0x7B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF})).has_value());
    std::string deep = Bytes({0xA1, 0x61, 'a'});
    for (int i = 0; i < 100'000; ++i) deep += static_cast<char>(0x81);
    EXPECT_FALSE(FromCbor(deep).has_value()) << "nested too deeply";
}

}  // namespace
}  // namespace espalier::api::metrics
