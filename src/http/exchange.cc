#include "http/exchange.h"

#include <algorithm>

namespace espalier::http {
namespace {

char Lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

bool EqualLettersIgnoreCase(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return x == y || Lower(x) == Lower(y); });
}

void Headers::Add(std::string_view name, std::string_view value) {
    if (places_.empty()) {
        constexpr std::size_t kTypicalFields = 8;
        constexpr std::size_t kTypicalBytes = 512;
        places_.reserve(kTypicalFields);
        text_.reserve(kTypicalBytes);
    }
    places_.push_back({text_.size(), name.size(), value.size()});
    text_.append(name).append(value);
}

/// The first field of that name keeps its place; its old text is left behind.
void Headers::Set(std::string_view name, std::string_view value) {
    const auto is_it = [&](const Place& place) { return EqualsIgnoreCase(FieldAt(place).first, name); };
    const auto first = std::find_if(places_.begin(), places_.end(), is_it);
    if (first == places_.end()) return Add(name, value);
    places_.erase(std::remove_if(first + 1, places_.end(), is_it), places_.end());
    const std::string kept_name(FieldAt(*first).first);
    *first = {text_.size(), kept_name.size(), value.size()};
    text_.append(kept_name).append(value);
}

void Headers::Remove(std::string_view name) {
    std::erase_if(places_, [&](const Place& place) { return EqualsIgnoreCase(FieldAt(place).first, name); });
}

void Headers::Clear() {
    places_.clear();
    text_.clear();
}

std::optional<std::string_view> Headers::Find(std::string_view name) const {
    for (const auto& [field_name, value] : fields()) {
        if (EqualsIgnoreCase(field_name, name)) return value;
    }
    return std::nullopt;
}

std::string_view Headers::Get(std::string_view name, std::string_view fallback) const {
    return Find(name).value_or(fallback);
}

std::string_view RequestHead::raw_path() const {
    return std::string_view(target).substr(0, target.find('?'));
}

std::string_view RequestHead::raw_query() const {
    std::size_t mark = target.find('?');
    return mark == std::string::npos ? std::string_view() : std::string_view(target).substr(mark + 1);
}

void RequestHead::Clear() {
    // Everything that is not named here is new, so nothing of a request can stay for the next one.
    RequestHead kept;
    kept.method = std::move(method);
    kept.target = std::move(target);
    kept.headers = std::move(headers);
    kept.method.clear();
    kept.target.clear();
    kept.headers.Clear();
    *this = std::move(kept);
}

}  // namespace espalier::http
