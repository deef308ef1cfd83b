#include "base/result.h"

#include <cerrno>
#include <cstring>

namespace espalier {

std::string_view ToString(ErrorCode code) {
    switch (code) {
        case ErrorCode::kInvalidArgument:
            return "invalid_argument";
        case ErrorCode::kNotFound:
            return "not_found";
        case ErrorCode::kAlreadyExists:
            return "already_exists";
        case ErrorCode::kConflict:
            return "conflict";
        case ErrorCode::kResourceLimit:
            return "resource_limit";
        case ErrorCode::kPermission:
            return "permission";
        case ErrorCode::kUnavailable:
            return "unavailable";
        case ErrorCode::kCorruptData:
            return "corrupt_data";
        case ErrorCode::kIo:
            return "io";
        case ErrorCode::kCancelled:
            return "cancelled";
        case ErrorCode::kInternal:
            return "internal";
    }
    return "unknown";
}

std::string Error::ToString() const {
    std::string text = message();
    for (const Error* frame = cause(); frame != nullptr; frame = frame->cause()) {
        text += ": ";
        text += frame->message();
    }
    return text;
}

Error ErrnoError(std::string_view what, int errno_value, std::source_location where) {
    ErrorCode code = ErrorCode::kIo;
    if (errno_value == ENOENT) code = ErrorCode::kNotFound;
    if (errno_value == EEXIST) code = ErrorCode::kAlreadyExists;
    if (errno_value == EACCES || errno_value == EPERM) code = ErrorCode::kPermission;
    if (errno_value == ENOSPC || errno_value == EDQUOT || errno_value == EMFILE || errno_value == ENFILE ||
        errno_value == ENOMEM) {
        code = ErrorCode::kResourceLimit;
    }
    return Error(code, std::string(what) + ": " + std::strerror(errno_value), where);
}

}  // namespace espalier
