#include "api/logs/filter_pattern.h"

#include <gtest/gtest.h>

namespace espalier::api::logs {
namespace {

bool Matches(std::string_view pattern, std::string_view line) {
    return FilterPattern::Parse(pattern).value().Matches(line);
}

TEST(FilterPattern, TermsAreAllAnyOrNone) {
    EXPECT_TRUE(Matches("", "anything"));
    EXPECT_TRUE(Matches("ERROR disk", "an ERROR on the disk"));
    EXPECT_FALSE(Matches("ERROR disk", "an ERROR"));
    EXPECT_FALSE(Matches("error", "ERROR")) << "case counts";
    EXPECT_TRUE(Matches("\"is full\"", "the disk is full"));
    EXPECT_FALSE(Matches("\"is full\"", "full it is"));
    EXPECT_TRUE(Matches("?a1 ?b2", "only b2"));
    EXPECT_FALSE(Matches("?a1 ?b2", "neither"));
    EXPECT_FALSE(Matches("round -validation", "round 3 validation"));
    EXPECT_TRUE(Matches("round -\"of validation\"", "round 3 validation"));
    EXPECT_TRUE(Matches(R"("say \"yes\"")", R"(say "yes")"));
}

TEST(FilterPattern, OtherLanguagesAreRefused) {
    for (const char* pattern : {"{ $.a = 1 }", "[ip, user]", "%a.*%", "\"open", "-", "? a"})
        EXPECT_FALSE(FilterPattern::Parse(pattern).has_value()) << pattern;
}

}  // namespace
}  // namespace espalier::api::logs
