#include "http/exchange.h"

#include <algorithm>

namespace espalier::http {
namespace {

char Lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return Lower(x) == Lower(y); });
}

void Headers::Set(std::string_view name, std::string value) {
    for (auto field = fields_.begin(); field != fields_.end(); ++field) {
        if (!EqualsIgnoreCase(field->first, name)) continue;
        field->second = std::move(value);
        fields_.erase(std::remove_if(field + 1, fields_.end(),
                                     [&](const auto& other) { return EqualsIgnoreCase(other.first, name); }),
                      fields_.end());
        return;
    }
    Add(std::string(name), std::move(value));
}

void Headers::Remove(std::string_view name) {
    std::erase_if(fields_, [&](const auto& field) { return EqualsIgnoreCase(field.first, name); });
}

std::optional<std::string_view> Headers::Find(std::string_view name) const {
    for (const auto& [field_name, value] : fields_) {
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

}  // namespace espalier::http
