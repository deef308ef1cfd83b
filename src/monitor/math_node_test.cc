#include "monitor/math_node.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

namespace espalier::monitor {
namespace {

std::string Read(std::string_view text) {
    const Result<MathNode> node = ParseMath(text);
    return node ? ToText(*node) : node.error().message();
}

TEST(MathNode, OperatorsBindAsWritten) {
    EXPECT_EQ(Read("m1+m2*m3"), "(m1 + (m2 * m3))");
    EXPECT_EQ(Read("(m1+m2)*m3"), "((m1 + m2) * m3)");
    EXPECT_EQ(Read("m1-m2-m3"), "((m1 - m2) - m3)");
    EXPECT_EQ(Read("m1/m2*100"), "((m1 / m2) * 100)");
    EXPECT_EQ(Read("2^3^m1"), "(2 ^ (3 ^ m1))");
    EXPECT_EQ(Read("-m1^2"), "(-(m1 ^ 2))");
    EXPECT_EQ(Read("2^-m1"), "(2 ^ (-m1))");
    EXPECT_EQ(Read("-5*m1"), "((-5) * m1)");
    EXPECT_EQ(Read("m1 > 1 && m2 <= 2 || m3 == 0"), "(((m1 > 1) AND (m2 <= 2)) OR (m3 == 0))");
    EXPECT_EQ(Read("m1<m2 OR m1!=3 AND m2>=1"), "((m1 < m2) OR ((m1 != 3) AND (m2 >= 1)))");
    EXPECT_EQ(Read("m1 < m2 + 1"), "(m1 < (m2 + 1))");
}

TEST(MathNode, ValuesCallsAndLists) {
    EXPECT_EQ(Read(" SUM( [m1 , METRICS('a b')] ) "), "SUM([m1, METRICS(\"a b\")])");
    EXPECT_EQ(Read("SORT(METRICS(), AVG, DESC, 10)"), "SORT(METRICS(), AVG, DESC, 10)");
    EXPECT_EQ(Read("FILL(m1,REPEAT)"), "FILL(m1, REPEAT)");
    EXPECT_EQ(Read("METRICS('say \"x\"')"), "METRICS('say \"x\"')");
    EXPECT_EQ(Read("1.5e3+.5"), "(1500 + 0.5)");
    EXPECT_EQ(Read("orders + android"), "(orders + android)") << "ids are not operators";
    EXPECT_EQ(Read("ORDER(m1)"), "ORDER(m1)") << "nor are functions";
    EXPECT_EQ(Read("[]"), "[]");
}

TEST(MathNode, WhatCannotBeReadIsToldWithItsPlace) {
    EXPECT_EQ(Read("m1 + "), "Error in expression 'm1 + ' at character 6: a value is expected");
    EXPECT_EQ(Read(""), "Error in expression '' at character 1: a value is expected");
    EXPECT_EQ(Read("m1 m2"), "Error in expression 'm1 m2' at character 4: an operator or the end is expected");
    EXPECT_EQ(Read("SUM(m1"), "Error in expression 'SUM(m1' at character 7: ',' or ')' is expected");
    EXPECT_EQ(Read("(m1"), "Error in expression '(m1' at character 4: ')' is expected");
    for (const char* wrong :
         {"m1 = 2", "m1 +* 2", "'open", "1e999", "[m1,]", "_x", "m1 ! m2", "SUM(,)", "m1; m2", "=1"})
        EXPECT_FALSE(ParseMath(wrong).has_value()) << wrong;
    EXPECT_TRUE(ParseMath(std::string(40, '(') + "1" + std::string(40, ')')).has_value());
    EXPECT_FALSE(ParseMath(std::string(500, '(') + "1" + std::string(500, ')')).has_value());
    EXPECT_FALSE(ParseMath(std::string(1000, '-') + "1").has_value());
    EXPECT_FALSE(ParseMath(std::string(kMathBytesMax + 1, '1')).has_value());
}

/// A random tree of at most that many levels.
MathNode Grow(std::mt19937& random, int levels) {
    using Kind = MathNode::Kind;
    const auto pick = [&](std::initializer_list<const char*> texts) {
        return std::string(texts.begin()[random() % texts.size()]);
    };
    const auto children = [&](std::size_t count) {
        std::vector<MathNode> parts;
        for (std::size_t i = 0; i < count; ++i) parts.push_back(Grow(random, levels - 1));
        return parts;
    };
    switch (levels <= 0 ? random() % 3 : random() % 7) {
        case 0:
            return {.kind = Kind::kNumber, .number = static_cast<double>(random() % 1000) / 8};
        case 1:
            return {.kind = Kind::kId, .text = pick({"m1", "errors", "a_B9"})};
        case 2:
            return {.kind = Kind::kText, .text = pick({"", "4xx", "a 'b'"})};
        case 3:
            return {.kind = Kind::kList, .parts = children(random() % 3)};
        case 4:
            return {.kind = Kind::kCall, .text = pick({"SUM", "METRICS", "X_1"}), .parts = children(random() % 4)};
        case 5:
            return {.kind = Kind::kOperator, .text = "-", .parts = children(1)};
        default:
            return {.kind = Kind::kOperator,
                    .text = pick({"+", "-", "*", "/", "^", "<", "<=", ">", ">=", "==", "!=", "AND", "OR"}),
                    .parts = children(2)};
    }
}

TEST(MathNode, WhatIsWrittenIsReadAsTheSameTree) {
    std::mt19937 random(7);
    int num_read = 0;
    for (int i = 0; i < 2000; ++i) {
        const std::string text = ToText(Grow(random, 5));
        if (text.size() > kMathBytesMax) continue;
        ++num_read;
        EXPECT_EQ(Read(text), text);
    }
    EXPECT_GT(num_read, 1500);
}

TEST(MathNode, DamagedTextsAreRefusedOrRead) {
    std::mt19937 random(11);
    constexpr std::string_view kCharacters = "m1AOR()[]+-*/^<>=!&|,.\"' \x80\xff\n2e";
    for (int i = 0; i < 20'000; ++i) {
        std::string text = ToText(Grow(random, 3));
        for (std::size_t change = 0; change < 1 + random() % 3 && !text.empty(); ++change) {
            const std::size_t place = random() % text.size();
            if (random() % 2 == 0)
                text[place] = kCharacters[random() % kCharacters.size()];
            else
                text.erase(place, 1 + random() % 4);
        }
        const Result<MathNode> node = ParseMath(text);
        if (!node) continue;
        EXPECT_EQ(Read(ToText(*node)), ToText(*node)) << text;
    }
}

}  // namespace
}  // namespace espalier::monitor
