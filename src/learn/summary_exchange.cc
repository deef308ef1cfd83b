#include "learn/summary_exchange.h"

#include <cstring>
#include <utility>

#include "base/check.h"

namespace espalier::learn {

namespace {

template <typename T>
void Append(std::vector<std::byte>& bytes, const T* values, std::size_t count) {
    if (count == 0) return;
    const std::size_t size = bytes.size();
    bytes.resize(size + count * sizeof(T));
    std::memcpy(bytes.data() + size, values, count * sizeof(T));
}

template <typename T>
void Extract(const std::vector<std::byte>& bytes, std::size_t& at, T* values, std::size_t count) {
    CHECK(at + count * sizeof(T) <= bytes.size());
    if (count > 0) std::memcpy(values, bytes.data() + at, count * sizeof(T));
    at += count * sizeof(T);
}

}  // namespace

Result<void> MergeOverRanks(std::vector<data::ValueSummary>& summaries, collective::Comm& comm) {
    if (comm.size() == 1) return {};
    std::vector<std::byte> mine;
    for (const data::ValueSummary& summary : summaries) {
        const std::uint64_t head[2] = {summary.num_entries, summary.values.size()};
        Append(mine, head, 2);
        Append(mine, summary.values.data(), summary.values.size());
        Append(mine, summary.weights.data(), summary.weights.size());
    }
    const auto all = TRY(comm.AllGatherV(mine));
    std::vector<data::ValueSummary> merged(summaries.size());
    for (const auto& bytes : all) {
        std::size_t at = 0;
        for (data::ValueSummary& total : merged) {
            std::uint64_t head[2];
            Extract(bytes, at, head, 2);
            data::ValueSummary part;
            part.num_entries = head[0];
            part.values.resize(head[1]);
            part.weights.resize(head[1]);
            Extract(bytes, at, part.values.data(), part.values.size());
            Extract(bytes, at, part.weights.data(), part.weights.size());
            total.Merge(std::move(part));
        }
    }
    summaries = std::move(merged);
    return {};
}

}  // namespace espalier::learn
