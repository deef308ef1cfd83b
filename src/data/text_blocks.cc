#include "data/text_blocks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "data/load_rows.h"

namespace espalier::data {

// An open file, unpacked on the way if it is gzip.
class TextBlockReader::Source {
  public:
    static Result<std::unique_ptr<Source>> Open(const DataFile& file) {
        int fd = ::open(file.path.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            int errno_value = errno;
            return ErrnoError(fmt::format("open {}", file.name), errno_value);
        }
        std::unique_ptr<Source> source(new Source(fd, file));
        if (file.gzip) {
            // 15 window bits, +16: a gzip header is expected.
            CheckZlib(inflateInit2(&source->stream_, 15 + 16));
            source->packed_.resize(kPackedBytes);
        }
        return source;
    }

    ~Source() {
        ::close(fd_);
        if (file_.gzip) inflateEnd(&stream_);
    }
    Source(Source&&) = delete;

    /// Up to `size` bytes to `out`; 0 at the end. `bytes_read` grows by what came from disk.
    Result<std::size_t> Read(char* out, std::size_t size, std::uint64_t& bytes_read) {
        return file_.gzip ? Inflate(out, size, bytes_read) : ReadRaw(out, size, bytes_read);
    }

  private:
    static constexpr std::size_t kPackedBytes = std::size_t{256} << 10;

    Source(int fd, const DataFile& file) : fd_(fd), file_(file) {}

    static void CheckZlib(int status) { CHECK(status == Z_OK, "zlib status {}", status); }

    Result<std::size_t> ReadRaw(char* out, std::size_t size, std::uint64_t& bytes_read) {
        for (;;) {
            ssize_t got = ::read(fd_, out, size);
            if (got >= 0) {
                bytes_read += static_cast<std::uint64_t>(got);
                return static_cast<std::size_t>(got);
            }
            int errno_value = errno;
            if (errno_value != EINTR) return ErrnoError(fmt::format("read {}", file_.name), errno_value);
        }
    }

    Result<std::size_t> Inflate(char* out, std::size_t size, std::uint64_t& bytes_read) {
        stream_.next_out = reinterpret_cast<Bytef*>(out);
        stream_.avail_out = static_cast<uInt>(std::min<std::size_t>(size, 1U << 30));
        auto wanted = stream_.avail_out;
        while (stream_.avail_out == wanted) {
            if (stream_.avail_in == 0) {
                std::size_t got = TRY(ReadRaw(packed_.data(), packed_.size(), bytes_read));
                if (got == 0) {
                    if (at_member_end_) return std::size_t{0};
                    return Broken("it ends too early");
                }
                stream_.next_in = reinterpret_cast<Bytef*>(packed_.data());
                stream_.avail_in = static_cast<uInt>(got);
            }
            if (at_member_end_) {
                CheckZlib(inflateReset(&stream_));
                at_member_end_ = false;
            }
            int status = inflate(&stream_, Z_NO_FLUSH);
            if (status == Z_STREAM_END) {
                at_member_end_ = true;
            } else if (status != Z_OK && status != Z_BUF_ERROR) {
                return Broken(stream_.msg == nullptr ? "its data is damaged" : stream_.msg);
            }
        }
        return static_cast<std::size_t>(wanted - stream_.avail_out);
    }

    Error Broken(std::string_view why) const {
        return Error(
            ErrorCode::kCorruptData,
            fmt::format("{}: the gzip stream is broken: {}. Compress and upload the file anew.", file_.name, why));
    }

    int fd_;
    const DataFile& file_;
    z_stream stream_{};
    EntryVector<char> packed_;
    bool at_member_end_ = false;
};

TextBlockReader::TextBlockReader(std::span<const DataFile> files) : files_(files) {}
TextBlockReader::~TextBlockReader() = default;

Result<void> TextBlockReader::Open() {
    source_ = TRY(Source::Open(files_[file_idx_]));
    file_offset_ = 0;
    carry_.clear();
    return {};
}

// Reads until `size` reaches `target` or the file ends; then `size` < `target`.
Result<void> TextBlockReader::Fill(EntryVector<char>& bytes, std::size_t& size, std::size_t target) {
    bytes.resize(target + 1 + kernels::kTextPadding);
    while (size < target) {
        std::size_t got = TRY(source_->Read(bytes.data() + size, target - size, bytes_read_));
        if (got == 0) break;
        size += got;
    }
    return {};
}

Result<bool> TextBlockReader::Next(TextBlock& block) {
    for (;;) {
        if (source_ == nullptr) {
            if (file_idx_ == files_.size()) return false;
            TRY(Open());
        }
        std::size_t size = carry_.size();
        block.bytes.resize(std::max(block.bytes.size(), size));
        std::copy(carry_.begin(), carry_.end(), block.bytes.begin());
        std::size_t target = std::max(kTextBlockBytes, 2 * size);
        std::size_t lines_end = 0;
        bool at_end = false;
        while (lines_end == 0 && !at_end) {
            if (size >= kTextLineBytesMax) {
                return Error(ErrorCode::kResourceLimit,
                             fmt::format("{}: a line is longer than {} bytes. Is this a text file?",
                                         files_[file_idx_].name, kTextLineBytesMax));
            }
            TRY(Fill(block.bytes, size, target));
            at_end = size < target;
            std::string_view read(block.bytes.data(), size);
            std::size_t last = read.find_last_of('\n');
            if (last == std::string_view::npos) last = read.find_last_of('\r');
            lines_end = last == std::string_view::npos ? 0 : last + 1;
            target *= 2;
        }
        block.file_idx = file_idx_;
        block.file_offset = file_offset_;
        block.first_in_file = file_offset_ == 0;
        if (at_end) {
            lines_end = size;
            source_.reset();
            ++file_idx_;
        }
        carry_.assign(block.bytes.begin() + static_cast<std::ptrdiff_t>(lines_end),
                      block.bytes.begin() + static_cast<std::ptrdiff_t>(size));
        file_offset_ += lines_end;
        if (lines_end == 0) continue;  // nothing was left
        char* end = block.bytes.data() + lines_end;
        if (end[-1] != '\n' && end[-1] != '\r') *end++ = '\n';
        std::fill_n(end, kernels::kTextPadding, '\n');
        std::size_t mark =
            block.first_in_file && std::string_view(block.bytes.data(), lines_end).starts_with(kByteOrderMark)
                ? kByteOrderMark.size()
                : 0;
        block.file_offset += mark;
        block.text = {block.bytes.data() + mark, end};
        return true;
    }
}

}  // namespace espalier::data
