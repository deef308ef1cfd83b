// StoredArray: numbers whose memory is the heap's, a scratch file's, or a mapped file's; whoever reads them does not
// see which. ArrayStore makes them. Every array begins at a cache line, so that rows of 32 or 64 bytes lie in one line.
// On the heap small arrays share slabs of huge pages: a matrix has a thousand columns, and whoever writes a row of it
// touches them all.
//
// Copies share the elements; a slab lives as long as any of its arrays. Thread-safe to read; different elements may be
// set at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <utility>

#include "base/result.h"

namespace espalier::data {

template <typename T>
class StoredArray {
  public:
    using value_type = T;

    StoredArray() = default;
    /// Elements that `keeper` keeps alive.
    StoredArray(T* data, std::size_t size, std::shared_ptr<const void> keeper)
        : data_(data), size_(size), keeper_(std::move(keeper)) {}
    /// On the heap, for tests and small arrays.
    StoredArray(std::initializer_list<T> values);

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    const T* data() const { return data_; }
    T* data() { return data_; }
    const T& operator[](std::size_t i) const { return data_[i]; }
    T& operator[](std::size_t i) { return data_[i]; }
    const T* begin() const { return data_; }
    const T* end() const { return data_ + size_; }
    T* begin() { return data_; }
    T* end() { return data_ + size_; }

  private:
    T* data_ = nullptr;
    std::size_t size_ = 0;
    std::shared_ptr<const void> keeper_;
};

/// Confined to one thread.
class ArrayStore {
  public:
    static constexpr std::size_t kLineBytes = 64;

    /// On the heap.
    ArrayStore() = default;
    /// On the heap up to `heap_bytes_max` bytes together, then in scratch files in `folder`.
    ArrayStore(std::string folder, std::size_t heap_bytes_max)
        : folder_(std::move(folder)), heap_bytes_left_(heap_bytes_max) {}

    /// `size` elements, unset.
    template <typename T>
    StoredArray<T> Make(std::size_t size) {
        auto [place, keeper] = Allocate(size * sizeof(T));
        return {static_cast<T*>(place), size, std::move(keeper)};
    }
    /// kIo when a scratch file could not be made; its arrays are on the heap then, so that the caller may ask late.
    Result<void> status() const;
    std::size_t scratch_bytes() const { return scratch_bytes_; }  ///< so far

  private:
    std::pair<void*, std::shared_ptr<const void>> Allocate(std::size_t bytes);
    std::pair<void*, std::shared_ptr<const void>> AllocateOnHeap(std::size_t bytes);
    bool MakeRoom(std::size_t bytes);

    std::string folder_;
    std::size_t heap_bytes_left_ = ~std::size_t{0};
    std::size_t heap_bytes_ = 0;  ///< handed out so far
    std::shared_ptr<const void> slab_;
    std::span<std::byte> slab_room_;  ///< of the newest slab
    std::shared_ptr<const void> scratch_;
    std::span<std::byte> room_;  ///< of the newest scratch file
    std::size_t scratch_bytes_ = 0;
    std::shared_ptr<const Error> error_;
};

template <typename T>
StoredArray<T>::StoredArray(std::initializer_list<T> values) : StoredArray(ArrayStore().Make<T>(values.size())) {
    std::copy(values.begin(), values.end(), data_);
}

}  // namespace espalier::data
