#include "api/logs/filter_pattern.h"

#include <algorithm>

namespace espalier::api::logs {
namespace {

bool Holds(std::string_view line, const std::string& term) {
    return line.find(term) != std::string_view::npos;
}

/// The next term without its sign; a phrase without its quotes.
Result<std::string> TakeTerm(std::string_view& text) {
    if (!text.starts_with('"')) {
        const std::size_t end = std::min(text.find(' '), text.size());
        std::string term(text.substr(0, end));
        text.remove_prefix(end);
        return term;
    }
    std::string term;
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == '"') {
            text.remove_prefix(i + 1);
            return term;
        }
        if (text[i] == '\\' && i + 1 < text.size()) ++i;
        term += text[i];
    }
    return Error(ErrorCode::kInvalidArgument, "Invalid filter pattern: a quotation mark is not closed.");
}

}  // namespace

Result<FilterPattern> FilterPattern::Parse(std::string_view text) {
    FilterPattern pattern;
    while (true) {
        text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
        if (text.empty()) return pattern;
        if (text[0] == '{' || text[0] == '[' || text[0] == '%')
            return Error(ErrorCode::kInvalidArgument,
                         "Invalid filter pattern: patterns of JSON, fields and regular expressions are not supported; "
                         "give words, \"phrases\", -words and ?words.");
        std::vector<std::string>* terms = &pattern.all_;
        if (text[0] == '?' || text[0] == '-') {
            terms = text[0] == '?' ? &pattern.any_ : &pattern.none_;
            text.remove_prefix(1);
        }
        std::string term = TRY(TakeTerm(text));
        if (term.empty()) return Error(ErrorCode::kInvalidArgument, "Invalid filter pattern: a term is empty.");
        terms->push_back(std::move(term));
    }
}

bool FilterPattern::Matches(std::string_view line) const {
    const auto holds = [&](const std::string& term) { return Holds(line, term); };
    return std::all_of(all_.begin(), all_.end(), holds) && std::none_of(none_.begin(), none_.end(), holds) &&
           (any_.empty() || std::any_of(any_.begin(), any_.end(), holds));
}

}  // namespace espalier::api::logs
