#include "data/byte_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "data/feature_rows.h"

namespace espalier::data {
namespace {

constexpr std::size_t kPackedBytes = std::size_t{256} << 10;

void CheckZlib(int status) {
    CHECK(status == Z_OK, "zlib status {}", status);
}

}  // namespace

struct ByteSource::Inflater {
    // 15 window bits, +16: a gzip header is expected.
    Inflater() { CheckZlib(inflateInit2(&stream, 15 + 16)); }
    ~Inflater() { inflateEnd(&stream); }
    Inflater(Inflater&&) = delete;

    z_stream stream{};
    EntryVector<char> packed = EntryVector<char>(kPackedBytes);
    bool at_member_end = false;
};

ByteSource::ByteSource(int fd, const DataFile& file)
    : fd_(fd), file_(file), inflater_(file.gzip ? std::make_unique<Inflater>() : nullptr) {}

ByteSource::~ByteSource() {
    ::close(fd_);
}

Result<std::unique_ptr<ByteSource>> ByteSource::Open(const DataFile& file) {
    const int fd = ::open(file.path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        const int errno_value = errno;
        return ErrnoError(fmt::format("open {}", file.name), errno_value);
    }
    return std::unique_ptr<ByteSource>(new ByteSource(fd, file));
}

Result<std::size_t> ByteSource::Read(char* out, std::size_t size, std::uint64_t& bytes_read) {
    return inflater_ ? Inflate(out, size, bytes_read) : ReadRaw(out, size, bytes_read);
}

Result<std::size_t> ByteSource::ReadRaw(char* out, std::size_t size, std::uint64_t& bytes_read) {
    for (;;) {
        const ssize_t got = ::read(fd_, out, size);
        if (got >= 0) {
            bytes_read += static_cast<std::uint64_t>(got);
            return static_cast<std::size_t>(got);
        }
        const int errno_value = errno;
        if (errno_value != EINTR) return ErrnoError(fmt::format("read {}", file_.name), errno_value);
    }
}

Result<std::size_t> ByteSource::Inflate(char* out, std::size_t size, std::uint64_t& bytes_read) {
    z_stream& stream = inflater_->stream;
    stream.next_out = reinterpret_cast<Bytef*>(out);
    stream.avail_out = static_cast<uInt>(std::min<std::size_t>(size, 1U << 30));
    const auto wanted = stream.avail_out;
    while (stream.avail_out == wanted) {
        if (stream.avail_in == 0) {
            const std::size_t got = TRY(ReadRaw(inflater_->packed.data(), inflater_->packed.size(), bytes_read));
            if (got == 0) {
                if (inflater_->at_member_end) return std::size_t{0};
                return Broken("it ends too early");
            }
            stream.next_in = reinterpret_cast<Bytef*>(inflater_->packed.data());
            stream.avail_in = static_cast<uInt>(got);
        }
        if (inflater_->at_member_end) {
            CheckZlib(inflateReset(&stream));
            inflater_->at_member_end = false;
        }
        const int status = inflate(&stream, Z_NO_FLUSH);
        if (status == Z_STREAM_END) {
            inflater_->at_member_end = true;
        } else if (status != Z_OK && status != Z_BUF_ERROR) {
            return Broken(stream.msg == nullptr ? "its data is damaged" : stream.msg);
        }
    }
    return static_cast<std::size_t>(wanted - stream.avail_out);
}

Error ByteSource::Broken(const char* why) const {
    return Error(ErrorCode::kCorruptData,
                 fmt::format("{}: the gzip stream is broken: {}. Compress and upload the file anew.", file_.name, why));
}

}  // namespace espalier::data
