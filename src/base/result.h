// Result<T>: a value or an Error. The only error channel between functions of this project; no exception crosses a
// module edge.
//
// Nouns: Error (code, message, cause, where), Result<T>, TRY.
// An Error is one pointer wide; the good path allocates nothing. Both types are [[nodiscard]].
// Why our own: std::expected needs C++23 in libstdc++ 12 and is not [[nodiscard]]. The interface is a subset of it.
// Thread-compatible.
#pragma once

#include <memory>
#include <new>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace espalier {

/// What kind of failure it is. Wire codes (NoSuchKey, ValidationException, …) are mapped from these in api/ only.
enum class ErrorCode {
    kInvalidArgument,
    kNotFound,
    kAlreadyExists,
    kConflict,
    kResourceLimit,
    kPermission,
    kUnavailable,
    kCorruptData,
    kIo,
    kCancelled,
    kInternal,
};

/// snake_case name of the code, for logs.
std::string_view ToString(ErrorCode code);

/// A failure: what happened (a sentence a user may read), and the frames of context added on the way up.
class [[nodiscard]] Error {
  public:
    Error(ErrorCode code, std::string message, std::source_location where = std::source_location::current())
        : state_(new State{code, std::move(message), nullptr, where}) {}

    ErrorCode code() const { return state_->code; }
    /// The sentence of this frame alone.
    const std::string& message() const { return state_->message; }
    /// The frame below, or nullptr.
    const Error* cause() const { return state_->cause.get(); }
    const std::source_location& where() const { return state_->where; }

    /// "read cut points: open /x: No such file or directory": this frame and all causes, outermost first.
    std::string ToString() const;

    /// This error as the cause of a new frame with the same code.
    Error Wrap(std::string message, std::source_location where = std::source_location::current()) && {
        ErrorCode code = state_->code;
        Error outer(code, std::move(message), where);
        outer.state_->cause = std::make_unique<Error>(std::move(*this));
        return outer;
    }

  private:
    struct State {
        ErrorCode code;
        std::string message;
        std::unique_ptr<Error> cause;
        std::source_location where;
    };
    std::unique_ptr<State> state_;
};

/// The failure of a system call: "open /x: No such file or directory"; ENOENT maps to kNotFound, ENOSPC and friends to
/// kResourceLimit, everything else to kIo.
Error ErrnoError(std::string_view what, int errno_value, std::source_location where = std::source_location::current());

template <typename T>
class [[nodiscard]] Result {
  public:
    using value_type = T;
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit by design
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design
    template <typename U>
        requires(std::is_convertible_v<U &&, T> && !std::is_same_v<std::remove_cvref_t<U>, T> &&
                 !std::is_same_v<std::remove_cvref_t<U>, Error> && !std::is_same_v<std::remove_cvref_t<U>, Result>)
    Result(U&& value) : state_(std::in_place_index<0>, std::forward<U>(value)) {}  // NOLINT: implicit by design

    bool has_value() const { return state_.index() == 0; }
    explicit operator bool() const { return has_value(); }
    T& value() & { return *std::get_if<0>(&state_); }
    const T& value() const& { return *std::get_if<0>(&state_); }
    T&& value() && { return std::move(*std::get_if<0>(&state_)); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }
    Error& error() & { return *std::get_if<1>(&state_); }
    const Error& error() const& { return *std::get_if<1>(&state_); }
    Error&& error() && { return std::move(*std::get_if<1>(&state_)); }

  private:
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
  public:
    using value_type = void;
    Result() = default;
    Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design

    bool has_value() const { return !error_.has_value(); }
    explicit operator bool() const { return has_value(); }
    void value() const {}
    Error& error() & { return *error_; }
    const Error& error() const& { return *error_; }
    Error&& error() && { return std::move(*error_); }

  private:
    std::optional<Error> error_;
};

}  // namespace espalier

// auto x = TRY(F());  gives the value or returns the error to the caller.
#define TRY(expression)                            \
    ({                                             \
        auto&& try_result_ = (expression);         \
        if (!try_result_.has_value()) [[unlikely]] \
            return std::move(try_result_).error(); \
        std::move(try_result_).value();            \
    })

// The same, with a frame of context: TRY_MSG(ReadCuts(path), "read cut points").
#define TRY_MSG(expression, ...)                                     \
    ({                                                               \
        auto&& try_result_ = (expression);                           \
        if (!try_result_.has_value()) [[unlikely]]                   \
            return std::move(try_result_).error().Wrap(__VA_ARGS__); \
        std::move(try_result_).value();                              \
    })
