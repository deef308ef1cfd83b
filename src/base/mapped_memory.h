// MappedMemory: the bytes of a file as memory.
//
// Pages come from the kernel's cache of the file: processes that map the same file share them, and the kernel may drop
// or write them out when memory is short. Thread-safe to read; of writable memory different bytes may be written at
// once.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"

namespace espalier {

class MappedMemory {
  public:
    /// The whole file, to read only. kNotFound when there is none, kIo.
    static Result<std::shared_ptr<const MappedMemory>> OfFile(const std::string& path);
    /// `size` bytes of 0 in a file without a name in `folder`: for what does not fit into memory. kIo, for example when
    /// the disk has no room for them.
    static Result<std::shared_ptr<MappedMemory>> Scratch(const std::string& folder, std::size_t size);
    ~MappedMemory();
    MappedMemory(const MappedMemory&) = delete;
    MappedMemory& operator=(const MappedMemory&) = delete;

    std::span<const std::byte> bytes() const { return {data_, size_}; }
    std::span<std::byte> writable_bytes() { return {data_, size_}; }  ///< of Scratch only

  private:
    MappedMemory(std::byte* data, std::size_t size) : data_(data), size_(size) {}

    std::byte* data_;
    std::size_t size_;
};

}  // namespace espalier
