#include "hosting/snapshot_cell.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace espalier::hosting {
namespace {

TEST(SnapshotCell, ReadersSeeWholeValuesAndNeverGoBackBehindAFinishedStore) {
    struct Pair {
        int a;
        int b;
    };
    SnapshotCell<Pair> cell(std::make_shared<const Pair>(Pair{0, 0}));
    std::atomic<int> stored{0};
    std::atomic<bool> done{false};
    std::atomic<int> failures{0};
    std::vector<std::jthread> readers;
    for (int i = 0; i < 3; ++i) {
        readers.emplace_back([&] {
            while (!done.load()) {
                const int at_least = stored.load();
                std::shared_ptr<const Pair> value = cell.Load();
                if (value->a != value->b || value->a < at_least) failures.fetch_add(1);
            }
        });
    }
    for (int i = 1; i <= 2000; ++i) {
        cell.Store(std::make_shared<const Pair>(Pair{i, i}));
        stored.store(i);
    }
    done.store(true);
    readers.clear();
    EXPECT_EQ(failures.load(), 0);
    EXPECT_EQ(cell.Load()->a, 2000);
}

TEST(SnapshotCell, LetsGoOfTheOldValue) {
    auto first = std::make_shared<const int>(1);
    std::weak_ptr<const int> watch = first;
    SnapshotCell<int> cell(std::move(first));
    EXPECT_FALSE(watch.expired());
    cell.Store(std::make_shared<const int>(2));
    EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace espalier::hosting
