#include "data/stored_array.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>

namespace espalier::data {
namespace {

TEST(StoredArrayTest, HoldsItsElementsAtALineAndSharesThemWithCopies) {
    StoredArray<std::uint16_t> array = {3, 1, 4};
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(array.data()) % ArrayStore::kLineBytes, 0U);
    StoredArray<std::uint16_t> copy = array;
    array = {};
    EXPECT_TRUE(array.empty());
    EXPECT_EQ(std::vector<int>(copy.begin(), copy.end()), (std::vector<int>{3, 1, 4}));
}

TEST(StoredArrayTest, WhatTheHeapMayNotTakeLiesInScratchFiles) {
    std::string folder = (std::filesystem::temp_directory_path() / "espalier-store-XXXXXX").string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    std::vector<StoredArray<std::uint32_t>> arrays;
    {
        ArrayStore store(folder, 1000);
        for (std::uint32_t size = 0; size < 200; ++size) {
            arrays.push_back(store.Make<std::uint32_t>(size));
            std::iota(arrays.back().begin(), arrays.back().end(), size);
        }
        EXPECT_TRUE(store.status().has_value());
        EXPECT_GT(store.scratch_bytes(), 70'000U);
    }
    for (std::uint32_t size = 0; size < 200; ++size) {
        for (std::uint32_t i = 0; i < size; ++i) ASSERT_EQ(arrays[size][i], size + i);
    }
    EXPECT_TRUE(std::filesystem::is_empty(folder));
    std::filesystem::remove_all(folder);
    ArrayStore nowhere(folder, 10);
    StoredArray<int> array = nowhere.Make<int>(100);
    array[99] = 1;
    EXPECT_EQ(nowhere.status().error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace espalier::data
