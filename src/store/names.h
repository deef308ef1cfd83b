// The names of buckets and objects, validated when made, so that whoever holds one need not look again.
// Source: Amazon S3 user guide, "Bucket naming rules" and "Object key names". Immutable, thread-safe.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "base/result.h"

namespace espalier::store {

inline constexpr std::size_t kKeyBytesMax = 1024;

/// 3-63 of [a-z0-9.-], first and last a letter or digit, no two dots in a row, not shaped like an IPv4 address.
class BucketName {
  public:
    /// kInvalidArgument otherwise.
    static Result<BucketName> Parse(std::string_view text);
    const std::string& str() const { return text_; }
    auto operator<=>(const BucketName&) const = default;

  private:
    explicit BucketName(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

/// 1-1024 bytes of valid UTF-8 without NUL. Nothing else is refused or changed: "//", "..", a trailing "/" are names
/// like others. A key is never used as a file name.
class ObjectKey {
  public:
    /// kResourceLimit when too long, kInvalidArgument when empty or no UTF-8.
    static Result<ObjectKey> Parse(std::string_view text);
    const std::string& str() const { return text_; }
    auto operator<=>(const ObjectKey&) const = default;

  private:
    explicit ObjectKey(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

}  // namespace espalier::store
