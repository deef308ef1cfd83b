#include "http/head_parser.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <charconv>
#include <cstring>
#include <string>

namespace espalier::http {
namespace {

namespace beast = boost::beast;
using beast::error_code;

constexpr std::size_t kMethodBytesMax = 32;

/// Receives Beast's callbacks and stores the fields; the framing rules are ours (see ApplyFraming).
class BeastParser final : public beast::http::basic_parser<true> {
  public:
    explicit BeastParser(ParsedHead& parsed) : parsed_(parsed) {
        header_limit(kHeadBytesMax + 1);  // the caller has enforced the limit
        body_limit(boost::none);
        eager(false);
    }

    int version() const { return version_; }
    bool too_many_fields() const { return too_many_fields_; }

  private:
    void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target, int version,
                         error_code&) override {
        parsed_.head.method.assign(method.data(), method.size());
        parsed_.head.target.assign(target.data(), target.size());
        version_ = version;
    }
    void on_field_impl(beast::http::field, beast::string_view name, beast::string_view value,
                       error_code& error) override {
        if (parsed_.head.headers.size() >= kHeadFieldsMax) {
            too_many_fields_ = true;
            error = beast::http::error::header_limit;
            return;
        }
        parsed_.head.headers.Add({name.data(), name.size()}, {value.data(), value.size()});
    }
    void on_header_impl(error_code&) override {}
    void on_response_impl(int, beast::string_view, int, error_code&) override {}
    void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
    std::size_t on_body_impl(beast::string_view, error_code&) override { return 0; }
    void on_chunk_header_impl(std::uint64_t, beast::string_view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view, error_code&) override { return 0; }
    void on_finish_impl(error_code&) override {}

    ParsedHead& parsed_;
    int version_ = 0;
    bool too_many_fields_ = false;
};

/// CRLF and nothing else ends a line; no NUL; no line starts with white space (obs-fold).
bool LinesAreStrict(std::string_view bytes) {
    std::size_t begin = 0;
    while (begin < bytes.size()) {
        const char* found = static_cast<const char*>(std::memchr(bytes.data() + begin, '\n', bytes.size() - begin));
        if (found == nullptr) return false;
        std::size_t end = static_cast<std::size_t>(found - bytes.data());
        if (end == begin || bytes[end - 1] != '\r') return false;
        std::string_view line = bytes.substr(begin, end - 1 - begin);
        if (!line.empty() && (line.front() == ' ' || line.front() == '\t')) return false;
        if (line.find('\r') != std::string_view::npos || line.find('\0') != std::string_view::npos) return false;
        begin = end + 1;
    }
    return true;
}

/// True if the comma-separated list holds the token.
bool HasToken(std::string_view list, std::string_view token) {
    while (!list.empty()) {
        std::size_t comma = list.find(',');
        std::string_view item = list.substr(0, comma);
        list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
        while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
        while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
        if (EqualsIgnoreCase(item, token)) return true;
    }
    return false;
}

std::optional<std::uint64_t> ParseLength(std::string_view text) {
    constexpr std::size_t kDigitsMax = 18;  // 10^18 - 1 < 2^63
    if (text.empty() || text.size() > kDigitsMax || text.find_first_not_of("0123456789") != std::string_view::npos) {
        return std::nullopt;
    }
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

/// Reads the fields that decide where the body ends and whether the connection lives on.
std::optional<HeadError> ApplyFraming(ParsedHead& parsed) {
    RequestHead& head = parsed.head;
    int num_hosts = 0;
    int num_lengths = 0;
    int num_codings = 0;
    bool close = false;
    bool keep_alive = false;
    for (const auto& [name, value] : head.headers.fields()) {
        switch (name.size()) {  // the lengths of the names below tell most fields apart without a comparison
            case 4:
                if (EqualsIgnoreCase(name, "host")) ++num_hosts;
                break;
            case 6:
                if (!EqualsIgnoreCase(name, "expect")) break;
                if (!EqualsIgnoreCase(value, "100-continue"))
                    return HeadError{417, "Only 100-continue can be expected."};
                head.expects_continue = !parsed.http_1_0;
                break;
            case 10:
                if (!EqualsIgnoreCase(name, "connection")) break;
                close = close || HasToken(value, "close");
                keep_alive = keep_alive || HasToken(value, "keep-alive");
                break;
            case 14:
                if (!EqualsIgnoreCase(name, "content-length")) break;
                ++num_lengths;
                head.content_length = ParseLength(value);
                if (!head.content_length) return HeadError{400, "Content-Length is not a number."};
                break;
            case 17:
                if (!EqualsIgnoreCase(name, "transfer-encoding")) break;
                ++num_codings;
                if (!EqualsIgnoreCase(value, "chunked")) {
                    return HeadError{501, "The only transfer coding understood is chunked."};
                }
                head.chunked = true;
                break;
            default:
                break;
        }
    }
    if (num_hosts > 1 || (num_hosts == 0 && !parsed.http_1_0)) return HeadError{400, "One Host field is needed."};
    if (num_lengths > 1) return HeadError{400, "Content-Length is given more than once."};
    if (num_codings > 1) return HeadError{400, "Transfer-Encoding is given more than once."};
    if (num_lengths + num_codings > 1) return HeadError{400, "Content-Length and Transfer-Encoding are both given."};
    if (head.chunked && parsed.http_1_0) return HeadError{400, "HTTP/1.0 has no Transfer-Encoding."};
    parsed.keep_alive = !close && (keep_alive || !parsed.http_1_0);
    return std::nullopt;
}

}  // namespace

std::optional<HeadError> ParseHead(std::string_view bytes, ParsedHead& parsed) {
    if (!LinesAreStrict(bytes)) return HeadError{400, "The request's lines are malformed."};
    std::size_t target_begin = bytes.find(' ') + 1;
    std::size_t line_end = bytes.find('\r');
    if (target_begin == 0 || target_begin > line_end || target_begin > kMethodBytesMax + 1) {
        return HeadError{400, "The request line is malformed."};
    }
    std::size_t target_end = bytes.find(' ', target_begin);
    if (target_end > line_end) return HeadError{400, "The request line is malformed."};
    if (target_end - target_begin > kTargetBytesMax) return HeadError{414, "The request target is too long."};
    std::string_view version = bytes.substr(target_end + 1, line_end - target_end - 1);
    if (version != "HTTP/1.1" && version != "HTTP/1.0") {
        if (version.starts_with("HTTP/") && version.size() == 8) return HeadError{505, "Only HTTP/1.1 is spoken here."};
        return HeadError{400, "The request line is malformed."};
    }
    if (bytes[target_begin] != '/') return HeadError{400, "The request target must be a path."};

    BeastParser parser(parsed);
    error_code error;
    parser.put(boost::asio::buffer(bytes.data(), bytes.size()), error);
    if (parser.too_many_fields()) return HeadError{431, "The request has too many header fields."};
    if (error || !parser.is_header_done()) return HeadError{400, "The request's head is malformed."};
    parsed.http_1_0 = version == "HTTP/1.0";
    return ApplyFraming(parsed);
}

}  // namespace espalier::http
