// ArrayWriter and ArrayReader: a file of numbers, texts and arrays, one after the other, and its way back.
//
// Both are called alike, archive(field), so that one function names the fields of a structure for both directions.
// A number takes 8 bytes, a text or an array its length and its bytes. Arrays begin at multiples of 64 bytes and can be
// used where they lie in a mapped file. Little-endian. What the bytes mean, and that they are whole, is for the file's
// format to say. A reader that runs past the end fails once and for all and gives zeros and nothing.
// Confined to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/crc.h"
#include "base/fs.h"
#include "base/result.h"
#include "data/stored_array.h"

namespace espalier::data {

class ArrayWriter {
  public:
    static constexpr bool kReads = false;

    /// Appends to `file`, whose position is a multiple of 64.
    ArrayWriter(Fs& fs, const Fd& file) : fs_(fs), file_(file) {}

    template <typename T>
        requires std::is_arithmetic_v<T> || std::is_enum_v<T>
    void operator()(T& number) {
        const auto wide = static_cast<std::uint64_t>(number);
        Put(&wide, sizeof wide);
    }
    void operator()(std::string& text) {
        std::uint64_t size = text.size();
        (*this)(size);
        Put(text.data(), text.size());
        Pad(sizeof(std::uint64_t));
    }
    template <typename T, typename Allocator>
    void operator()(std::vector<T, Allocator>& array) {
        PutArray(array.data(), array.size());
    }
    template <typename T>
    void operator()(StoredArray<T>& array) {
        PutArray(array.data(), array.size());
    }

    /// Writes out what is buffered; the first error of all.
    Result<void> Close() {
        Flush();
        if (error_ != nullptr) return std::move(*error_);
        return {};
    }
    std::uint64_t size_bytes() const { return size_bytes_; }
    std::uint32_t crc() const { return crc_.value(); }

  private:
    static constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

    template <typename T>
    void PutArray(const T* values, std::size_t count) {
        static_assert(std::is_trivially_copyable_v<T>);
        std::uint64_t size = count;
        (*this)(size);
        Pad(ArrayStore::kLineBytes);
        Put(values, count * sizeof(T));
        Pad(ArrayStore::kLineBytes);
    }
    void Pad(std::size_t multiple) {
        static constexpr char kZeros[ArrayStore::kLineBytes] = {};
        Put(kZeros, (multiple - size_bytes_ % multiple) % multiple);
    }
    void Put(const void* bytes, std::size_t size) {
        if (size == 0) return;
        const auto* from = static_cast<const char*>(bytes);
        size_bytes_ += size;
        if (buffer_.size() + size > kBufferBytes) Flush();
        if (size > kBufferBytes) {
            Write({from, size});
        } else {
            buffer_.insert(buffer_.end(), from, from + size);
        }
    }
    void Flush() {
        Write(buffer_);
        buffer_.clear();
    }
    void Write(std::span<const char> bytes) {
        crc_.Update({bytes.data(), bytes.size()});
        if (error_ != nullptr) return;
        Result<void> written = fs_.Append(file_, bytes);
        if (!written.has_value()) error_ = std::make_unique<Error>(std::move(written).error());
    }

    Fs& fs_;
    const Fd& file_;
    std::vector<char> buffer_;
    std::uint64_t size_bytes_ = 0;
    Crc32c crc_;
    std::unique_ptr<Error> error_;
};

class ArrayReader {
  public:
    static constexpr bool kReads = true;

    /// `keeper` keeps `bytes` alive for the arrays that stay in them; `bytes` begin at a multiple of 64.
    ArrayReader(std::span<const std::byte> bytes, std::shared_ptr<const void> keeper)
        : bytes_(bytes), keeper_(std::move(keeper)) {}

    bool failed() const { return failed_; }

    template <typename T>
        requires std::is_arithmetic_v<T> || std::is_enum_v<T>
    void operator()(T& number) {
        std::uint64_t wide = 0;
        if (const std::byte* from = Take(sizeof wide); from != nullptr) std::memcpy(&wide, from, sizeof wide);
        number = static_cast<T>(wide);
    }
    void operator()(std::string& text) {
        const std::size_t size = TakeCount(1);
        if (const std::byte* from = Take(size); from != nullptr) {
            text.assign(reinterpret_cast<const char*>(from), size);
        }
        Align(sizeof(std::uint64_t));
    }
    template <typename T, typename Allocator>
    void operator()(std::vector<T, Allocator>& array) {
        const auto [data, size] = TakeArray<T>();
        array.assign(data, data + size);
    }
    template <typename T>
    void operator()(StoredArray<T>& array) {
        const auto [data, size] = TakeArray<T>();
        array = StoredArray<T>(const_cast<T*>(data), size, keeper_);
    }
    /// How many elements of at least `bytes_each` bytes follow; 0 after a failure, also when they cannot be there.
    std::size_t TakeCount(std::size_t bytes_each) {
        std::uint64_t count = 0;
        (*this)(count);
        if (count > (bytes_.size() - at_) / bytes_each) failed_ = true;
        return failed_ ? 0 : count;
    }

  private:
    template <typename T>
    std::pair<const T*, std::size_t> TakeArray() {
        const std::size_t size = TakeCount(sizeof(T));
        Align(ArrayStore::kLineBytes);
        const std::byte* from = Take(size * sizeof(T));
        Align(ArrayStore::kLineBytes);
        return {reinterpret_cast<const T*>(from), from == nullptr ? 0 : size};
    }
    const std::byte* Take(std::size_t size) {
        if (failed_ || size > bytes_.size() - at_) {
            failed_ = true;
            return nullptr;
        }
        const std::byte* place = bytes_.data() + at_;
        at_ += size;
        return place;
    }
    void Align(std::size_t multiple) { Take((multiple - at_ % multiple) % multiple); }

    std::span<const std::byte> bytes_;
    std::shared_ptr<const void> keeper_;
    std::size_t at_ = 0;
    bool failed_ = false;
};

/// A vector of structures: `each` names the fields of one.
template <typename Archive, typename T, typename Each>
void ExchangeEach(Archive& archive, std::vector<T>& elements, Each&& each) {
    if constexpr (Archive::kReads) {
        elements.resize(archive.TakeCount(sizeof(std::uint64_t)));
    } else {
        std::uint64_t count = elements.size();
        archive(count);
    }
    for (T& element : elements) each(element);
}

}  // namespace espalier::data
