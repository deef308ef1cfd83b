#include "data/stored_array.h"

#include <sys/mman.h>

#include "base/mapped_memory.h"

namespace espalier::data {

namespace {

// Small arrays share a file: each file is a mapping, and a process may have some ten thousands of them.
constexpr std::size_t kScratchFileBytes = std::size_t{64} << 20;

// What the kernel can map at once.
constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;
constexpr std::size_t kSlabBytes = 4 * kHugePageBytes;

std::shared_ptr<void> NewBytes(std::size_t bytes, std::size_t alignment) {
    void* place = ::operator new(bytes, std::align_val_t{alignment});
    // Advice only: small pages do as well.
    if (alignment == kHugePageBytes) (void)::madvise(place, bytes, MADV_HUGEPAGE);
    return {place, [alignment](void* p) { ::operator delete(p, std::align_val_t{alignment}); }};
}

}  // namespace

bool ArrayStore::MakeRoom(std::size_t bytes) {
    if (bytes <= room_.size()) return true;
    Result<std::shared_ptr<MappedMemory>> memory = MappedMemory::Scratch(folder_, std::max(bytes, kScratchFileBytes));
    if (!memory.has_value()) {
        error_ = std::make_shared<const Error>(std::move(memory).error());
        return false;
    }
    room_ = (*memory)->writable_bytes();
    scratch_ = *memory;
    return true;
}

std::pair<void*, std::shared_ptr<const void>> ArrayStore::Allocate(std::size_t bytes) {
    const std::size_t rounded = (bytes + kLineBytes - 1) / kLineBytes * kLineBytes;
    if (rounded > heap_bytes_left_ && error_ == nullptr && MakeRoom(rounded)) {
        void* place = room_.data();
        room_ = room_.subspan(rounded);
        scratch_bytes_ += rounded;
        return {place, scratch_};
    }
    heap_bytes_left_ -= std::min(heap_bytes_left_, rounded);
    return AllocateOnHeap(rounded);
}

std::pair<void*, std::shared_ptr<const void>> ArrayStore::AllocateOnHeap(std::size_t bytes) {
    heap_bytes_ += bytes;
    // Small data needs no slab: a huge page is cleared as a whole at its first touch.
    if (bytes > kSlabBytes / 4 || heap_bytes_ < kHugePageBytes) {
        auto own = NewBytes(bytes, bytes < kHugePageBytes ? kLineBytes : kHugePageBytes);
        return {own.get(), own};
    }
    if (bytes > slab_room_.size()) {
        auto slab = NewBytes(kSlabBytes, kHugePageBytes);
        slab_room_ = {static_cast<std::byte*>(slab.get()), kSlabBytes};
        slab_ = slab;
    }
    void* place = slab_room_.data();
    slab_room_ = slab_room_.subspan(bytes);
    return {place, slab_};
}

Result<void> ArrayStore::status() const {
    if (error_ != nullptr) return Error(error_->code(), error_->message());
    return {};
}

}  // namespace espalier::data
