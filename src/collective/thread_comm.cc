#include "collective/thread_comm.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

#include "base/check.h"

namespace espalier::collective {

struct ThreadComm::Shared {
    std::mutex mutex;
    std::condition_variable all_came;
    int size = 1;
    int num_waiting = 0;           // guarded by mutex
    std::uint64_t generation = 0;  // guarded by mutex; counts meetings
    bool aborted = false;          // guarded by mutex
    std::chrono::milliseconds deadline{};
    /// [2][size] each rank writes its own before a meeting, all read after it. In turns: who is slow reads of one
    /// meeting while others come to the next.
    std::array<std::vector<std::span<const std::byte>>, 2> shown;
};

std::vector<std::unique_ptr<ThreadComm>> ThreadComm::CreateGroup(const Options& options) {
    CHECK(options.size >= 1);
    auto shared = std::make_shared<Shared>();
    shared->size = options.size;
    shared->deadline = options.deadline;
    for (auto& shown : shared->shown) shown.resize(static_cast<std::size_t>(options.size));
    std::vector<std::unique_ptr<ThreadComm>> group;
    for (int rank = 0; rank < options.size; ++rank) {
        group.push_back(std::unique_ptr<ThreadComm>(new ThreadComm(shared, rank)));
    }
    return group;
}

int ThreadComm::size() const {
    return shared_->size;
}

void ThreadComm::Abort() {
    std::lock_guard lock(shared_->mutex);
    shared_->aborted = true;
    shared_->all_came.notify_all();
}

Result<void> ThreadComm::Meet() {
    std::unique_lock lock(shared_->mutex);
    if (shared_->aborted) {
        return Error(ErrorCode::kUnavailable, "another instance of this job has ended");
    }
    const std::uint64_t generation = shared_->generation;
    if (++shared_->num_waiting == shared_->size) {
        shared_->num_waiting = 0;
        ++shared_->generation;
        shared_->all_came.notify_all();
        return {};
    }
    const bool came = shared_->all_came.wait_for(lock, shared_->deadline,
                                                 [&] { return shared_->generation != generation || shared_->aborted; });
    if (shared_->generation != generation) return {};
    if (came) return Error(ErrorCode::kUnavailable, "another instance of this job has ended");
    shared_->aborted = true;
    shared_->all_came.notify_all();
    return Error(ErrorCode::kUnavailable,
                 fmt::format("the other instances did not answer within {} s",
                             std::chrono::duration_cast<std::chrono::seconds>(shared_->deadline).count()));
}

Result<void> ThreadComm::Show(std::span<const std::byte> bytes) {
    ++num_shows_;
    shared_->shown[num_shows_ % 2][static_cast<std::size_t>(rank_)] = bytes;
    return Meet();
}

std::span<const std::byte> ThreadComm::ShownBy(int rank) const {
    return shared_->shown[num_shows_ % 2][static_cast<std::size_t>(rank)];
}

template <typename T, typename Combine>
Result<void> ThreadComm::AllReduce(std::span<T> values, Combine combine) {
    TRY(Show(std::as_bytes(values)));
    std::vector<T> total(values.size());
    for (int rank = 0; rank < size(); ++rank) {
        const std::span<const std::byte> shown = ShownBy(rank);
        CHECK(shown.size() == values.size_bytes(), "rank {} shows {} bytes, not {}", rank, shown.size(),
              values.size_bytes());
        const T* theirs = reinterpret_cast<const T*>(shown.data());
        if (rank == 0) {
            std::copy_n(theirs, values.size(), total.begin());
        } else {
            for (std::size_t i = 0; i < values.size(); ++i) total[i] = combine(total[i], theirs[i]);
        }
    }
    TRY(Meet());  // Nobody overwrites a span that another still reads.
    std::copy(total.begin(), total.end(), values.begin());
    const auto num_ranks = static_cast<std::uint64_t>(size());
    bytes_sent_ += 2 * values.size_bytes() * (num_ranks - 1) / num_ranks;
    return {};
}

Result<void> ThreadComm::AllReduceSum(std::span<std::int64_t> values) {
    return AllReduce(values, [](std::int64_t a, std::int64_t b) {
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
    });
}

Result<void> ThreadComm::AllReduceMax(std::span<double> values) {
    return AllReduce(values, [](double a, double b) { return std::max(a, b); });
}

Result<void> ThreadComm::AllReduceMax(std::span<std::int64_t> values) {
    return AllReduce(values, [](std::int64_t a, std::int64_t b) { return std::max(a, b); });
}

Result<std::vector<std::span<const std::int64_t>>> ThreadComm::ExchangeSegments(std::span<const std::int64_t> values,
                                                                                std::span<const std::size_t> counts) {
    TRY(Show(std::as_bytes(values)));
    const auto rank_idx = static_cast<std::size_t>(rank_);
    const std::size_t begin = std::accumulate(counts.begin(), counts.begin() + rank_, std::size_t{0});
    std::vector<std::span<const std::int64_t>> segments;
    for (int rank = 0; rank < size(); ++rank) {
        const std::span<const std::byte> shown = ShownBy(rank);
        CHECK(shown.size() == values.size_bytes());
        segments.emplace_back(reinterpret_cast<const std::int64_t*>(shown.data()) + begin, counts[rank_idx]);
    }
    const auto num_ranks = static_cast<std::uint64_t>(size());
    bytes_sent_ += values.size_bytes() * (num_ranks - 1) / num_ranks;
    return segments;
}

Result<std::vector<std::vector<std::byte>>> ThreadComm::AllGatherV(std::span<const std::byte> bytes) {
    TRY(Show(bytes));
    std::vector<std::vector<std::byte>> all;
    for (int rank = 0; rank < size(); ++rank) {
        const std::span<const std::byte> shown = ShownBy(rank);
        all.emplace_back(shown.begin(), shown.end());
    }
    TRY(Meet());
    bytes_sent_ += bytes.size() * static_cast<std::uint64_t>(size() - 1);
    return all;
}

Result<void> ThreadComm::Broadcast(std::span<std::byte> bytes, int root) {
    TRY(Show(bytes));
    const auto shown = ShownBy(root);
    CHECK(shown.size() == bytes.size());
    if (rank_ != root && !bytes.empty()) std::memcpy(bytes.data(), shown.data(), bytes.size());
    TRY(Meet());
    if (rank_ == root) bytes_sent_ += bytes.size() * static_cast<std::uint64_t>(size() - 1);
    return {};
}

Result<void> ThreadComm::Barrier() {
    return Meet();
}

}  // namespace espalier::collective
