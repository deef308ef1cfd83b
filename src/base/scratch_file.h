// ScratchFile: a file without a name for what does not fit into memory; gone when its owner is, however that ends.
//
// The pages belong to the kernel, which writes them out and drops them when memory is short. Thread-safe to read;
// appending is for one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/fs.h"
#include "base/result.h"

namespace espalier {

/// A new file without a name in `folder`, which must exist: it is gone once the descriptor is closed. As ScratchFile's
/// Create.
Result<Fd> OpenScratch(const std::string& folder);

class ScratchFile {
  public:
    /// In `folder`, which must exist. kIo.
    static Result<std::unique_ptr<ScratchFile>> Create(const std::string& folder);

    /// The offset where `bytes` now lie. kIo, for example of a full disk.
    Result<std::uint64_t> Append(std::span<const std::byte> bytes);
    /// Fills `out` from bytes that were appended. Ends the program when the disk cannot give them back.
    void ReadAt(std::span<std::byte> out, std::uint64_t offset) const;
    std::uint64_t size_bytes() const { return size_bytes_; }

  private:
    ScratchFile(Fd fd, std::string folder) : fd_(std::move(fd)), folder_(std::move(folder)) {}

    Fd fd_;
    std::string folder_;
    std::uint64_t size_bytes_ = 0;
};

}  // namespace espalier
