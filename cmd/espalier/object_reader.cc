#include "espalier/object_reader.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "api/auth/sigv4.h"
#include "base/digest.h"
#include "base/encoding.h"
#include "http/connect.h"
#include "http/socket_io.h"

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

// Before the first byte the server compares the object's checksums, which takes a while for a large one.
constexpr std::chrono::minutes kPatience{10};

std::chrono::steady_clock::time_point Deadline() {
    return std::chrono::steady_clock::now() + kPatience;
}

class ServerReader final : public ObjectReader {
  public:
    struct Options {
        http::HttpUrl server;
        std::string region;
        std::string access_key_id;
        std::string secret;
    };
    explicit ServerReader(Options options) : options_(std::move(options)) {}

    Result<void> Read(const std::string& bucket, const std::string& key, const std::string& path) override {
        const std::string target = "/" + bucket + "/" + PercentEncode(key, Slash::kKeep);
        const Fd socket = TRY(http::Connect(options_.server, Deadline()));
        TRY(http::WriteAll(socket.get(), RequestFor(target), false, kPatience));
        return Receive(socket.get(), fmt::format("s3://{}/{}", bucket, key), path);
    }

  private:
    std::string Host() const { return fmt::format("{}:{}", options_.server.host, options_.server.port); }

    std::string RequestFor(const std::string& target) const {
        const std::string amz_date = fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(std::time(nullptr)));
        const std::string date = amz_date.substr(0, 8);
        const api::V4Claim claim = {
            .credential = fmt::format("{}/{}/{}/s3/aws4_request", options_.access_key_id, date, options_.region),
            .access_key_id = options_.access_key_id,
            .date = date,
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
            "Credential={}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={}\r\nConnection: "
            "close\r\n\r\n",
            target, Host(), kPayload, amz_date, api::kV4Algorithm, claim.credential, signature);
    }

    /// The server closes behind its answer, whose length it tells.
    static Result<void> Receive(int socket, const std::string& what, const std::string& path) {
        std::string head;
        std::ofstream out;
        std::uint64_t missing = 0;
        std::string piece(1 << 16, '\0');
        while (true) {
            const std::size_t got = TRY(http::ReadSome(socket, piece, Deadline()));
            if (got == 0) break;
            std::string_view bytes(piece.data(), got);
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
    Result<http::HttpUrl> server = http::HttpUrl::Parse(Variable("AWS_ENDPOINT_URL"));
    const std::string region = Variable("AWS_DEFAULT_REGION");
    const std::string access_key_id = Variable("AWS_ACCESS_KEY_ID");
    const std::string secret = Variable("AWS_SECRET_ACCESS_KEY");
    if (!server || server->path != "/" || access_key_id.empty() || secret.empty())
        return Error(ErrorCode::kInvalidArgument,
                     "no server to read the data from: run eval \"$(espalier env)\" first, or give --data FOLDER");
    ServerReader::Options options = {.server = *std::move(server),
                                     .region = region.empty() ? "us-east-1" : region,
                                     .access_key_id = access_key_id,
                                     .secret = secret};
    return std::unique_ptr<ObjectReader>(std::make_unique<ServerReader>(std::move(options)));
}

}  // namespace espalier::cmd
