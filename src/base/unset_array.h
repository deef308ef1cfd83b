// UnsetArray: so many elements on the heap, without a value until they are written.
//
// For arrays over all rows that many threads fill: zeros first would be a pass of one thread, which also waits for each
// page. Like this a page comes with the thread that writes it first. Moves; the elements stay where they are.
#pragma once

#include <cstddef>
#include <memory>

namespace espalier {

template <typename T>
class UnsetArray {
  public:
    UnsetArray() = default;
    explicit UnsetArray(std::size_t size) : elements_(std::make_unique_for_overwrite<T[]>(size)), size_(size) {}

    std::size_t size() const { return size_; }
    T* data() { return elements_.get(); }
    const T* data() const { return elements_.get(); }
    T& operator[](std::size_t i) { return elements_[i]; }
    const T& operator[](std::size_t i) const { return elements_[i]; }
    T* begin() { return data(); }
    T* end() { return data() + size_; }
    const T* begin() const { return data(); }
    const T* end() const { return data() + size_; }

  private:
    std::unique_ptr<T[]> elements_;
    std::size_t size_ = 0;
};

}  // namespace espalier
