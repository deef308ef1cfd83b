#include "espalier/object_reader.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <optional>

#include "api/auth/sigv4.h"
#include "base/digest.h"
#include "base/encoding.h"

namespace espalier::cmd {
namespace {

namespace filesystem = std::filesystem;

class FolderReader final : public ObjectReader {
  public:
    explicit FolderReader(std::string folder) : folder_(std::move(folder)) {}
    Result<void> Read(const std::string& bucket, const std::string& key, const std::string& path) override {
        const std::string source = fmt::format("{}/{}/{}", folder_, bucket, key);
        std::error_code error;
        if (!filesystem::is_regular_file(source, error))
            return Error(ErrorCode::kNotFound, fmt::format("there is no file {}", source));
        filesystem::copy_file(source, path, error);
        if (error) return ErrnoError("copy " + source, error.value());
        return {};
    }

  private:
    const std::string folder_;
};

/// A connection that is closed in any case.
class Socket {
  public:
    explicit Socket(int descriptor) : descriptor_(descriptor) {}
    ~Socket() { ::close(descriptor_); }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    int get() const { return descriptor_; }

  private:
    const int descriptor_;
};

Result<std::unique_ptr<Socket>> Connect(const std::string& host, const std::string& port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int failed = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); failed != 0)
        return Error(ErrorCode::kUnavailable, fmt::format("{}:{}: {}", host, port, ::gai_strerror(failed)));
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, ::freeaddrinfo);
    int error = 0;
    for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
        const int descriptor = ::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (descriptor < 0) continue;
        auto socket = std::make_unique<Socket>(descriptor);
        if (::connect(descriptor, address->ai_addr, address->ai_addrlen) == 0) return socket;
        error = errno;
    }
    return ErrnoError(fmt::format("connect to {}:{}", host, port), error);
}

Result<void> SendAll(const Socket& socket, std::string_view text) {
    while (!text.empty()) {
        const ssize_t sent = ::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return ErrnoError("send to the server", errno);
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return {};
}

class ServerReader final : public ObjectReader {
  public:
    struct Options {
        std::string host;
        std::string port;
        std::string region;
        std::string access_key_id;
        std::string secret;
    };
    explicit ServerReader(Options options) : options_(std::move(options)) {}

    Result<void> Read(const std::string& bucket, const std::string& key, const std::string& path) override {
        const std::string target = "/" + bucket + "/" + PercentEncode(key, Slash::kKeep);
        const std::unique_ptr<Socket> socket = TRY(Connect(options_.host, options_.port));
        TRY(SendAll(*socket, RequestFor(target)));
        return Receive(*socket, fmt::format("s3://{}/{}", bucket, key), path);
    }

  private:
    std::string Host() const { return options_.host + ":" + options_.port; }

    std::string RequestFor(const std::string& target) const {
        const std::string amz_date = fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(std::time(nullptr)));
        const api::V4Claim claim = {.access_key_id = options_.access_key_id,
                                    .date = amz_date.substr(0, 8),
                                    .region = options_.region,
                                    .service = "s3",
                                    .amz_date = amz_date,
                                    .signed_headers = {"host", "x-amz-content-sha256", "x-amz-date"},
                                    .signature = ""};
        constexpr std::string_view kPayload = "UNSIGNED-PAYLOAD";
        const std::string canonical = fmt::format(
            "GET\n{}\n\nhost:{}\nx-amz-content-sha256:{}\nx-amz-date:{}\n\nhost;x-amz-content-sha256;"
            "x-amz-date\n{}",
            target, Host(), kPayload, amz_date, kPayload);
        const std::string to_sign =
            fmt::format("{}\n{}\n{}\n{}", api::kV4Algorithm, amz_date, claim.scope(), HexEncode(Sha256::Of(canonical)));
        const std::string signature =
            HexEncode(HmacSha256(AsChars(api::DeriveSigningKey(options_.secret, claim)), to_sign));
        return fmt::format(
            "GET {} HTTP/1.1\r\nHost: {}\r\nx-amz-content-sha256: {}\r\nx-amz-date: {}\r\nAuthorization: {} "
            "Credential={}/{}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={}\r\nConnection: "
            "close\r\n\r\n",
            target, Host(), kPayload, amz_date, api::kV4Algorithm, claim.access_key_id, claim.scope(), signature);
    }

    /// The server closes behind its answer, whose length it tells.
    static Result<void> Receive(const Socket& socket, const std::string& what, const std::string& path) {
        std::string head;
        std::ofstream out;
        std::uint64_t missing = 0;
        std::string piece(1 << 16, '\0');
        while (true) {
            const ssize_t got = ::recv(socket.get(), piece.data(), piece.size(), 0);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return ErrnoError("receive " + what, errno);
            if (got == 0) break;
            std::string_view bytes(piece.data(), static_cast<std::size_t>(got));
            if (!out.is_open()) {
                head += bytes;
                const std::size_t end = head.find("\r\n\r\n");
                if (end == std::string::npos) continue;
                missing = TRY(LengthOf(head.substr(0, end), what));
                out.open(path, std::ios::binary | std::ios::trunc);
                bytes = std::string_view(head).substr(end + 4);
            }
            out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
            missing -= std::min<std::uint64_t>(missing, bytes.size());
        }
        out.close();
        if (!out || missing > 0) return Error(ErrorCode::kIo, fmt::format("{} did not arrive whole", what));
        return {};
    }

    static Result<std::uint64_t> LengthOf(const std::string& head, const std::string& what) {
        const std::string status = head.substr(0, head.find("\r\n"));
        if (status.find(" 404 ") != std::string::npos)
            return Error(ErrorCode::kNotFound, fmt::format("there is no object {}", what));
        if (status.find(" 200 ") == std::string::npos)
            return Error(ErrorCode::kUnavailable, fmt::format("the server answers {} for {}", status, what));
        constexpr std::string_view kName = "\r\ncontent-length: ";
        std::string folded = head;
        for (char& c : folded) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        const std::size_t at = folded.find(kName);
        std::uint64_t length = 0;
        if (at != std::string::npos)
            std::from_chars(folded.data() + at + kName.size(), folded.data() + folded.size(), length);
        return length;
    }

    const Options options_;
};

std::string Variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

}  // namespace

std::unique_ptr<ObjectReader> ReadFolder(std::string folder) {
    return std::make_unique<FolderReader>(std::move(folder));
}

Result<std::unique_ptr<ObjectReader>> ReadServer() {
    constexpr std::string_view kScheme = "http://";
    std::string address = Variable("AWS_ENDPOINT_URL");
    const std::string region = Variable("AWS_DEFAULT_REGION");
    ServerReader::Options options = {.host = "",
                                     .port = "80",
                                     .region = region.empty() ? "us-east-1" : region,
                                     .access_key_id = Variable("AWS_ACCESS_KEY_ID"),
                                     .secret = Variable("AWS_SECRET_ACCESS_KEY")};
    if (!address.starts_with(kScheme) || options.access_key_id.empty() || options.secret.empty())
        return Error(ErrorCode::kInvalidArgument,
                     "no server to read the data from: run eval \"$(espalier env)\" first, or give --data FOLDER");
    address = address.substr(kScheme.size());
    while (address.ends_with('/')) address.pop_back();
    const std::size_t colon = address.rfind(':');
    options.host = address.substr(0, colon);
    if (colon != std::string::npos) options.port = address.substr(colon + 1);
    return std::unique_ptr<ObjectReader>(std::make_unique<ServerReader>(std::move(options)));
}

}  // namespace espalier::cmd
