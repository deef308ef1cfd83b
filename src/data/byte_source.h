// A data file read from front to end, unpacked on the way if it is gzip (several members too). Confined to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/result.h"
#include "data/data_files.h"

namespace espalier::data {

class ByteSource {
  public:
    /// `file` is borrowed and must outlive the source. kIo, kNotFound.
    static Result<std::unique_ptr<ByteSource>> Open(const DataFile& file);
    ~ByteSource();
    ByteSource(ByteSource&&) = delete;

    /// Up to `size` bytes to `out`; 0 at the end. `bytes_read` grows by what came from disk. kIo; kCorruptData for a
    /// broken gzip stream; both with the file's name.
    Result<std::size_t> Read(char* out, std::size_t size, std::uint64_t& bytes_read);

  private:
    struct Inflater;

    ByteSource(int fd, const DataFile& file);
    Result<std::size_t> ReadRaw(char* out, std::size_t size, std::uint64_t& bytes_read);
    Result<std::size_t> Inflate(char* out, std::size_t size, std::uint64_t& bytes_read);
    Error Broken(const char* why) const;

    const int fd_;
    const DataFile& file_;
    std::unique_ptr<Inflater> inflater_;  ///< null unless gzip
};

}  // namespace espalier::data
