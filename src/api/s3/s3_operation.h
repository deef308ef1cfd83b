// What one S3 operation is given and what it gives back.
//
// Nouns: S3Context (what the service owns), S3Request (one request, taken apart), S3Result (a value or an S3Error; TRY
// works on it, and on the store's Result inside a function that returns one), Reply, Operation.
// An operation decodes, validates, makes one call of the store and encodes. Thread-safe as long as each call has its
// own request.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "api/auth/principal.h"
#include "api/s3/s3_errors.h"
#include "api/s3/s3_target.h"
#include "base/clock.h"
#include "http/exchange.h"
#include "store/object_store.h"

namespace espalier::api::s3 {

template <typename T>
class [[nodiscard]] S3Result {
  public:
    using value_type = T;
    S3Result(S3Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design
    S3Result(const Error& error) : state_(std::in_place_index<1>, error) {}        // NOLINT: implicit by design
    template <typename U>
        requires(std::is_convertible_v<U &&, T>)
    S3Result(U&& value) : state_(std::in_place_index<0>, std::forward<U>(value)) {}  // NOLINT: implicit by design

    bool has_value() const { return state_.index() == 0; }
    explicit operator bool() const { return has_value(); }
    T& value() & { return *std::get_if<0>(&state_); }
    T&& value() && { return std::move(*std::get_if<0>(&state_)); }
    T& operator*() & { return value(); }
    T* operator->() { return &value(); }
    S3Error& error() & { return *std::get_if<1>(&state_); }
    S3Error&& error() && { return std::move(*std::get_if<1>(&state_)); }

  private:
    std::variant<T, S3Error> state_;
};

/// For functions that give nothing but may fail.
struct Done {};

struct S3Context {
    store::ObjectStore& store;
    const Clock& clock;
};

struct S3Request {
    http::Exchange& exchange;
    const Principal& principal;
    const S3Target& target;
    /// Parsed by the service; set for operations on a bucket, and on an object, respectively.
    std::optional<store::BucketName> bucket;
    std::optional<store::ObjectKey> key;

    const http::RequestHead& head() const { return exchange.head(); }
    std::optional<std::string_view> header(std::string_view name) const { return head().headers.Find(name); }
};

/// The answer: a head with a small body, or the bytes [offset, offset + size) of an open object after the head.
struct Reply {
    http::Response response;
    std::unique_ptr<store::ObjectReader> object;
    std::uint64_t offset = 0;
    std::uint64_t size_bytes = 0;
};

using Operation = S3Result<Reply> (*)(const S3Context& context, const S3Request& request);

/// 200 with an XML document.
Reply XmlReply(std::string document);
/// A head alone.
Reply EmptyReply(int status);
/// A response header whose value has quotes around it.
std::string Quoted(std::string_view etag);

}  // namespace espalier::api::s3
