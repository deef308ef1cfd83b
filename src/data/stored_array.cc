#include "data/stored_array.h"

#include "base/mapped_memory.h"

namespace espalier::data {

namespace {

// Small arrays share a file: each file is a mapping, and a process may have some ten thousands of them.
constexpr std::size_t kScratchFileBytes = std::size_t{64} << 20;

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
    void* place = ::operator new(rounded, std::align_val_t{kLineBytes});
    return {place, std::shared_ptr<const void>(place, [](const void* p) {
                ::operator delete(const_cast<void*>(p), std::align_val_t{kLineBytes});
            })};
}

Result<void> ArrayStore::status() const {
    if (error_ != nullptr) return Error(error_->code(), error_->message());
    return {};
}

}  // namespace espalier::data
