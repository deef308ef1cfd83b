#include "monitor/math_node.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace espalier::monitor {
namespace {

using Kind = MathNode::Kind;

constexpr std::string_view kBlanks = " \t\r\n";

bool IsLower(char c) {
    return c >= 'a' && c <= 'z';
}
bool IsUpper(char c) {
    return c >= 'A' && c <= 'Z';
}
bool IsDigit(char c) {
    return c >= '0' && c <= '9';
}
bool IsWord(char c) {
    return IsLower(c) || IsUpper(c) || IsDigit(c) || c == '_';
}

/// The operators of one tightness; longer ones first where one is the beginning of another.
using Level = std::array<std::string_view, 6>;
constexpr std::array<Level, 5> kLevels = {Level{"||", "OR"}, Level{"&&", "AND"},
                                          Level{"==", "!=", "<=", ">=", "<", ">"}, Level{"+", "-"}, Level{"*", "/"}};

/// Recursive descent: one function a rule, `depth` counts the rules that contain themselves.
class Parser {
  public:
    explicit Parser(std::string_view text) : all_(text), rest_(text) {}

    Result<MathNode> Whole() {
        MathNode node = TRY(Binary(0, 0));
        SkipBlanks();
        if (!rest_.empty()) return Wrong("an operator or the end");
        return node;
    }

  private:
    void SkipBlanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(kBlanks), rest_.size())); }

    /// Whether that is next; it is then taken. A word is not taken from the front of a longer one.
    bool Take(std::string_view token) {
        SkipBlanks();
        if (token.empty() || !rest_.starts_with(token)) return false;
        if (IsWord(token[0]) && rest_.size() > token.size() && IsWord(rest_[token.size()])) return false;
        rest_.remove_prefix(token.size());
        return true;
    }

    Error Wrong(std::string_view expected) const {
        return {ErrorCode::kInvalidArgument, fmt::format("Error in expression '{}' at character {}: {} is expected",
                                                         all_, all_.size() - rest_.size() + 1, expected)};
    }

    Result<MathNode> Binary(std::size_t level, int depth) {
        if (level == kLevels.size()) return Signed(depth);
        MathNode left = TRY(Binary(level + 1, depth));
        while (true) {
            const std::string_view* found = nullptr;
            for (const std::string_view& each : kLevels[level])
                if (found == nullptr && Take(each)) found = &each;
            if (found == nullptr) return left;
            MathNode right = TRY(Binary(level + 1, depth));
            // A word and its sign are one operator.
            const std::string name(level < 2 ? kLevels[level][1] : *found);
            left = Operator(name, {std::move(left), std::move(right)});
        }
    }

    Result<MathNode> Signed(int depth) {
        if (depth > kMathDepthMax) return Wrong("less nesting");
        if (Take("-")) {
            MathNode operand = TRY(Signed(depth + 1));
            return Operator("-", {std::move(operand)});
        }
        MathNode base = TRY(Primary(depth));
        if (!Take("^")) return base;
        MathNode exponent = TRY(Signed(depth + 1));
        return Operator("^", {std::move(base), std::move(exponent)});
    }

    Result<MathNode> Primary(int depth) {
        if (Take("(")) {
            MathNode inner = TRY(Binary(0, depth + 1));
            if (!Take(")")) return Wrong("')'");
            return inner;
        }
        if (Take("[")) {
            std::vector<MathNode> parts = TRY(Arguments("]", depth + 1));
            return MathNode{.kind = Kind::kList, .parts = std::move(parts)};
        }
        if (rest_.empty()) return Wrong("a value");
        if (IsDigit(rest_[0]) || rest_[0] == '.') return Number();
        if (rest_[0] == '"' || rest_[0] == '\'') return Text();
        if (IsLower(rest_[0])) return MathNode{.kind = Kind::kId, .text = Word()};
        if (!IsUpper(rest_[0])) return Wrong("a value");
        std::string name = Word();
        if (!Take("(")) return MathNode{.kind = Kind::kKeyword, .text = std::move(name)};
        std::vector<MathNode> parts = TRY(Arguments(")", depth + 1));
        return MathNode{.kind = Kind::kCall, .text = std::move(name), .parts = std::move(parts)};
    }

    /// What stands between commas up to `end`.
    Result<std::vector<MathNode>> Arguments(std::string_view end, int depth) {
        std::vector<MathNode> parts;
        if (Take(end)) return parts;
        while (true) {
            MathNode part = TRY(Binary(0, depth));
            parts.push_back(std::move(part));
            if (Take(end)) return parts;
            if (!Take(",")) return Wrong(fmt::format("',' or '{}'", end));
        }
    }

    Result<MathNode> Number() {
        double number = 0;
        const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
        if (error != std::errc() || !std::isfinite(number)) return Wrong("a finite number");
        rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
        return MathNode{.kind = Kind::kNumber, .number = number};
    }

    Result<MathNode> Text() {
        const std::size_t end = rest_.find(rest_[0], 1);
        if (end == std::string_view::npos) return Wrong("a string with its end");
        MathNode node = {.kind = Kind::kText, .text = std::string(rest_.substr(1, end - 1))};
        rest_.remove_prefix(end + 1);
        return node;
    }

    std::string Word() {
        std::size_t size = 1;
        while (size < rest_.size() && IsWord(rest_[size])) ++size;
        std::string word(rest_.substr(0, size));
        rest_.remove_prefix(size);
        return word;
    }

    static MathNode Operator(std::string name, std::vector<MathNode> operands) {
        return {.kind = Kind::kOperator, .text = std::move(name), .parts = std::move(operands)};
    }

    std::string_view all_;
    std::string_view rest_;
};

std::string Joined(const std::vector<MathNode>& parts) {
    std::vector<std::string> texts;
    for (const MathNode& part : parts) texts.push_back(ToText(part));
    return fmt::format("{}", fmt::join(texts, ", "));
}

}  // namespace

bool IsMathId(std::string_view text) {
    return !text.empty() && IsLower(text[0]) && std::ranges::all_of(text, IsWord);
}

Result<MathNode> ParseMath(std::string_view text) {
    if (text.size() > kMathBytesMax)
        return Error(ErrorCode::kInvalidArgument, fmt::format("An expression has at most {} bytes", kMathBytesMax));
    return Parser(text).Whole();
}

std::string ToText(const MathNode& node) {
    switch (node.kind) {
        case Kind::kNumber:
            return fmt::format("{}", node.number);
        case Kind::kText:
            return fmt::format("{0}{1}{0}", node.text.find('"') == std::string::npos ? '"' : '\'', node.text);
        case Kind::kId:
        case Kind::kKeyword:
            return node.text;
        case Kind::kList:
            return fmt::format("[{}]", Joined(node.parts));
        case Kind::kCall:
            return fmt::format("{}({})", node.text, Joined(node.parts));
        case Kind::kOperator:
            break;
    }
    if (node.parts.size() == 1) return fmt::format("({}{})", node.text, ToText(node.parts[0]));
    return fmt::format("({} {} {})", ToText(node.parts[0]), node.text, ToText(node.parts[1]));
}

}  // namespace espalier::monitor
