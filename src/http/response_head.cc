#include "http/response_head.h"

#include <charconv>
#include <ctime>

namespace espalier::http {
namespace {

struct StatusLine {
    int status;
    std::string_view line;
};

constexpr StatusLine kStatusLines[] = {
    {100, "HTTP/1.1 100 Continue\r\n"},
    {200, "HTTP/1.1 200 OK\r\n"},
    {201, "HTTP/1.1 201 Created\r\n"},
    {202, "HTTP/1.1 202 Accepted\r\n"},
    {204, "HTTP/1.1 204 No Content\r\n"},
    {206, "HTTP/1.1 206 Partial Content\r\n"},
    {301, "HTTP/1.1 301 Moved Permanently\r\n"},
    {304, "HTTP/1.1 304 Not Modified\r\n"},
    {307, "HTTP/1.1 307 Temporary Redirect\r\n"},
    {400, "HTTP/1.1 400 Bad Request\r\n"},
    {403, "HTTP/1.1 403 Forbidden\r\n"},
    {404, "HTTP/1.1 404 Not Found\r\n"},
    {405, "HTTP/1.1 405 Method Not Allowed\r\n"},
    {406, "HTTP/1.1 406 Not Acceptable\r\n"},
    {408, "HTTP/1.1 408 Request Timeout\r\n"},
    {409, "HTTP/1.1 409 Conflict\r\n"},
    {411, "HTTP/1.1 411 Length Required\r\n"},
    {412, "HTTP/1.1 412 Precondition Failed\r\n"},
    {413, "HTTP/1.1 413 Content Too Large\r\n"},
    {414, "HTTP/1.1 414 URI Too Long\r\n"},
    {415, "HTTP/1.1 415 Unsupported Media Type\r\n"},
    {416, "HTTP/1.1 416 Range Not Satisfiable\r\n"},
    {417, "HTTP/1.1 417 Expectation Failed\r\n"},
    {424, "HTTP/1.1 424 Failed Dependency\r\n"},
    {429, "HTTP/1.1 429 Too Many Requests\r\n"},
    {431, "HTTP/1.1 431 Request Header Fields Too Large\r\n"},
    {500, "HTTP/1.1 500 Internal Server Error\r\n"},
    {501, "HTTP/1.1 501 Not Implemented\r\n"},
    {503, "HTTP/1.1 503 Service Unavailable\r\n"},
    {505, "HTTP/1.1 505 HTTP Version Not Supported\r\n"},
};

void AppendNumber(std::uint64_t number, std::string& out) {
    char digits[20];
    auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
    out.append(digits, end);
}

void AppendStatusLine(int status, std::string& out) {
    for (const StatusLine& known : kStatusLines) {
        if (known.status == status) {
            out.append(known.line);
            return;
        }
    }
    out.append("HTTP/1.1 ");
    AppendNumber(static_cast<std::uint64_t>(status), out);
    out.append(" Status\r\n");
}

/// "Date: Mon, 01 Jan 2024 00:00:00 GMT\r\n", formatted once a second and thread.
std::string_view DateField() {
    constexpr std::size_t kBytes = 37;
    thread_local std::time_t formatted_second = -1;
    thread_local char text[kBytes + 1];
    timespec now{};
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec != formatted_second) {
        std::tm utc{};
        gmtime_r(&now.tv_sec, &utc);
        std::strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
        formatted_second = now.tv_sec;
    }
    return {text, kBytes};
}

void AppendField(std::string_view name, std::string_view value, std::string& out) {
    out.append(name).append(": ");
    std::size_t begin = out.size();
    out.append(value);
    for (std::size_t i = begin; i < out.size(); ++i) {
        auto byte = static_cast<unsigned char>(out[i]);
        if ((byte < 0x20 && byte != '\t') || byte == 0x7F) out[i] = ' ';
    }
    out.append("\r\n");
}

}  // namespace

bool StatusHasBody(int status) {
    return status >= 200 && status != 204 && status != 304;
}

void AppendResponseHead(const Response& response, std::optional<std::uint64_t> body_bytes, ResponseFraming framing,
                        std::string& out) {
    AppendStatusLine(response.status, out);
    const bool keeps_own_length = framing.head_request || response.status == 304;
    bool has_length = !StatusHasBody(response.status);
    bool has_date = false;
    bool has_server = false;
    for (const auto& [name, value] : response.headers.fields()) {
        if (EqualsIgnoreCase(name, "Content-Length")) {
            if (!keeps_own_length) continue;
            has_length = true;
        } else if (EqualsIgnoreCase(name, "Transfer-Encoding") || EqualsIgnoreCase(name, "Connection")) {
            continue;
        } else if (EqualsIgnoreCase(name, "Date")) {
            has_date = true;
        } else if (EqualsIgnoreCase(name, "Server")) {
            has_server = true;
        }
        AppendField(name, value, out);
    }
    if (!has_length && body_bytes) {
        out.append("Content-Length: ");
        AppendNumber(*body_bytes, out);
        out.append("\r\n");
    } else if (!has_length && !framing.http_1_0) {
        out.append("Transfer-Encoding: chunked\r\n");
    }
    if (!has_date) out.append(DateField());
    if (!has_server) out.append("Server: Espalier\r\n");
    if (framing.close) {
        out.append("Connection: close\r\n");
    } else if (framing.http_1_0) {
        out.append("Connection: keep-alive\r\n");
    }
    out.append("\r\n");
}

std::string PlainAnswer(int status, std::string_view message) {
    Response response{.status = status, .headers = {}, .body = {}};
    response.headers.Add("Content-Type", "text/plain; charset=utf-8");
    if (status == 503) response.headers.Add("Retry-After", "1");
    std::string out;
    AppendResponseHead(response, message.size() + 1, {.close = true}, out);
    return out.append(message).append("\n");
}

}  // namespace espalier::http
