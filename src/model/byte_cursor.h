// Little-endian numbers out of a borrowed run of bytes; reading beyond the end is kCorruptData with the byte offset.
// Internal to model/. Confined to one thread.
#pragma once

#include <fmt/format.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace espalier::model {

static_assert(std::endian::native == std::endian::little, "files are read by copying");

class ByteCursor {
  public:
    /// `format` as errors name it; both are borrowed.
    ByteCursor(std::string_view bytes, std::string_view format) : bytes_(bytes), format_(format) {}

    std::size_t offset() const { return at_; }
    std::size_t left() const { return bytes_.size() - at_; }
    std::string_view rest() const { return bytes_.substr(at_); }

    Error Fail(std::string_view what) const {
        return Error(ErrorCode::kCorruptData, fmt::format("{} at byte {} of the {}", what, at_, format_));
    }

    Result<std::string_view> Take(std::uint64_t num_bytes) {
        if (num_bytes > left())
            return Fail(fmt::format("{} bytes should follow, and {} do: it is cut off,", num_bytes, left()));
        std::string_view taken = bytes_.substr(at_, static_cast<std::size_t>(num_bytes));
        at_ += taken.size();
        return taken;
    }

    template <typename T>
    Result<T> Number() {
        std::string_view taken = TRY(Take(sizeof(T)));
        T value;
        std::memcpy(&value, taken.data(), sizeof value);
        return value;
    }

    template <typename T>
    Result<std::vector<T>> Numbers(std::uint64_t count) {
        if (count > left() / sizeof(T)) return Fail(fmt::format("{} numbers should follow: it is cut off", count));
        std::string_view taken = TRY(Take(count * sizeof(T)));
        std::vector<T> values(static_cast<std::size_t>(count));
        if (!values.empty()) std::memcpy(values.data(), taken.data(), taken.size());
        return values;
    }

  private:
    std::string_view bytes_;
    std::string_view format_;
    std::size_t at_ = 0;
};

}  // namespace espalier::model
